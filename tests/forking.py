"""Commands of plx in processes that are killed: forks of one that has imported TensorFlow, which takes longer than what they do."""

import multiprocessing
import os
import runpy
import sys

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "tensorflow",
        "keras",
        "plx_core.cli.main",
        "plx_core.experiments.from_config",
        "plx_pipelines.pipelines.images",
    ]
)


def start(*arguments):
    """`plx ARGUMENTS` in a process of its own, in the current folder, with the current variables of the environment."""
    given = {"ARGUMENTS": arguments, "ENVIRONMENT": dict(os.environ)}
    process = PROCESSES.Process(target=runpy.run_path, args=(__file__, given, "forked"))
    process.start()
    return process


def finish(*arguments):
    """Wait until `plx ARGUMENTS` has succeeded."""
    process = start(*arguments)
    process.join(200)
    assert process.exitcode == 0


if __name__ == "forked":
    os.environ.update(globals()["ENVIRONMENT"])
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    sys.argv = ["plx", *globals()["ARGUMENTS"]]
    runpy.run_module("plx_core", run_name="__main__")
