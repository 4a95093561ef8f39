"""Writes the reference from the code: every component, hook and command, the config's keys, and the public names of Python.

Sphinx calls `write` at the beginning of each build. What is written is not committed: it is never older than the code.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import click

import plx_core
from plx_core import hookspecs
from plx_core.cli.main import main
from plx_core.components.example_lines import yaml_line
from plx_core.components.json_schema import Schema, schema_of
from plx_core.components.schema_cache import Signatures
from plx_core.config.sections import ExperimentConfig
from plx_core.config.validate import describe
from plx_core.hookspecs import KINDS
from plx_core.plugins.discovery import load_plugins
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
"""Parameters of all of Keras's layers, said once at the top of the page."""
INTRODUCTIONS: Mapping[str, str] = {
    "layers": "What a graph is made of. Every layer also takes `name`, by which `inbound_nodes` of others and `output_layers` refer to it, "
    "`inbound_nodes`, the layers or features that it reads instead of the layer before it, and Keras's `dtype`, `trainable` and "
    "`activity_regularizer`. Shapes are shown for an example, without the batch.",
    "datasets": "Each is prepared by `plx data NAME`; parameters are given with `--set`.",
    "schedules": "A schedule can stand wherever a learning rate can, and in some parameters of reinforcement learning.",
    "activations": "Given by name to an `activation` parameter, or as the layer `Activation`.",
}
BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
WIDTH = 88
"""Of a line of code; longer ones have to be scrolled."""
SHAPES = ((6, 4), (8,), (8, 8, 3), (4, 8, 8, 3), (64, 64, 32), (4, 4, 8, 8, 3))
TRIED = [
    *(((shape,), lambda layer, inputs: layer(*inputs)) for shape in SHAPES),
    *(
        (((6, 4), (6, 4)), call)
        for call in (lambda layer, inputs: layer(inputs), lambda layer, inputs: layer(*inputs))
    ),
]
"""Shapes on which a layer is tried, without the batch, and how it is called: with inputs, or with a list of them."""


def write(target: Path) -> None:
    """Write all pages into a folder, which need not exist."""
    registry, signatures = Registry(load_plugins()), Signatures()
    pages = {f"components/{kind}.md": kind_page(kind, registry, signatures) for kind in KINDS}
    signatures.save()
    pages |= {
        "hooks.md": hooks_page(),
        "commands.md": commands_page(registry),
        "config.md": config_page(),
    }
    pages |= {
        "python.md": python_page(),
        "testing.md": testing_page(),
        "index.md": index_page(registry),
    }
    pages["benchmarks.md"] = benchmarks_page()
    for name, text in pages.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if (
            not path.exists() or path.read_text(encoding="utf-8") != text
        ):  # Sphinx reads again what is newer
            path.write_text(text, encoding="utf-8")


