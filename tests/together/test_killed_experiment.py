"""An experiment that is killed again and again evaluates and exports what it would have."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.slow
def test_train_and_evaluate_survives_kill_9(tmp_path, digits):
    config = tmp_path / "a.yml"
    config.write_text(
        f"""
model: {{classifier: {{n_classes: 10, graph: {{layers: [{{Cast: {{}}}}, Flatten, {{Dense: {{units: 10}}}}]}}}}}}
environment: {{run_config: {{save_checkpoints_steps: 50}}}}
train: {{train_steps: 1500, data_pipeline: {{TFRecordImagePipeline: {{data_files: {digits}/digits_train.tfrecord, meta_data_file: {digits}/meta_data.json}}}}}}
eval:
  eval_every_n_steps: 100
  export_strategies: [{{BestExporter: {{exports_to_keep: null}}}}]
  data_pipeline: {{TFRecordImagePipeline: {{data_files: {digits}/digits_eval.tfrecord, meta_data_file: {digits}/meta_data.json}}}}
"""
    )
    command = [sys.executable, "-m", "plx_core", "run", "a.yml"]
    environment = {**os.environ, "PLX_CACHE_DIR": str(tmp_path / "cache")}
    for wait in (7.5, 9.0, 8.2):
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    lines = [json.loads(line) for line in (tmp_path / "runs/experiment/metrics.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["metrics"]["loss"] for line in lines if line["split"] == "eval"}
    assert [line["step"] for line in lines if line["split"] == "eval"] == list(range(100, 1501, 100))
    best = [step for step in losses if losses[step] == min(value for other, value in losses.items() if other <= step)]
    assert sorted(int(path.name) for path in (tmp_path / "runs/experiment/export/best").glob("[0-9]*")) == best
