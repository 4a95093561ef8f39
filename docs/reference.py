"""Write the reference pages: components, commands and config keys, and stubs for autodoc.

Sphinx calls `write` at the start of each build. The pages are not committed, so they cannot be
older than the code.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import click
from sphinx.pycode import ModuleAnalyzer

import plx_core
from plx_core import hookspecs
from plx_core.cli.main import main
from plx_core.components.example_lines import yaml_line
from plx_core.components.json_schema import Schema, schema_of
from plx_core.components.schema_cache import Signatures
from plx_core.config.sections import ExperimentConfig
from plx_core.config.validate import describe
from plx_core.hookspecs import KINDS
from plx_core.plugins.discovery import HOOKS, load_plugins
from plx_core.plugins.registry import Entry, Registry

SECTION = re.compile(r"^(?P<title>[A-Z][\w ]+):\n(?P<body>(?:(?: {2,}.*)?\n?)+)", re.MULTILINE)
ARGUMENT = re.compile(
    r"^(?P<name>\*{0,2}\w+)\s*(?:\([^)]*\))?:\s*(?P<text>.*(?:\n(?: {2,}.*|\s*))*)", re.MULTILINE
)
HIDDEN = (
    "name",
    "inbound_nodes",
    "dtype",
    "trainable",
    "autocast",
    "seed_generator",
    "activity_regularizer",
    "input_shape",
    "sparse",
)
"""Parameters that all Keras layers share; the page of layers names them once, at the top."""
INTRODUCTIONS: Mapping[str, str] = {
    "layers": "A graph is a list of layers. Besides its own parameters, every layer takes `name`, "
    "which the `inbound_nodes` of other layers and `output_layers` refer to; `inbound_nodes`, the "
    "layers or features it reads instead of the previous layer; and Keras's `dtype`, `trainable` "
    "and `activity_regularizer`. The shapes are those of an example, without the batch axis.",
    "datasets": "`plx data NAME` prepares a data set; `--set` gives its parameters.",
    "schedules": "A schedule can replace any learning rate, and some parameters in reinforcement "
    "learning.",
    "activations": "Given by name to an `activation` parameter, or to the layer `Activation`.",
}
BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
HELP_WIDTH = 88
SHAPES = ((6, 4), (8,), (8, 8, 3), (4, 8, 8, 3), (64, 64, 32), (4, 4, 8, 8, 3))
TRIALS = [
    *(((shape,), lambda layer, inputs: layer(*inputs)) for shape in SHAPES),
    (((6, 4), (6, 4)), lambda layer, inputs: layer(inputs)),
    (((6, 4), (6, 4)), lambda layer, inputs: layer(*inputs)),
]
"""Input shapes without the batch axis, and how to call the layer: with tensors or with a list."""


def write(target: Path) -> None:
    """Write all pages into a folder, which is created if needed."""
    registry, signatures = Registry(load_plugins()), Signatures()
    pages = {f"components/{kind}.md": kind_page(kind, registry, signatures) for kind in KINDS}
    signatures.save()
    pages |= {
        "index.md": index_page(registry),
        "commands.md": commands_page(registry),
        "config.md": config_page(),
        "hooks.md": hooks_page(),
        "python.md": python_page(),
        "testing.md": testing_page(),
        "annotations.md": annotations_page(),
        "errors.md": module_page("errors"),
        "types.md": module_page("types"),
        "public_names.txt": public_names(),
        "benchmarks.md": benchmarks_page(),
    }
    for name, text in pages.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # An unchanged file keeps its modification time, so that Sphinx does not read it again.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def index_page(registry: Registry) -> str:
    """Return the index: the kinds of component, and links to the other pages."""
    rows = [
        (
            f"[{kind}](components/{kind}.md)",
            str(len(registry.entries(kind))),
            plain(hook_summary(kind)),
        )
        for kind in KINDS
    ]
    others = ("commands", "config", "hooks", "testing", "python", "annotations", "errors", "types")
    tree = "\n".join([*(f"components/{kind}" for kind in KINDS), *others])
    return (
        "# Reference\n\nGenerated from the code when this documentation was built.\n\n"
        "- [Commands](commands.md) of `plx`\n"
        "- [Keys](config.md) of an experiment file\n"
        "- [Hooks](hooks.md) of a plug-in\n"
        "- [Checks](testing.md) for your own parts: `plx_core.testing`\n"
        "- [Python](python.md): the names that `plx_core` exports\n"
        "- [Annotations](annotations.md), [errors](errors.md) and [types](types.md): "
        "the other public modules\n"
        "- [Files](../concepts/run-directory.md) in a run directory\n\n"
        f"## Components\n\n{table(('kind', 'installed', 'description'), rows)}\n"
        f"```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )


def hook_summary(kind: str) -> str:
    """Return the first paragraph of the docstring of a kind's hook."""
    return summary(getattr(hookspecs, f"provide_{kind}"))


