"""Commands per second, one after the other, compared with the bare import of TensorFlow."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sides import run

BIN = Path(sys.executable).parent
EXAMPLE = Path(__file__).parents[1] / "examples" / "ppo_cartpole.yml"


def command(*words):
    def measure(quick):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "XDG_CACHE_HOME": folder}

            def run_once():
                subprocess.run(words, check=True, capture_output=True, env=environment, cwd=folder)

            run_once()
            count = 2 if quick else 4
            start = time.perf_counter()
            for _ in range(count):
                run_once()
        return {"rate": count / (time.perf_counter() - start)}

    return measure


SIDES = {
    "help": command(str(BIN / "plx"), "--help"),
    "components": command(str(BIN / "plx"), "components"),
    "check": command(str(BIN / "plx"), "check", str(EXAMPLE)),
    "tensorflow": command(sys.executable, "-c", "import tensorflow"),
}

if __name__ == "__main__":
    run(SIDES, __doc__)
