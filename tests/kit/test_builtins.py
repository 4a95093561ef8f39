"""The parts of plx itself pass the checks that a stranger's have to pass."""

import functools
import re
from pathlib import Path

import pytest

from plx_core.components.component import default_registry
from plx_core.hookspecs import KINDS
from plx_core.testing import plugins

from .builtins_tried import STOCK, UNTRIED

pytest.importorskip("gymnasium")
ROOT = Path(__file__).resolve().parents[2]
SLOW = {"models": "trains several times"}


def own_entries():
    """Every part that is ours; Keras's are known by where they are defined, so that nothing is imported to list them."""
    for kind in KINDS:
        for entry in default_registry().entries(kind):
            if not entry.plugin.name.startswith("plx_"):
                continue
            is_keras = str(entry.target).startswith("keras.") or (
                entry.plugin.name == "plx_layers" and kind == "optimizers"
            )
            if not is_keras or entry.name in STOCK.get(kind, ()):
                marks = [pytest.mark.slow] if kind in SLOW else []
                yield pytest.param(entry, id=f"{kind}/{entry.name}", marks=marks)


@pytest.mark.parametrize("entry", list(own_entries()))
def test_a_part_passes_its_check(entry):
    check = functools.partial(plugins.check_entry, default_registry(), entry, {})
    result = plugins.result_of(entry.kind, entry.name, check)
    if f"{entry.kind}/{entry.name}" in UNTRIED:
        assert result.outcome == "not tried", (
            f"{result.message}\nit can be tried: take it out of UNTRIED"
        )
        return
    if "needs a package that is not installed" in result.message:
        pytest.skip(result.message)
    assert result.outcome == "passed", result.message


def test_the_tests_of_parts_that_are_not_tried_exist():
    named = re.findall(r"tests/[\w/.]+", " ".join(UNTRIED.values()))
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]