def kind_page(kind: str, registry: Registry, signatures: Signatures) -> str:
    """Return the page of a kind, with a section for each component."""
    parts = [f"# {kind.capitalize()}\n\n{hook_summary(kind)}\n"]
    if kind in INTRODUCTIONS:
        parts.append(f"{INTRODUCTIONS[kind]}\n")
    entries = registry.entries(kind)
    if not entries:
        parts.append("No installed plug-in offers any.\n")
    parts += [component_section(entry, registry, signatures) for entry in entries]
    return "\n".join(parts)


def component_section(entry: Entry, registry: Registry, signatures: Signatures) -> str:
    """Return the section of a component: description, an example line, and its parameters."""
    schema = signatures.parameters(entry)
    factory = entry.load()
    origin = f"From `{entry.plugin.name}`."
    if aliases := registry.aliases(entry):
        origin += f" Also called {', '.join(f'`{alias}`' for alias in aliases)}."
    if entry.kind == "datasets":
        line = fenced("sh", f"plx data {entry.name}")
    else:
        line = fenced("yaml", yaml_line(entry.name, schema))
    parts = [f"## {plain(entry.name)}", description(factory), origin, line]
    if entry.kind == "layers" and (shapes := layer_shapes(entry, schema)):
        parts.append(shapes)
    if rows := list(parameter_rows(entry, registry, schema, argument_texts(factory))):
        parts.append(table(("parameter", "default", "type", "description"), rows))
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def parameter_rows(
    entry: Entry, registry: Registry, schema: Schema, texts: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    """Yield a table row for each parameter of a component."""
    properties = {
        name: child
        for name, child in schema["properties"].items()
        if entry.kind != "layers" or name not in HIDDEN
    }
    older = {
        new: old
        for old, new in registry.older_parameters(entry).items()
        if new in properties and old not in properties
    }
    for name, child in properties.items():
        written = f"`{name}`" + (f" or `{older[name]}`" if name in older else "")
        default = "" if child.get("default") is None else f"`{child['default']}`"
        if name in schema["required"]:
            default = "**required**"
        yield written, default, plain(describe(child)), texts.get(name, "")


def layer_shapes(entry: Entry, schema: Schema) -> str:
    """Return a sentence on a layer's output shape for an example input.

    Empty if the layer's example line cannot be built or called on any of `TRIALS`.
    """
    import keras
    import yaml

    from plx_core.components.component import make

    for shapes, call in TRIALS:
        try:
            (written,) = yaml.safe_load(yaml_line(entry.name, schema))
            outputs = call(make("layers", written), [keras.Input(shape) for shape in shapes])
        except Exception:  # a layer may raise anything on a shape it does not support; try the next
            continue
        if isinstance(outputs, keras.KerasTensor):
            inputs = " and ".join(shape_text(shape) for shape in shapes)
            output = shape_text(outputs.shape[1:])
            if len(shapes) == 1:
                return f"An input of shape {inputs} gives {output}."
            return f"Inputs of shapes {inputs} give {output}."
    return ""


def shape_text(shape: Sequence[int | None]) -> str:
    """Return a shape as code, with `…` for an axis of any length."""
    return f"`[{', '.join('…' if size is None else str(size) for size in shape)}]`"


def description(factory: object) -> str:
    """Return up to four paragraphs of a docstring, without its sections and examples."""
    text = inspect.getdoc(factory) or ""
    head = text[: match.start()] if (match := SECTION.search(text)) else text
    paragraphs = [
        part
        for part in head.split("\n\n")
        if part.strip() and not re.search(r"^(\s*>>>|```|\.\. |Example)", part, re.MULTILINE)
    ]
    return "\n\n".join(plain(part) for part in paragraphs[:4])


def argument_texts(factory: object) -> dict[str, str]:
    """Return parameter descriptions from the docstrings of a factory and its base classes."""
    texts: dict[str, str] = {}
    for owner in inspect.getmro(factory) if inspect.isclass(factory) else (factory,):
        for document in (owner.__doc__, getattr(owner, "__init__", owner).__doc__):
            for name, text in arguments_of(document):
                texts.setdefault(name, text)
    return texts


def arguments_of(document: str | None) -> Iterator[tuple[str, str]]:
    """Yield the names and descriptions in a docstring's `Args:` section."""
    for section in SECTION.finditer(inspect.cleandoc(document or "")):
        if section["title"] in ("Args", "Arguments"):
            for argument in ARGUMENT.finditer(textwrap.dedent(section["body"])):
                yield argument["name"].lstrip("*"), plain(argument["text"])


def commands_page(registry: Registry) -> str:
    """Return the help of every command, as `--help` prints it."""
    parts = [
        "# Commands\n\nExit codes: 0, success; 1, the run failed; 2, the command or the config is "
        "wrong; 130 or 143, stopped by a signal after saving a checkpoint.\n"
    ]
    for path, command in commands(main, "plx"):
        parts.append(f"## {path}\n\n{fenced('text', help_of(command, path))}\n")
    for entry in [*registry.commands(), *registry.commands("data")]:
        path = f"plx {entry.name}"
        text = fenced("text", help_of(entry.load(), path))
        parts.append(f"## {path}\n\nFrom `{entry.plugin.name}`.\n\n{text}\n")
    return "\n".join(parts)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a group and all commands below it, each with the words that call it."""
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def help_of(command: click.Command, path: str) -> str:
    """Return what `--help` prints."""
    width = {"terminal_width": HELP_WIDTH, "max_content_width": HELP_WIDTH}
    return command.get_help(click.Context(command, info_name=path, **width))


def config_page() -> str:
    """Return tables of all keys of an experiment file."""
    head = (
        "# Keys of an experiment file\n\nA file may also set `extends: base.yml`, or a list of "
        "files, and then overrides keys of these.\n"
    )
    return "\n".join([head, *config_sections(ExperimentConfig, "")])


def config_sections(cls: type, path: str) -> Iterator[str]:
    """Yield the table of a section, then those of the sections nested in it."""
    hints = inspect.get_annotations(cls, eval_str=True)
    rows, below = [], []
    for attribute in attrs.fields(cls):
        annotation = hints[attribute.name]
        choices = (annotation, *getattr(annotation, "__args__", ()))
        nested = next((choice for choice in choices if attrs.has(choice)), None)
        if nested is not None:
            below.append((nested, f"{path}.{attribute.name}".lstrip(".")))
        takes = "a section, below" if nested is not None else describe(schema_of(annotation))
        alias = attribute.metadata.get("alias")
        rows.append(
            (
                f"`{attribute.name}`" + (f" or `{alias}`" if alias else ""),
                default_text(attribute),
                plain(takes),
                plain(attribute.metadata.get("help", "")),
            )
        )
    title = f"## {path}\n\n" if path else ""
    header = ("key", "default", "type", "description")
    yield f"{title}{plain(inspect.getdoc(cls) or '')}\n\n{table(header, rows)}"
    for child, child_path in below:
        yield from config_sections(child, child_path)


def default_text(attribute: attrs.Attribute[Any]) -> str:
    """Return a key's default if it is a plain value."""
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return "**required**"
    if isinstance(default, type(attrs.Factory(list))) or default in (None, ""):
        return ""
    return f"`{default}`"


def hooks_page() -> str:
    """Return the documentation of every hook of a plug-in."""
    head = (
        "# Hooks\n\nAn entry point in the group `plx` names a plug-in module. Each of its "
        "functions marked with `plx_core.hookimpl` implements one of these hooks. A module may "
        f"set `PLX_API_VERSION = {hookspecs.API_VERSION}`, the version of the hooks it was written "
        "for.\n"
    )
    kinds = [f"provide_{kind}" for kind in KINDS]
    groups = {"Components": kinds, "Others": [name for name in HOOKS if name not in kinds]}
    parts = [head]
    for title, names in groups.items():
        parts.append(f"## {title}\n")
        parts += [
            f"### {name}\n\n{directive('autofunction', f'plx_core.hookspecs.{name}')}"
            for name in names
        ]
    return "\n".join(parts)


def python_page() -> str:
    """Return the documentation of every name that `plx_core` exports."""
    head = (
        "# Python\n\nThe names that `plx_core` exports. Besides them, each kind is a namespace of "
        "its components, such as `plx_core.layers.Dense` and `plx_core.memories.Memory`; "
        "`plx_core.envs` is short for `plx_core.environments`; and a config object, such as "
        "`plx_core.configs.SGDConfig(learning_rate=0.01)`, names a component and its parameters. "
        "[The public API](../concepts/public-api.md) lists the names by purpose.\n"
    )
    return "\n".join([head, *(public_section(name) for name in plx_core.__all__)])


def public_section(name: str) -> str:
    """Return the section of a public name of `plx_core`, which autodoc fills in."""
    value = getattr(plx_core, name)
    if inspect.isclass(value):
        inherited = "inherited-members: object, str"
        stub = directive("autoclass", f"plx_core.{name}", "members:", inherited)
    elif inspect.isroutine(value):
        stub = directive("autofunction", f"plx_core.{name}")
    else:
        stub = directive("autodata", f"{module_of(name)}.{name}", "no-index:", *no_value(value))
    return f"## {plain(name)}\n\n{stub}"


def public_names() -> str:
    """Return tables of the names that `plx_core` exports, grouped by sub-package."""
    groups: dict[str, list[str]] = {}
    for name in plx_core.__all__:
        groups.setdefault(module_of(name).split(".")[1], []).append(name)
    parts = []
    for package, names in sorted(groups.items()):
        title = summary(importlib.import_module(f"plx_core.{package}")).rstrip(".")
        rows = [
            (f"[`{name}`](../reference/python.md#{name.lower()})", about(name)) for name in names
        ]
        parts.append(f"**{plain(title)}**\n\n{table(('name', 'description'), rows)}")
    return "\n".join(parts)


def module_of(name: str) -> str:
    """Return the module that defines a public name of `plx_core`."""
    return plx_core._LAZY.get(name, "plx_core.hookspecs")


def about(name: str) -> str:
    """Return the first sentence on a public name of `plx_core`, from its docstring."""
    value = getattr(plx_core, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        return plain(summary(value))
    return plain(" ".join(attribute_docs(module_of(name)).get(("", name), ())))


def module_page(name: str) -> str:
    """Return the page of a public module, which autodoc fills in."""
    return f"# plx_core.{name}\n\n{directive('automodule', f'plx_core.{name}', 'members:')}"


def annotations_page() -> str:
    """Return the page of `plx_core.annotations`, with a table of its aliases."""
    rows = [
        (f"`{name}`", plain(describe(schema_of(value))))
        for name, value in vars(importlib.import_module("plx_core.annotations")).items()
        if typing.get_origin(value) is not None and schema_of(value) not in ({}, {"x-python": True})
    ]
    return f"{module_page('annotations')}\n## Aliases\n\n{table(('name', 'a config gives'), rows)}"


def testing_page() -> str:
    """Return the documentation of the checks for your own parts."""
    module = importlib.import_module("plx_core.testing")
    parts = [f"# plx_core.testing\n\n{directive('automodule', 'plx_core.testing')}"]
    for name in module.__all__:
        value = getattr(module, name)
        kind = "autoclass" if inspect.isclass(value) else "autofunction"
        if callable(value):
            stub = directive(kind, f"plx_core.testing.{name}")
        else:
            stub = directive("autodata", f"{data_module(module, name)}.{name}", "no-value:")
        parts.append(f"## {plain(name)}\n\n{stub}")
    return "\n".join(parts)


def data_module(package: ModuleType, name: str) -> str:
    """Return the module of a package that defines a constant with a docstring."""
    modules = pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    return next(module.name for module in modules if ("", name) in attribute_docs(module.name))


def attribute_docs(module: str) -> Mapping[tuple[str, str], list[str]]:
    """Return the docstrings of a module's constants, which Python itself does not keep."""
    return ModuleAnalyzer.for_module(module).find_attr_docs()


def benchmarks_page() -> str:
    """Return what the benchmarks measure, and their latest results."""
    head = (
        "# Benchmarks\n\n`make bench` compares plx with other libraries. Each side runs in its own "
        "process, and the sides take turns. `make bench-quick` does the same with less work. The "
        "other libraries are installed in a separate environment.\n"
    )
    rows = []
    for path in sorted(BENCHMARKS.glob("*.py")):
        if path.name not in ("run.py", "sides.py"):
            document = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            rows.append((f"`{path.name}`", plain(document.partition("\n\n")[0])))
    parts = [head, table(("file", "measures"), rows)]
    results = BENCHMARKS / "RESULTS.md"
    if results.exists():
        text = results.read_text(encoding="utf-8")
        text = text.replace("](results.png)", "](../../benchmarks/results.png)")
        parts.append(re.sub(r"^#", "##", text, flags=re.MULTILINE))
    return "\n".join(parts)


def summary(value: object) -> str:
    """Return the first paragraph of a docstring."""
    return (inspect.getdoc(value) or "").partition("\n\n")[0]


def no_value(value: object) -> tuple[str, ...]:
    """Return the option that hides a value, unless it is a plain one."""
    return () if isinstance(value, (str, tuple)) else ("no-value:",)


def directive(name: str, argument: str, *options: str) -> str:
    """Return a directive of reStructuredText for autodoc."""
    lines = [f".. {name}:: {argument}", *(f"   :{option}" for option in options)]
    return fenced("{eval-rst}", "\n".join(lines)) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[cell.replace("\n", " ").replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def fenced(language: str, text: str) -> str:
    """Return a code block."""
    return f"```{language}\n{text.rstrip()}\n```"


def plain(text: str) -> str:
    """Return one paragraph in Markdown: code in backticks stays, other markup is escaped."""
    pieces = re.split(r"(`+[^`]+`+)", " ".join(text.split()))
    escaped = (re.sub(r"([\\*<>\[\]#$~^{}]|\b_|_\b)", r"\\\1", piece) for piece in pieces[::2])
    code = (f"`{piece.strip('`')}`" for piece in pieces[1::2])
    return "".join(
        itertools.chain.from_iterable(itertools.zip_longest(escaped, code, fillvalue=""))
    )
