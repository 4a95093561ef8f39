"""Mistakes within a graph that is a layer, on a table."""

from click.testing import CliRunner

from plx_core.cli.main import main


def test_check_places_mistakes_within_a_sub_graph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a,b,y\n" + "0.5,1,2.0\n" * 4)
    text = """\
version: 1
model:
  Regressor:
    graph:
      layers:
        - SubGraph:
            name: tower
            inbound_nodes: left
            layers:
              - Dense: {units: 2}
              - Reshape: {target_shape: [2]}
        - Shared: {layer: tower, inbound_nodes: right}
        - Subtract: {inbound_nodes: [tower, shared]}
        - Dense: {units: 1}
train:
  train_steps: 2
  data_pipeline:
    TablePipeline: {data_files: data.csv, features: {left: [a], right: [b]}, labels: y, batch_size: 2}
"""
    for old, new, message in (
        ("", "", "correct"),
        ("units: 2", "unit: 2", "config.yml:10:25 model.Regressor.graph.layers[0].SubGraph.layers[0].Dense.unit: unknown parameter; did you mean units?"),
        ("[2]", "[3]", "config.yml:11:17 model.Regressor.graph.layers[0].SubGraph.layers[1].Reshape: "),
        ("layer: tower", "layer: towr", "config.yml:12:27 model.Regressor.graph.layers[1].Shared.layer: there is no earlier layer called towr; did you mean tower?"),
    ):  # fmt: skip
        (tmp_path / "config.yml").write_text(text.replace(old, new))
        assert message in CliRunner().invoke(main, ["check", "config.yml"]).output
