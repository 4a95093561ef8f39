"""Looking at plx does not start TensorFlow."""

import json
import os
import subprocess
import sys

import pytest

PROBE = """
import json, sys
from plx_core.cli.main import main
try:
    main({arguments!r}, prog_name="plx")
except SystemExit as end:
    code = end.code
print(json.dumps({{"code": code, "heavy": sorted(name for name in ("tensorflow", "keras", "numpy", "rich") if name in sys.modules)}}), file=sys.stderr)
"""


def probe(arguments, folder, cache):
    environment = {**os.environ, "PLX_CACHE_DIR": str(cache)}
    code = PROBE.format(arguments=arguments)
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout, json.loads(answer.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["components"],
        ["components", "layers"],
        ["plugins"],
        ["check", "--help"],
        ["runs"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(arguments, tmp_path):
    output, found = probe(arguments, tmp_path, tmp_path / "cache")
    assert output
    assert found == {"code": 0, "heavy": []}


def test_a_second_check_imports_no_tensorflow(tmp_path, digits):
    path = tmp_path / "small.yml"
    path.write_text(
        f"""
model: {{classifier: {{n_classes: 10, graph: {{layers: [{{Cast: {{}}}}, Flatten, {{Dense: {{units: 10}}}}]}}}}}}
train: {{data_pipeline: {{TFRecordImagePipeline: {{data_files: {digits}/digits_train.tfrecord, meta_data_file: {digits}/meta_data.json}}}}}}
"""
    )
    first = probe(["check", "small.yml"], tmp_path, tmp_path / "cache")
    second = probe(["check", "small.yml"], tmp_path, tmp_path / "cache")
    assert "tensorflow" in first[1]["heavy"]
    assert second[1] == {"code": 0, "heavy": []}
    assert first[0] == second[0] == "small.yml: correct\n"


def test_a_second_check_of_a_wrong_file_says_the_same(tmp_path):
    (tmp_path / "wrong.yml").write_text(
        "model: {classifier: {n_classes: ten, graph: {layers: [{Dense: {unit: 10}}]}}}\ntrain: {steps: 0}\n"
    )
    first = probe(["check", "wrong.yml"], tmp_path, tmp_path / "cache")
    second = probe(["check", "wrong.yml"], tmp_path, tmp_path / "cache")
    assert first[1]["code"] == second[1]["code"] == 2
    assert second[1]["heavy"] == []


def test_a_change_of_the_data_is_noticed(tmp_path, digits):
    meta = json.loads((digits / "meta_data.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    (tmp_path / "small.yml").write_text(
        f"""
model: {{classifier: {{n_classes: 10, graph: {{layers: [{{Cast: {{}}}}, {{Conv2D: {{filters: 2, kernel_size: 20}}}}, Flatten, {{Dense: {{units: 10}}}}]}}}}}}
train: {{data_pipeline: {{TFRecordImagePipeline: {{data_files: {digits}/digits_train.tfrecord, meta_data_file: meta.json}}}}}}
"""
    )
    assert probe(["check", "small.yml"], tmp_path, tmp_path / "cache")[1]["code"] == 0
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "height": 14}))
    assert probe(["check", "small.yml"], tmp_path, tmp_path / "cache")[1]["code"] == 2
