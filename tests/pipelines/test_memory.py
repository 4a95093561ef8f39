"""Memory does not grow with the number of epochs."""

import subprocess
import sys

import pytest

READER = """
import sys
from pathlib import Path
from plx_pipelines.pipelines.images import TFRecordImagePipeline

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

folder, cache = sys.argv[1], {"None": None, "True": True, "False": False}[sys.argv[2]]
pipeline = TFRecordImagePipeline(folder + "/digits_train.tfrecord", folder + "/meta_data.json", batch_size=103, num_epochs=200, shuffle=True, cache=cache)
for number, _ in enumerate(pipeline.dataset()):
    if number in (20 * 14, 200 * 14 - 1):
        print(resident())
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the resident memory is read from /proc"
)
@pytest.mark.parametrize("cache", [None, True, False])
def test_two_hundred_epochs_take_no_more_memory_than_twenty(digits, cache):
    command = [sys.executable, "-c", READER, str(digits), str(cache)]
    early, late = map(
        float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    )
    # In MiB. A copy of the decoded images in each epoch would add 200.
    assert late - early < 50
