"""What the README and the documentation show works as it stands."""

import re
from pathlib import Path

import pytest

from plx_core.checking import check
from plx_core.shapes import check_shapes

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language, marker):
    return [
        pytest.param(text, id=f"{path.relative_to(ROOT)}-{number}")
        for path in PAGES
        for number, (kind, text) in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")))
        if kind == language and marker in text
    ]


@pytest.fixture
def workplace(digits, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digits").symlink_to(digits)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("text", blocks("yaml", "model:"))
def test_a_yaml_block_is_a_correct_experiment(workplace, text):
    Path("block.yml").write_text(text)
    check_shapes(check("block.yml"))


@pytest.mark.parametrize("text", blocks("python", "train"))
def test_a_python_block_runs(workplace, text):
    exec(compile(text, "block.py", "exec"), {"__name__": "__main__"})
    assert list(Path("runs").glob("*/metrics.jsonl"))
