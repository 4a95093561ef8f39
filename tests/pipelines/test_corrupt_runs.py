"""Runs over corrupt files: messages, counters and where they are logged."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.contract import batches_of, check_resumes

from plx_core.cli.main import main
from plx_core.errors import CorruptData
from plx_pipelines.pipelines.images import TFRecordImagePipeline
from plx_pipelines.records.tfrecord import scan

EXPERIMENT = """
version: 1
environment: {run_config: {log_step_count_steps: 1}}
model: {classifier: {graph: {layers: [Flatten, {Cast: {}}, {Dense: {units: 23}}]}}}
train:
  train_steps: 2
  data_pipeline: {TFRecordImagePipeline: {data_files: FILES, meta_data_file: META, batch_size: 4, on_corrupt: HOW}}
eval:
  data_pipeline: {TFRecordImagePipeline: {data_files: FILES, meta_data_file: META, on_corrupt: HOW}}
"""


@pytest.fixture
def corrupt(images, tmp_path):
    """Two files of 9 and 14 images; in the first, record 2 and the length of record 5 are corrupt."""
    parameters, _, labels = images("raw")
    for part in "01":
        source = Path(parameters["data_files"].replace("*", part))
        content, index = bytearray(source.read_bytes()), scan(source)
        if part == "0":
            content[index.offsets[2] + 50] ^= 1
            content[index.offsets[5] - 12] ^= 1
        (tmp_path / source.name).write_bytes(content)
    intact = [label for label in labels.tolist() if label not in (2, 5, 6, 7, 8)]
    return str(tmp_path / "part-*.tfrecord"), parameters["meta_data_file"], intact


def test_a_bad_length_costs_the_rest_of_its_file_and_says_how_much(corrupt):
    files, metadata, intact = corrupt
    with pytest.raises(
        CorruptData,
        match=r"part-0\.tfrecord: record 5 at byte 925: the length .* \(740 bytes lost\)",
    ):
        TFRecordImagePipeline(files, metadata)
    pipeline = TFRecordImagePipeline(
        files, metadata, batch_size=4, on_corrupt="skip", num_epochs=2, shuffle=True, seed=1
    )
    check_resumes(pipeline)
    labels = np.concatenate([labels["label"] for _, labels in batches_of(pipeline)])
    assert sorted(labels.tolist()) == sorted(intact * 2)
    assert pipeline.counters() == {"corrupt_records": 2, "corrupt_bytes": 740 + 185}


@pytest.fixture
def run(corrupt, tmp_path):
    """A function that runs an experiment over the corrupt files."""

    def run(how):
        text = (
            EXPERIMENT.replace("FILES", f"'{corrupt[0]}'")
            .replace("META", corrupt[1])
            .replace("HOW", how)
        )
        (tmp_path / "experiment.yml").write_text(text)
        command = ["run", str(tmp_path / "experiment.yml"), "--output-dir", str(tmp_path / "run")]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    return run


def test_what_is_left_out_is_in_the_metrics_and_in_the_manifest(run, tmp_path):
    result = run("skip")
    assert result.exit_code == 0, result.output
    lines = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert {line["split"] for line in lines} == {"train", "eval"}
    assert {line["metrics"]["corrupt_records"] for line in lines} == {2.0}
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["data"]["train"] == manifest["data"]["eval"]
    assert manifest["data"]["train"]["corrupt_records"] == 2


def test_the_command_line_says_it_in_one_line(run):
    result = run("error")
    assert result.exit_code != 0
    (line,) = [line for line in result.stderr.splitlines() if "part-0" in line]
    assert "part-0.tfrecord: record 5 at byte" in line
    assert "Traceback" not in result.output
