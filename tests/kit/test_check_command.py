"""`plx plugins --check`: what comes of each part, and the exit code."""

from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.testing import plugins

FAULTY = '''
"""A layer that says nothing of what it takes."""

import keras

from plx_core import hookimpl


class Heavy(keras.layers.Layer):
    """A layer."""

    def __init__(self, by=1.0):
        super().__init__()


@hookimpl
def provide_layers():
    return {"Heavy": Heavy}
'''


def test_a_plugin_that_is_installed(monkeypatch):
    monkeypatch.setitem(plugins.CHECKS, "models", lambda part, params, **example: None)
    answer = CliRunner().invoke(main, ["plugins", "--check", "plx_rl"])
    lines = answer.output.splitlines()
    assert answer.exit_code == 0, answer.output
    assert lines[2].split() == ["plx_rl", "plugin", "passed"]
    assert any(line.split() == ["Decay", "exploration", "passed"] for line in lines)
    assert (
        "not tried: memory DemonstrationMemory has parameters that only its author can choose"
        in answer.output
    )
    assert lines[-1].endswith("not tried") and " passed, " in lines[-1]


def test_a_plugin_with_faults(tmp_path, monkeypatch):
    (tmp_path / "heavy_parts.py").write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)
    answer = CliRunner().invoke(main, ["plugins", "--check", "heavy_parts"])
    assert answer.exit_code == 1
    assert "expected: no heavy imports" in answer.output
    assert "keras" in answer.output.partition("it imports")[2].splitlines()[0]
    assert "layer Heavy: read its signature\n  got:      by has no annotation" in answer.output
    assert answer.output.splitlines()[-1] == "2 failed"


def test_there_is_no_such_plugin():
    answer = CliRunner().invoke(main, ["plugins", "--check", "nowhere"])
    assert (answer.exit_code, "there is no plug-in nowhere" in answer.output) == (2, True)
