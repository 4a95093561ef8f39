"""The tutorial, followed to the letter in a fresh environment: each block of shell is typed, each file written, each output compared."""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

pytest.importorskip("gymnasium")
TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# ([\w./-]+\.(?:py|yml))\n")
TEN_MINUTES = 600


class Reader:
    """Does what a reader does; only pip is kept from the network, and takes what is installed here for installed."""

    def __init__(self, folder):
        self.folder = folder / "work"
        self.folder.mkdir()
        venv.create(folder / "env", symlinks=os.name != "nt")
        paths = sysconfig.get_paths(
            vars={"base": str(folder / "env"), "platbase": str(folder / "env")}
        )
        (Path(paths["purelib"]) / "outer.pth").write_text(
            f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        )
        self.python = str(Path(paths["scripts"]) / "python")
        self.environ = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PLX_CACHE_DIR": str(folder / "cache"),
            "COLUMNS": "110",
        }

    def type(self, line):
        words = shlex.split(line.removesuffix(" || true"))
        commands = {
            "plx": [self.python, "-m", "plx_core"],
            "pytest": [self.python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore"],
            "pip": [sys.executable, "-m", "pip", "--python", self.python],
        }
        offline = (
            ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
            if words[0] == "pip"
            else []
        )
        answer = subprocess.run(
            [*commands[words[0]], *words[1:], *offline],
            cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert (answer.returncode == 0) is not line.endswith("|| true"), f"{line}\n{answer.stdout}"
        return answer.stdout


def expect(printed, text):
    """Each line is printed, in this order; `…` stands for anything."""
    rest = printed
    for line in text.splitlines():
        pattern = r"[^\n]*".join(
            re.sub(r"(\\ )+", r"\\s+", re.escape(part.strip())) for part in line.split("…")
        )
        match = re.search(pattern, rest)
        assert match, f"not printed: {line}\n{printed}"
        rest = rest[match.end() :]


@pytest.mark.slow
def test_a_reader_succeeds_in_ten_minutes(tmp_path):
    reader, printed, began, done = Reader(tmp_path), "", time.monotonic(), []
    for match in BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8")):
        language, text = match["language"], match["text"]
        done.append(language)
        if language == "sh":
            printed = "".join(reader.type(line) for line in text.splitlines())
        elif language == "text":
            expect(printed, text)
        elif language == "toml":
            assert text in (reader.folder / "plx-acme" / "pyproject.toml").read_text()
        else:
            name = NAME.match(text)
            assert name, f"a block of {language} without a file's name:\n{text}"
            target = reader.folder / name[1]
            assert target.exists() or language == "yaml" or "tests" in name[1]
            target.write_text(text, encoding="utf-8")
    assert time.monotonic() - began < TEN_MINUTES
    assert done.count("sh") >= 7
    assert done.count("yaml") == 2
