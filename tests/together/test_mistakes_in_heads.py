"""Mistakes in a model of several outputs, on a table."""

import pytest
from click.testing import CliRunner

from plx_core.cli.main import main


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size: {Regressor:", "sizes: {Regressor:", "wrong.yml:15:14 model.MultiHead.heads.sizes: the graph has no such output; did you mean size?"),
        ("size: 0.5", "sise: 0.5", "wrong.yml:12:26 model.MultiHead.loss_weights.sise: there is no such head; did you mean size?"),
        ("metrics: [Accuracy]", "metric: [Accuracy]", "wrong.yml:14:27 model.MultiHead.heads.kind.Classifier.metric: unknown parameter; did you mean metrics?"),
        ("units: 3", "units: 3, n: 1", "wrong.yml:9:29 model.MultiHead.graph.layers[2].Dense.n: unknown parameter"),
    ],
)  # fmt: skip
def test_check_places_a_mistake_in_a_head(tmp_path, monkeypatch, old, new, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("x,kind,size\n" + "0.5,1,2.0\n" * 4)
    text = """\
version: 1
project: {name: heads}
model:
  MultiHead:
    graph:
      layers:
        - Reshape: {target_shape: [1]}
        - Dense: {units: 4, name: hidden}
        - Dense: {units: 3, name: kind, inbound_nodes: hidden}
        - Dense: {units: 1, name: size, inbound_nodes: hidden}
      output_layers: [kind, size]
    loss_weights: {size: 0.5}
    heads:
      kind: {Classifier: {metrics: [Accuracy]}}
      size: {Regressor: {metrics: [MeanAbsoluteError]}}
train:
  train_steps: 2
  data_pipeline: {TablePipeline: {data_files: data.csv, labels: [kind, size], batch_size: 2}}
"""
    (tmp_path / "right.yml").write_text(text)
    assert CliRunner().invoke(main, ["check", "right.yml"]).output == "right.yml: correct\n"
    (tmp_path / "wrong.yml").write_text(text.replace(old, new))
    result = CliRunner().invoke(main, ["check", "wrong.yml"])
    assert result.exit_code == 2
    assert message in result.output
