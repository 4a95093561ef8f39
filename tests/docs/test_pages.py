"""The examples in the README and the documentation work."""

import re
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, Page, blocks_of

GENERATED = ("_build", "reference", "diagrams")
TESTED_ELSEWHERE = ("tutorial.md",)
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in DOCS.rglob("*.md")
        if path.relative_to(DOCS).parts[0] not in GENERATED and path.name not in TESTED_ELSEWHERE
    ),
]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)(?:#[^)]*)?\)")


@pytest.fixture
def workplace(digits, tmp_path, monkeypatch):
    """A working folder with the digits in data/digits."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digits").symlink_to(digits)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.curves
@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if any(blocks_of(path))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_block_of_a_page_works(workplace, path):
    Page(path).work_through()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_has_a_target(path):
    missing = [
        link
        for link in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / link).exists()
    ]
    assert [
        link
        for link in missing
        if not link.startswith(("reference/", "../reference/", "diagrams/", "../diagrams/"))
    ] == []


def test_a_wrong_block_is_reported_with_its_line(workplace):
    page = Path(workplace, "page.md")
    page.write_text("words\n\n```yaml\nversion: 1\nmodel: {clasifier: {}}\ntrain: {}\n```\n")
    with pytest.raises(
        AssertionError,
        match=r"page\.md:4: ConfigError: block\.yml:2:9 model: there is no model called clasifier",
    ):
        Page(page).work_through()


def test_missing_output_is_reported(workplace):
    page = Path(workplace, "page.md")
    page.write_text(
        "```sh\nplx components schedules Warmup\n```\n\n```text\nschedule Warm…\nno such line\n```\n"
    )
    with pytest.raises(
        AssertionError, match=r"page\.md:6: .*this line is not printed: no such line"
    ):
        Page(page).work_through()