def index_page(registry: Registry) -> str:
    """The kinds, and the other pages."""
    rows = [
        (
            f"[{kind}](components/{kind}.md)",
            str(len(registry.entries(kind))),
            plain(hook_summary(kind)),
        )
        for kind in KINDS
    ]
    others = ("commands", "config", "hooks", "testing", "python")
    tree = "\n".join([*(f"components/{kind}" for kind in KINDS), *others])
    return (
        "# Reference\n\nWritten from the code when this documentation was built.\n\n"
        "- [Commands](commands.md) of `plx`\n- [Keys](config.md) of an experiment file\n- [Hooks](hooks.md) of a plug-in\n"
        "- [Checks](testing.md) for parts of your own\n- [Python](python.md): the names of `plx_core`\n"
        "- [Files](../concepts/run-directory.md) of a run directory\n\n## Components\n\n"
        f"{table(('kind', 'how many', 'what they are'), rows)}\n"
        f"```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )


def hook_summary(kind: str) -> str:
    """The first sentence on the hook of a kind."""
    return (inspect.getdoc(getattr(hookspecs, f"provide_{kind}")) or "").partition("\n\n")[0]


def kind_page(kind: str, registry: Registry, signatures: Signatures) -> str:
    """Every component of a kind."""
    parts = [f"# {kind.capitalize()}\n\n{hook_summary(kind)}\n"]
    if kind in INTRODUCTIONS:
        parts.append(f"{INTRODUCTIONS[kind]}\n")
    entries = registry.entries(kind)
    if not entries:
        parts.append("No installed plug-in offers any.\n")
    return "\n".join(
        [*parts, *(component_section(entry, registry, signatures) for entry in entries)]
    )


def component_section(entry: Entry, registry: Registry, signatures: Signatures) -> str:
    """One component: what it is, a line that works, its parameters."""
    schema = signatures.parameters(entry)
    factory = entry.load()
    aliases = registry.aliases(entry)
    origin = f"Of `{entry.plugin.name}`." + (
        f" Also called {', '.join(f'`{alias}`' for alias in aliases)}." if aliases else ""
    )
    line = (
        ("sh", f"plx data {entry.name}")
        if entry.kind == "datasets"
        else ("yaml", yaml_line(entry.name, schema))
    )
    parts = [f"## {plain(entry.name)}", description(factory), origin, fenced(*line)]
    if entry.kind == "layers" and (shapes := layer_shapes(entry, schema)):
        parts.append(shapes)
    shown = {
        name: child
        for name, child in schema["properties"].items()
        if entry.kind != "layers" or name not in HIDDEN
    }
    if shown:
        meanings = argument_texts(factory)
        older = {
            today: name
            for name, today in registry.older_parameters(entry).items()
            if today in shown and name not in shown
        }
        rows = [
            parameter_row(name, child, schema, meanings, older.get(name))
            for name, child in shown.items()
        ]
        parts.append(table(("parameter", "default", "takes", "meaning"), rows))
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def parameter_row(
    name: str, child: Schema, schema: Schema, meanings: Mapping[str, str], older: str | None
) -> tuple[str, ...]:
    """A parameter's row."""
    default = (
        "**required**"
        if name in schema["required"]
        else ""
        if child.get("default") is None
        else f"`{child['default']}`"
    )
    written = f"`{name}`" + (f" or `{older}`" if older else "")
    return written, default, plain(describe(child)), meanings.get(name, "")


def layer_shapes(entry: Entry, schema: Schema) -> str:
    """What a layer makes of an example's shape, or of two; nothing where its line cannot be tried on them."""
    import keras
    import yaml

    from plx_core.components.component import make

    for shapes, call in TRIED:
        try:
            (written,) = yaml.safe_load(yaml_line(entry.name, schema))
            outputs = call(make("layers", written), [keras.Input(shape) for shape in shapes])
            if isinstance(outputs, keras.KerasTensor):
                given = " and ".join(shape_text(shape) for shape in shapes)
                subject, verb = (
                    ("An input of shape", "gives")
                    if len(shapes) == 1
                    else ("Inputs of shapes", "give")
                )
                return f"{subject} {given} {verb} {shape_text(outputs.shape[1:])}."
        except Exception:  # whatever a layer has against a shape, the next may suit it
            continue
    return ""


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape, an axis of any length as `…`."""
    return f"`[{', '.join('…' if size is None else str(size) for size in shape)}]`"


def description(factory: Any) -> str:
    """A docstring's paragraphs above its first section."""
    text = inspect.getdoc(factory) or ""
    head = text[: match.start()] if (match := SECTION.search(text)) else text
    paragraphs = [
        part
        for part in head.split("\n\n")
        if part.strip() and not re.search(r"^(\s*>>>|```|\.\. |Example)", part, re.MULTILINE)
    ]
    return "\n\n".join(plain(part) for part in paragraphs[:4])


def argument_texts(factory: Any) -> dict[str, str]:
    """What the docstrings of a factory, and of the classes it is made of, say of each parameter."""
    texts: dict[str, str] = {}
    for owner in inspect.getmro(factory) if inspect.isclass(factory) else (factory,):
        for document in (
            owner.__doc__,
            getattr(owner, "__init__", None) and owner.__init__.__doc__,
        ):
            for name, text in arguments_of(document):
                texts.setdefault(name, text)
    return texts


def arguments_of(document: str | None) -> Iterator[tuple[str, str]]:
    """The names and texts of an `Args:` section."""
    for section in SECTION.finditer(inspect.cleandoc(document or "")):
        if section["title"] in ("Args", "Arguments"):
            for argument in ARGUMENT.finditer(textwrap.dedent(section["body"])):
                yield argument["name"].lstrip("*"), plain(argument["text"])


def hooks_page() -> str:
    """Every hook of a plug-in."""
    head = (
        "# Hooks\n\nA plug-in is a module that an entry point in the group `plx` names. Each function in it that "
        "`plx_core.hookimpl` marks is one of these hooks: those of the first two groups return a mapping. A module may say "
        f"`PLX_API_VERSION = {hookspecs.API_VERSION}`, the version of the hooks that it was written for.\n"
    )
    groups = {
        "Parts": [f"provide_{kind}" for kind in KINDS],
        "What else a plug-in offers": hookspecs.FURTHER,
        "What a plug-in is told of a run": hookspecs.EVENTS,
    }
    parts = [head]
    for title, names in groups.items():
        parts += [
            f"## {title}\n",
            *(f"### {name}\n\n{hook_text(getattr(hookspecs, name))}" for name in names),
        ]
    return "\n".join(parts)


def hook_text(hook: Any) -> str:
    """How a hook is called, where it is given something, and what its docstring says."""
    called = (
        f"{fenced('text', signature_text(hook.__name__, hook))}\n\n"
        if inspect.signature(hook).parameters
        else ""
    )
    return f"{called}{prose(inspect.getdoc(hook) or '')}"


def signature_text(name: str, factory: Any) -> str:
    """How something is called: in a line, or with a line for each parameter where that is too long."""
    parts, last = [], None
    for parameter in inspect.signature(factory).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and last not in (
            parameter.KEYWORD_ONLY,
            parameter.VAR_POSITIONAL,
        ):
            parts.append("*")
        last = parameter.kind
        hint = parameter.annotation
        written = (
            ""
            if hint is parameter.empty
            else hint
            if isinstance(hint, str)
            else inspect.formatannotation(hint)
        )
        text = str(parameter.replace(annotation=parameter.empty, default=parameter.empty)) + (
            f": {written}" if written else ""
        )
        if parameter.default is not parameter.empty:
            default = (
                "…"
                if " at 0x" in repr(parameter.default) or parameter.default is attrs.NOTHING
                else repr(parameter.default)
            )
            text += f" = {default}" if written else f"={default}"
        parts.append(text)
    line = f"{name}({', '.join(parts)})"
    return (
        line
        if len(line) <= WIDTH
        else "\n".join([f"{name}(", *(f"    {part}," for part in parts), ")"])
    )


def commands_page(registry: Registry) -> str:
    """Every command's help, as it is printed."""
    parts = [
        "# Commands\n\nExit codes: 0 done; 1 the run failed; 2 the command or config is wrong; 130 or 143 stopped by a signal, after a "
        "checkpoint.\n"
    ]
    parts += [
        f"## {path}\n\n{fenced('text', help_of(command, path))}\n"
        for path, command in commands(main, "plx")
    ]
    for entry in [*registry.commands(), *registry.commands("data")]:
        command: Any = entry.load()
        parts.append(
            f"## plx {entry.name}\n\nOf `{entry.plugin.name}`.\n\n{fenced('text', help_of(command, f'plx {entry.name}'))}\n"
        )
    return "\n".join(parts)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """The commands of a group and of the groups in it, with the words that call them."""
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def help_of(command: click.Command, path: str) -> str:
    """What `--help` prints."""
    context = click.Context(command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH)
    return command.get_help(context)


def config_page() -> str:
    """Every key of an experiment file."""
    head = "# Keys of an experiment file\n\nA file may also say `extends: base.yml`, or a list of files, and is then laid on them.\n"
    return "\n".join([head, *config_sections(ExperimentConfig, "")])


def config_sections(cls: type, path: str) -> Iterator[str]:
    """A section's table, and those of the sections in it."""
    hints = inspect.get_annotations(cls, eval_str=True)
    rows, below = [], []
    for attribute in attrs.fields(cls):
        annotation = hints[attribute.name]
        nested = next(
            (
                kind
                for kind in (annotation, *getattr(annotation, "__args__", ()))
                if attrs.has(kind)
            ),
            None,
        )
        if nested is not None:
            below.append((nested, f"{path}.{attribute.name}".lstrip(".")))
        alias = attribute.metadata.get("alias")
        written = f"`{attribute.name}`" + (f" or `{alias}`" if alias else "")
        takes = "a section, below" if nested is not None else describe(schema_of(annotation))
        rows.append(
            (
                written,
                default_text(attribute),
                plain(takes),
                plain(attribute.metadata.get("help", "")),
            )
        )
    title = f"## {path}\n\n" if path else ""
    yield f"{title}{plain(inspect.getdoc(cls) or '')}\n\n{table(('key', 'default', 'takes', 'meaning'), rows)}"
    for nested, where in below:
        yield from config_sections(nested, where)


def default_text(attribute: Any) -> str:
    """A key's default, where it is a plain value."""
    if attribute.default is attrs.NOTHING:
        return "**required**"
    return (
        ""
        if isinstance(attribute.default, attrs.Factory) or attribute.default in (None, "")
        else f"`{attribute.default}`"
    )  # type: ignore[arg-type]


def python_page() -> str:
    """Every public name of `plx_core`."""
    head = (
        "# Python\n\nThe names of `plx_core`. Besides them, each kind is a namespace of its components: `plx_core.layers.Dense`, "
        "`plx_core.memories.Memory`; `plx_core.envs` is `plx_core.environments`, and `plx_core.config.sections.SGDConfig(learning_rate=0.01)` "
        "names a component with its parameters.\n"
    )
    return "\n".join(
        [head, *(public_section(name, getattr(plx_core, name)) for name in plx_core.__all__)]
    )


def testing_page() -> str:
    """The checks for parts of one's own."""
    module = importlib.import_module("plx_core.testing")
    head = f"# Checks for parts of your own\n\n{prose(inspect.getdoc(module) or '')}\n"
    return "\n".join(
        [head, *(public_section(name, getattr(module, name)) for name in module.__all__)]
    )


def benchmarks_page() -> str:
    """What is measured, and the results where there are any."""
    head = (
        "# Benchmarks\n\n`make bench` measures plx against what else there is, each side in a process of its own and in turns, and "
        "`make bench-quick` does less of the same. The peers are installed in an environment of their own.\n"
    )
    rows = []
    for path in sorted(BENCHMARKS.glob("*.py")):
        summary = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition(
            "\n\n"
        )[0]
        rows.append((f"`{path.name}`", plain(summary)))
    parts = [
        head,
        table(
            ("file", "measures"), [row for row in rows if row[0] not in ("`run.py`", "`sides.py`")]
        ),
    ]
    results = BENCHMARKS / "RESULTS.md"
    if results.exists():
        text = results.read_text(encoding="utf-8").replace(
            "](results.png)", "](../../benchmarks/results.png)"
        )
        parts.append(re.sub(r"^#", "##", text, flags=re.MULTILINE))
    return "\n".join(parts)


def public_section(name: str, value: Any) -> str:
    """A public name: how it is called, and what its docstring says."""
    parts = [f"## {plain(name)}\n"]
    if callable(value) and not isinstance(value, type(Any)):
        with contextlib.suppress(TypeError, ValueError):
            parts.append(fenced("text", signature_text(name, value)) + "\n")
    own = inspect.isclass(value) or inspect.isroutine(value)
    parts.append(
        prose(inspect.getdoc(value) or "")
        if own
        else f"{', '.join(f'`{item}`' for item in value) if isinstance(value, tuple) else plain(repr(value))}\n"
    )
    if inspect.isclass(value):
        methods = [
            (f"`{key}`", plain((inspect.getdoc(member) or "").partition("\n\n")[0]))
            for key, member in public_members(value)
        ]
        parts += ["", table(("member", "what it is"), methods)] if methods else []
    return "\n".join(parts) + "\n"


def value_text(value: Any) -> str:
    """What a public value is: its items, or what its class says where nothing can be read in the value itself."""
    if isinstance(value, (tuple, Mapping)):
        return ", ".join(f"`{item}`" for item in value)
    return plain(
        (inspect.getdoc(type(value)) or "").partition("\n\n")[0]
        if " at 0x" in repr(value)
        else repr(value)
    )


def public_members(cls: type) -> Iterator[tuple[str, Any]]:
    """The methods and properties that a class defines for others."""
    for name, member in vars(cls).items():
        if not name.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
            yield name, member


def prose(text: str) -> str:
    """A docstring in Google style as Markdown: paragraphs, code that is indented, and its sections as lists."""
    match = SECTION.search(text)
    head = text[: match.start()] if match else text
    parts = []
    for part in head.split("\n\n"):
        if part.startswith("    ") or part.lstrip().startswith(">>>"):
            parts.append(fenced("text", textwrap.dedent(part)))
        elif part.strip():
            parts.append(plain(part))
    for section in SECTION.finditer(text):
        parts.append(section_text(section["title"], textwrap.dedent(section["body"]).strip("\n")))
    return "\n\n".join(parts) + "\n"


def section_text(title: str, body: str) -> str:
    """One section of a docstring."""
    if title in ("Example", "Examples"):
        return f"{title}:\n\n{fenced('text', re.sub(r' *# doctest:.*', '', body))}"
    found = list(ARGUMENT.finditer(body)) if title in ("Args", "Raises") else []
    if found:
        return f"{title}:\n\n" + "\n".join(
            f"- `{one['name']}`: {plain(one['text'])}" for one in found
        )
    return f"{title}: {plain(body)}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return (
        "\n".join(
            f"| {' | '.join(cell.replace(chr(10), ' ').replace('|', chr(92) + '|') for cell in row)} |"
            for row in lines
        )
        + "\n"
    )


def fenced(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def plain(text: str) -> str:
    """A text of one paragraph with its code in backticks kept, and all else that Markdown would take for its own escaped."""
    pieces = re.split(r"(`+[^`]+`+)", " ".join(text.split()))
    escaped = (re.sub(r"([\\*<>\[\]#$~^{}]|\b_|_\b)", r"\\\1", piece) for piece in pieces[::2])
    code = (f"`{piece.strip('`')}`" for piece in pieces[1::2])
    return "".join(
        itertools.chain.from_iterable(itertools.zip_longest(escaped, code, fillvalue=""))
    )
