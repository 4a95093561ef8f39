"""The examples that need nothing but core and plx_layers run, each on a few steps."""

import pytest
from tests.examples_run import EXAMPLES, run_example


def test_linear_regression_finds_the_slope(tmp_path):
    assert run_example("linear_regression", str(tmp_path / "run")) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("diabetes", {"loss", "mean_absolute_error"}),
        ("multi_head_iris", {"loss"}),
        ("time_series", {"loss", "mean_absolute_error"}),
        ("xor", {"loss", "accuracy"}),
    ],
)
def test_examples_of_arrays(name, metrics, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn brings the data of some")
    result = run_example(name, str(tmp_path / "run"), 3)
    assert result["global_step"] == 3
    assert metrics <= set(result)


def test_these_are_all_that_need_no_other_plugin():
    """An example of arrays that is added is to be tried here too."""
    others = ("pipelines.", "Pipeline", "plx.envs", "plx.rl", "Environment")
    alone = {
        path.stem
        for path in EXAMPLES.glob("*.py")
        if not any(name in path.read_text() for name in others)
    }
    assert alone == {"diabetes", "linear_regression", "multi_head_iris", "time_series", "xor"}
