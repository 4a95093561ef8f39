"""The reference documents every component, hook, command, key and public name."""

import importlib.util
import inspect
import json
import operator
import pydoc
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs
import click
import numpy as np
import pytest
from click.testing import CliRunner
from tests.docs.pages import ROOT

import plx_core
from plx_core import hookspecs
from plx_core.cli.main import main
from plx_core.components.schema_cache import Signatures
from plx_core.config.sections import ExperimentConfig
from plx_core.hookspecs import KINDS
from plx_core.plugins.discovery import HOOKS, load_plugins
from plx_core.plugins.registry import Registry

OURS = ("plx_core", "plx_layers", "plx_rl", "plx_pipelines")


def load(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    return load("reference")


@pytest.fixture(scope="module")
def pages(reference, tmp_path_factory):
    """The generated pages, without the output shapes of layers, which are slow and tested separately."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "layer_shapes", lambda entry, schema: "")
        reference.write(folder)
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.*")
    }


def unexplained(reference, registry):
    """Yield components without a summary, and our components' parameters without a description."""
    signatures = Signatures()
    for kind in KINDS:
        for entry in registry.entries(kind):
            schema, factory = signatures.parameters(entry), entry.load()
            if not schema.get("description", "").strip():
                yield f"{kind} {entry.name}"
            if inspect.unwrap(factory).__module__.partition(".")[0] in (*OURS, "parts"):
                documented = reference.argument_texts(factory)
                hidden = reference.HIDDEN if kind == "layers" else ()
                yield from (
                    f"{kind} {entry.name}.{name}"
                    for name in schema["properties"]
                    if name not in documented and name not in hidden
                )


def test_every_component_and_every_parameter_of_ours_is_documented(reference):
    assert list(unexplained(reference, Registry(load_plugins()))) == []


def test_a_component_without_a_docstring_is_reported(reference, tmp_path):
    (tmp_path / "parts.py").write_text(
        "import keras\nfrom plx_core import hookimpl\n"
        "def mute(by: float = 1.0):\n    return keras.layers.Rescaling(by)\n"
        "def half(by: float = 1.0):\n    '''Scales.'''\n    return keras.layers.Rescaling(by)\n"
        "@hookimpl\ndef provide_layers():\n    return {'Mute': mute, 'Half': half}\n"
    )
    registry = Registry(load_plugins([str(tmp_path / "parts.py")], entry_points=False))
    undocumented = list(unexplained(reference, registry))
    assert undocumented == ["layers Half.by", "layers Mute", "layers Mute.by"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_a_kind_has_each_of_its_components(pages, kind):
    registry, signatures = Registry(load_plugins()), Signatures()
    sections = re.split(r"^## ", pages[f"components/{kind}.md"], flags=re.MULTILINE)[1:]
    entries = registry.entries(kind)
    assert len(sections) == len(entries)
    for entry, section in zip(entries, sections, strict=True):
        assert section.splitlines()[0].replace("\\", "") == entry.name
        assert (f"plx data {entry.name}" if kind == "datasets" else f"- {entry.name}") in section
        for name in signatures.parameters(entry)["properties"]:
            assert f"`{name}`" in section or kind == "layers"


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_docstring_and_a_section(pages, name):
    assert inspect.getdoc(getattr(hookspecs, name))
    assert f"### {name}\n\n" in pages["hooks.md"]
    assert f".. autofunction:: plx_core.hookspecs.{name}\n" in pages["hooks.md"]


def every_command(group, path):
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")


def test_every_command_and_every_option_is_documented(pages):
    registry = Registry(load_plugins())
    added = [
        (f"plx {entry.name}", entry.load())
        for entry in [*registry.commands(), *registry.commands("data")]
    ]
    for path, command in [*every_command(main, "plx"), *added]:
        assert f"## {path}\n" in pages["commands.md"]
        assert command.help, f"{path} has no help"
        assert [
            option.name
            for option in command.params
            if isinstance(option, click.Option) and not option.help
        ] == []


def test_every_key_of_a_file_is_documented(pages):
    def keys(cls):
        hints = inspect.get_annotations(cls, eval_str=True)
        for attribute in attrs.fields(cls):
            assert attribute.metadata.get("help"), (
                f"{cls.__name__}.{attribute.name} is not documented"
            )
            yield attribute.name
            for choice in (hints[attribute.name], *getattr(hints[attribute.name], "__args__", ())):
                if attrs.has(choice):
                    yield from keys(choice)

    for name in keys(ExperimentConfig):
        assert f"| `{name}`" in pages["config.md"]


@pytest.mark.parametrize("name", plx_core.__all__)
def test_every_public_name_has_a_section_and_a_summary(pages, name):
    assert f"## {name}\n" in pages["python.md"]
    row = rf"^\| \[`{name}`\]\(\.\./reference/python\.md#{name.lower()}\) \| \S.* \|$"
    assert re.search(row, pages["public_names.txt"], re.MULTILINE), f"{name} has no docstring"


def test_every_check_has_a_section(pages):
    for name in importlib.import_module("plx_core.testing").__all__:
        assert f"## {name}\n" in pages["testing.md"]


@pytest.mark.parametrize(
    ("page", "row"),
    [
        ("CONTRIBUTING.md", r"^([a-z]+(?:(?: \| |, )[a-z]+)*)(?: {2}.*)?$"),
        ("docs/design.md", r"^\| (`.*?`) \|"),
    ],
)
def test_the_map_lists_the_sub_packages_in_the_order_of_the_contract(page, row):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"] == "The sub-packages of plx_core"
    )
    rows = re.findall(row, (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert [re.findall(r"\w+", row) for row in rows] == [layer.split(" | ") for layer in layers]


def test_the_output_shape_of_a_layer(reference):
    registry, signatures = Registry(load_plugins()), Signatures()
    sentences = {
        "Dense": "An input of shape `[6, 4]` gives `[6, 8]`.",
        "Conv2D": "An input of shape `[8, 8, 3]` gives `[6, 6, 8]`.",
        "Flatten": "An input of shape `[6, 4]` gives `[24]`.",
        "Concatenate": "Inputs of shapes `[6, 4]` and `[6, 4]` give `[6, 8]`.",
        "LSTMCell": "",
    }
    for name, text in sentences.items():
        entry = registry.find("layers", name)
        assert reference.layer_shapes(entry, signatures.parameters(entry)) == text


def test_markdown_in_a_plain_paragraph_is_escaped(reference):
    assert reference.plain("a_b [c]: `x_[1]` < 2 * _3") == r"a_b \[c\]: `x_[1]` \< 2 \* \_3"


def test_every_arrow_joins_boxes_of_its_diagram(tmp_path):
    diagrams = load("diagrams")
    diagrams.write(tmp_path)
    for name, (boxes, arrows) in diagrams.DIAGRAMS.items():
        assert {end for arrow in arrows for end in (arrow.start, arrow.end)} == set(boxes)
        drawing = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert drawing.count("<rect") == len(boxes) + 1


def test_the_page_of_the_run_directory_names_every_file_of_a_run(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sets = (f"{split}.data_pipeline.TFRecordImagePipeline.{key}={digits}/{name}" for split in ("train", "eval") for key, name in (
        ("data_files", f"digits_{split}.tfrecord"), ("meta_data_file", "meta_data.json")
    ))  # fmt: skip
    layers = json.dumps([{"Cast": {"dtype": "float32"}}, "Flatten", {"Dense": {"units": 10}}])
    sets = [
        *sets,
        f"model.classifier.graph.layers={layers}",
        "train.train_steps=2",
        "eval.eval_steps=1",
    ]
    sets.append("eval.export_strategies=[FinalExporter]")
    options = [option for value in sets for option in ("--set", value)]
    result = CliRunner().invoke(
        main, ["run", str(ROOT / "examples" / "lenet_digits.yml"), "--output-dir", "run", *options]
    )
    assert result.exit_code == 0, result.output
    page = (ROOT / "docs" / "concepts" / "run-directory.md").read_text(encoding="utf-8")
    checkpoint = max(Path("run/checkpoints").iterdir())
    files = {
        path.name
        for path in [*Path("run").iterdir(), *checkpoint.iterdir()]
        if not path.name.startswith(".")
    }
    assert len(files) >= 9
    assert [name for name in files if f"`{name}" not in page] == []
    assert np.isfinite(
        json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])["metrics"]["loss"]
    )


@pytest.mark.parametrize("name", ["annotations.PositiveInt", "experiments.Experiment"])
def test_a_module_is_an_attribute_of_plx_core_without_being_imported(name):
    subprocess.run([sys.executable, "-c", f"import plx_core as plx; plx.{name}"], check=True)


def test_plx_core_reads_well_in_pydoc():
    text = pydoc.render_doc(plx_core, renderer=pydoc.plaintext)
    assert "class Estimator" in text
    assert "Args:" in text
    names = re.findall(r"`plx\.([\w.]+)`", plx_core.__doc__)
    assert len(names) > 20
    for name in names:
        assert operator.attrgetter(name)(plx_core) is not None


def test_every_public_name_and_its_methods_have_docstrings():
    for name in plx_core.__all__:
        value = getattr(plx_core, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert value.__doc__ and value.__doc__[0] != " ", f"{name} has no docstring"
            own = (
                [
                    member
                    for key, member in vars(value).items()
                    if not key.startswith("_") and callable(member)
                ]
                if inspect.isclass(value)
                else []
            )
            assert [member.__name__ for member in own if not inspect.getdoc(member)] == []
