"""Read the code blocks of a documentation page and run each one as a reader would."""

import re
import shlex
import sys
from pathlib import Path

import yaml
from attrs import define, field, fields, frozen
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.components.schema_cache import Signatures
from plx_core.config.check import check_config
from plx_core.config.load import Permissions
from plx_core.config.sections import ExperimentConfig
from plx_core.experiments.dry_run_cache import check_shapes

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
NAME = re.compile(r"^# ([\w./-]+\.(?:py|yml|toml))\n")
SECTIONS = {attribute.name for attribute in fields(ExperimentConfig)}
TRAINING = ("run", "train")
RUNNABLE = (
    *TRAINING,
    "check",
    "evaluate",
    "predict",
    "export",
    "record",
    "convert",
    "components",
    "plugins",
    "runs",
    "compare",
    "schema",
)
INVENTED = "acme"
"""The name of an invented package; the test of the tutorial creates one."""
FEW_STEPS = {
    "supervised": ("train.train_steps=3", "eval.eval_steps=1"),
    "reinforcement": ("train.train_timesteps=600", "eval.eval_episodes=1"),
}
BASE = ROOT / "examples" / "lenet_digits.yml"
"""What a fragment extends if its page has no experiment yet."""


@frozen
class Block:
    """A code block: first line, language, text without the fence, and the file that it names."""

    line: int
    language: str
    text: str
    name: str | None


def blocks_of(path):
    """Yield the blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        body = (
            "\n".join(line.removeprefix(match["indent"]) for line in match["text"].splitlines())
            + "\n"
        )
        name = NAME.match(body)
        yield Block(
            text.count("\n", 0, match.start()) + 2,
            match["language"],
            body,
            name[1] if name else None,
        )


@define
class Page:
    """Works through the blocks of a page in the current folder.

    A block whose first line is `# name.yml` or `# name.py` is saved as that file. Other YAML is an
    experiment, or a part of one that extends the page's last. Other Python is executed, after the
    Python before it. In shell blocks only `plx` commands run, with a few steps of training; a text
    block after them is their output, where `…` matches anything. A block or line that is wrong on
    purpose contains "wrong" in its file name or text.
    """

    path: Path
    names: dict = field(factory=lambda: {"__name__": "__main__"})
    base: str = str(BASE)
    output: str = ""

    def work_through(self):
        """Run every block; an error gets the line of its block."""
        known = set(sys.modules)
        try:
            for block in blocks_of(self.path):
                try:
                    self._do(block)
                except (Exception, SystemExit) as error:
                    raise AssertionError(
                        f"{self.path.name}:{block.line}: {type(error).__name__}: {error}"
                    ) from error
        finally:
            for name in set(sys.modules) - known:
                if str(getattr(sys.modules[name], "__file__", None) or "").startswith(
                    str(Path.cwd())
                ):
                    del sys.modules[name]

    def _do(self, block):
        if block.name is not None:
            Path(block.name).parent.mkdir(parents=True, exist_ok=True)
            Path(block.name).write_text(block.text, encoding="utf-8")
        if block.language == "yaml":
            self._check(block)
        elif block.language == "python":
            code = compile(block.text, f"{self.path.name}:{block.line}", "exec")
            if block.name is None:
                exec(code, self.names)
        elif block.language == "sh":
            self.output = "".join(self._type(line) for line in block.text.splitlines())
        elif block.language == "text" and self.output:
            self._expect(block.text)
            self.output = ""

    def _check(self, block):
        content = yaml.safe_load(block.text)
        name = block.name or "block.yml"
        if not {"model", "train"} <= set(content) and not {"extends", "model_config"} & set(
            content
        ):
            content = {"extends": self.base} | self._at_its_place(content)
            Path("fragment.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
            name = "fragment.yml"
        else:
            Path(name).write_text(block.text, encoding="utf-8")
        if block.name is None or "wrong" not in block.name:
            check_shapes(check_config(name, allowed=self._allowed()))
        if name != "fragment.yml":
            self.base = str(Path(name).resolve())

    def _allowed(self):
        """Permit the files that the page has saved and loads with `--plugin`."""
        named = re.findall(r"--plugin (\S+\.py)", self.path.read_text(encoding="utf-8"))
        return Permissions(
            plugins=tuple(name for name in dict.fromkeys(named) if Path(name).exists())
        )

    def _at_its_place(self, content):
        """Nest a fragment in an experiment: as sections, or else as parameters of its model."""
        if set(content) <= SECTIONS:
            return content
        model = check_config(self.base, allowed=self._allowed()).config.model
        known = Signatures().parameters(model.entry)["properties"]
        assert set(content) <= set(known), (
            f"this YAML has neither an experiment's keys nor those of {model.name}: {', '.join(content)}"
        )
        return {"model": {model.name: content}}

    def _type(self, line):
        typed, _, target = line.partition(" > ")
        words = shlex.split(typed, comments=True)
        if (
            not words
            or words[0] != "plx"
            or INVENTED in line
            or not (words[1] in RUNNABLE or words[1:3] == ["data", "digits"])
        ):
            return ""
        if words[1] in TRAINING:
            words += [
                word for value in FEW_STEPS[self._learning(words[2])] for word in ("--set", value)
            ]
        result = CliRunner().invoke(main, words[1:])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0 or "wrong" in line, (
            f"{line}: exit code {result.exit_code}: {result.output[-2000:]}"
        )
        if target:
            Path(target).write_text(result.output, encoding="utf-8")
        return result.output

    def _learning(self, file):
        return (
            "reinforcement"
            if check_config(file, allowed=self._allowed()).is_reinforcement
            else "supervised"
        )

    def _expect(self, text):
        printed = [" ".join(line.split()) for line in self.output.splitlines()]
        for line in text.splitlines():
            pattern = ".*".join(re.escape(part) for part in " ".join(line.split()).split("…"))
            assert any(re.fullmatch(pattern, one) for one in printed), (
                f"this line is not printed: {line}\n{self.output}"
            )
