"""The examples in Python that need nothing but plx_core and plx_layers."""

import pytest
from tests.examples_run import EXAMPLES, run_script


def test_linear_regression_finds_the_slope(tmp_path):
    assert run_script("linear_regression", str(tmp_path / "run")) == pytest.approx(2, abs=0.1)


def test_quantile_regression_covers_about_the_promised_share(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn brings the data")
    metrics = run_script("quantile_regression", str(tmp_path / "run"), 150)
    assert metrics["coverage"] == pytest.approx(0.8, abs=0.12)


def test_no_other_example_is_missing_here():
    others = ("plx.pipelines", "plx.envs")
    alone = {
        path.stem
        for path in EXAMPLES.glob("*.py")
        if not any(name in path.read_text() for name in others)
    }
    assert alone == {"linear_regression", "quantile_regression"}
