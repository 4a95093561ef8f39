"""An experiment that is killed again and again evaluates and exports what it would have."""

import json
import time

import pytest
from tests import forking


@pytest.mark.slow
def test_train_and_evaluate_survives_kill_9(tmp_path, digits, monkeypatch):
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
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
    metrics = tmp_path / "runs/experiment/metrics.jsonl"
    for evaluations, wait in ((1, 0.05), (4, 0.0), (6, 0.1)):
        process = forking.start("run", "a.yml")
        while process.is_alive() and not (
            metrics.exists() and metrics.read_text().count('"eval"') >= evaluations
        ):
            time.sleep(0.01)
        time.sleep(wait)
        assert process.is_alive()
        process.kill()
        process.join()
    forking.finish("run", "a.yml")
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    losses = {line["step"]: line["metrics"]["loss"] for line in lines if line["split"] == "eval"}
    assert [line["step"] for line in lines if line["split"] == "eval"] == list(
        range(100, 1501, 100)
    )
    best = [
        step
        for step in losses
        if losses[step] == min(value for other, value in losses.items() if other <= step)
    ]
    assert (
        sorted(int(path.name) for path in (tmp_path / "runs/experiment/export/best").glob("[0-9]*"))
        == best
    )
