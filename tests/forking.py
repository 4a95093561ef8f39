"""Commands of plx in processes that are killed: forks of one that has imported TensorFlow, which takes longer than what they do."""

import multiprocessing
import runpy

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tensorflow", "keras", "plx_core.cli", "plx_core.experiments", "plx_pipelines.images", "plx_rl.learners"])


def start(*arguments, **environ):
    """`plx ARGUMENTS` in a process, and a group of processes, of its own, in the current folder, with further variables."""
    given = {"ARGUMENTS": arguments, "ENVIRON": environ}
    process = PROCESSES.Process(target=runpy.run_path, args=(__file__, given, "forked"))
    process.start()
    return process


def finish(*arguments, **environ):
    """Wait until `plx ARGUMENTS` has succeeded."""
    process = start(*arguments, **environ)
    process.join(200)
    assert process.exitcode == 0


if __name__ == "forked":
    import os
    import sys

    os.setsid()
    os.environ.update(ENVIRON)  # noqa: F821
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    sys.argv = ["plx", *ARGUMENTS]  # noqa: F821
    runpy.run_module("plx_core", run_name="__main__")
