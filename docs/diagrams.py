"""Draw the diagrams of the documentation as SVG: boxes on a grid, joined by arrows.

Sphinx calls `write` at the start of each build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from attrs import frozen

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 172, 62, 78, 46, 14
FONT = "font-family='system-ui, sans-serif'"
COLOURS = {
    "part": ("#eef3fb", "#4c72b0"),
    "yours": ("#fdf0e6", "#dd8452"),
    "file": ("#f3f3f3", "#777777"),
    "core": ("#e9f5ec", "#55a868"),
}
"""Fill and stroke of each kind of box."""


@frozen
class Box:
    """A box on the grid.

    Args:
        column: its column; halves are allowed.
        row: its row, from the top.
        title: the first line, in bold.
        lines: further lines.
        kind: a key of `COLOURS`.
        columns: how many columns it spans.
    """

    column: float
    row: float
    title: str
    lines: tuple[str, ...] = ()
    kind: str = "part"
    columns: int = 1

    @property
    def corner(self) -> tuple[float, float]:
        """The upper left corner."""
        return MARGIN + self.column * (WIDTH + GAP_X), MARGIN + self.row * (HEIGHT + GAP_Y)

    @property
    def size(self) -> tuple[float, float]:
        """The width and height."""
        return self.columns * WIDTH + (self.columns - 1) * GAP_X, HEIGHT

    @property
    def centre(self) -> tuple[float, float]:
        """The middle."""
        return self.corner[0] + self.size[0] / 2, self.corner[1] + self.size[1] / 2


@frozen
class Arrow:
    """An arrow from one box to another."""

    start: str
    end: str
    label: str = ""
    dashed: bool = False


DIAGRAMS: Mapping[str, tuple[Mapping[str, Box], Sequence[Arrow]]] = {
    "plugins": (
        {
            "ours": Box(0, 0, "plx_layers, plx_rl, …", ("entry point in group plx",)),
            "yours": Box(0, 1, "your package", ("entry point in group plx",), "yours"),
            "file": Box(0, 2, "my_parts.py", ("--plugin my_parts.py",), "yours"),
            "hooks": Box(1, 1, "hooks", ("provide_layers() → names", "and import paths"), "core"),
            "registry": Box(2, 1, "registry", ("(kind, name)", "→ import path"), "core"),
            "check": Box(3, 0.5, "plx check", ("signature = schema",), "core"),
            "run": Box(3, 1.5, "plx run", ("imports what is used",), "core"),
        },
        (
            Arrow("ours", "hooks"),
            Arrow("yours", "hooks"),
            Arrow("file", "hooks"),
            Arrow("hooks", "registry"),
            Arrow("registry", "check"),
            Arrow("registry", "run"),
        ),
    ),
    "config": (
        {
            "file": Box(0, 0, "experiment.yml", ("extends, ${env:…},", "--set a.b=c"), "file"),
            "load": Box(1, 0, "load", ("a tree that keeps", "line and column"), "core"),
            "check": Box(2, 0, "check", ("look up names, compare", "with signatures"), "core"),
            "build": Box(3, 0, "build", ("Keras objects, pipeline,", "environment"), "core"),
            "run": Box(3, 1, "run", ("train, evaluate, export",), "core"),
            "errors": Box(2, 1, "every error", ("file:line:column,", "exit code 2"), "file"),
        },
        (
            Arrow("file", "load"),
            Arrow("load", "check"),
            Arrow("check", "build"),
            Arrow("build", "run"),
            Arrow("check", "errors", dashed=True),
        ),
    ),
    "engine": (
        {
            "data": Box(0, 0, "pipeline", ("batch number k",)),
            "block": Box(1, 0, "block of steps", ("one TensorFlow call:", "n updates"), "core"),
            "python": Box(2, 0, "between blocks", ("callbacks, metrics,", "summaries"), "core"),
            "save": Box(3, 0, "checkpoint", ("all states, atomically",), "file"),
            "resume": Box(
                1, 1, "the same command again", ("newest checkpoint, batch k + 1",), "file", 2
            ),
        },
        (
            Arrow("data", "block"),
            Arrow("block", "python"),
            Arrow("python", "save"),
            Arrow("save", "resume"),
            Arrow("resume", "block"),
        ),
    ),
    "reinforcement": (
        {
            "env": Box(0, 0, "environment", ("a vector of N copies",)),
            "policy": Box(1.5, 0, "policy", ("network, distribution,", "exploration")),
            "memory": Box(0, 1.4, "memory", ("replay buffer, or", "on-policy rollout")),
            "learner": Box(1.5, 1.4, "learner", ("loss, targets, optimizer",)),
            "agent": Box(3, 0.7, "agent", ("counts, evaluates,", "saves all four"), "core"),
        },
        (
            Arrow("env", "policy", "observations"),
            Arrow("policy", "env", "actions"),
            Arrow("env", "memory", "transitions"),
            Arrow("memory", "learner", "batches"),
            Arrow("learner", "policy", "weights"),
            Arrow("agent", "policy", dashed=True),
            Arrow("agent", "learner", dashed=True),
        ),
    ),
    "data": (
        {
            "files": Box(0, 0, "record files", ("and an index of", "record offsets"), "file"),
            "order": Box(0, 1, "order", ("a function of seed,", "epoch and position"), "core"),
            "read": Box(1, 0.5, "read a batch", ("verify checksums: raise,", "or skip and count")),
            "decode": Box(2, 0.5, "decode, process", ("several threads;", "graphs of layers")),
            "model": Box(3, 0.5, "model", ("features and labels", "by name")),
        },
        (
            Arrow("files", "read"),
            Arrow("order", "read"),
            Arrow("read", "decode"),
            Arrow("decode", "model"),
        ),
    ),
    "run-directory": (
        {
            "run": Box(0, 1.5, "runs/NAME", ("one run, one writer",), "core"),
            "config": Box(
                1, 0, "configuration", ("config.yml, resolved.yml,", "manifest.json"), "file"
            ),
            "state": Box(1, 1, "state", ("checkpoints/",), "file"),
            "metrics": Box(1, 2, "metrics", ("metrics.jsonl, events/,", "curves.png"), "file"),
            "exports": Box(1, 3, "exported models", ("export/",), "file"),
            "refuse": Box(2, 0, "another config", ("is refused, by key",), "core"),
            "resume": Box(2, 1, "plx run, again", ("resumes from it",), "core"),
            "compare": Box(2, 2, "plx runs, compare", ("and tensorboard",), "core"),
            "serve": Box(2, 3, "other programs", ("load it without plx",)),
        },
        (
            Arrow("run", "config"),
            Arrow("run", "state"),
            Arrow("run", "metrics"),
            Arrow("run", "exports"),
            Arrow("config", "refuse"),
            Arrow("state", "resume"),
            Arrow("metrics", "compare"),
            Arrow("exports", "serve"),
        ),
    ),
    "packages": (
        {
            "cli": Box(0, 1.3, "cli", ("plx check, run, …",), "core"),
            "config": Box(1, 0, "config", ("file → checked", "experiment"), "core"),
            "components": Box(2, 0, "components", ("name, schema,", "construction"), "core"),
            "plugins": Box(3, 0, "plugins", ("installed plug-ins,", "registry"), "core"),
            "experiments": Box(1, 2.1, "experiments", ("train and evaluate", "in turns"), "core"),
            "supervised": Box(2, 1.4, "supervised", ("the estimator",), "core"),
            "reinforcement": Box(2, 2.8, "reinforcement", ("the agent",), "core"),
            "parts": Box(
                3, 1.05, "models, networks, data", ("what is trained,", "and on which data"), "core"
            ),
            "engine": Box(3, 2.1, "engine", ("what both kinds of", "training share"), "core"),
            "runs": Box(3, 3.15, "runs, callbacks", ("run directory, metrics",), "core"),
        },
        (
            Arrow("cli", "config"),
            Arrow("cli", "experiments"),
            Arrow("config", "components"),
            Arrow("components", "plugins"),
            Arrow("experiments", "supervised"),
            Arrow("experiments", "reinforcement"),
            Arrow("engine", "parts"),
            Arrow("supervised", "engine"),
            Arrow("reinforcement", "engine"),
            Arrow("engine", "runs"),
        ),
    ),
}
"""The boxes of each diagram, by a key, and the arrows between them."""


def write(target: Path) -> None:
    """Write each diagram into a folder, as NAME.svg."""
    target.mkdir(parents=True, exist_ok=True)
    for name, (boxes, arrows) in DIAGRAMS.items():
        (target / f"{name}.svg").write_text(svg(boxes, arrows), encoding="utf-8")


def svg(boxes: Mapping[str, Box], arrows: Sequence[Arrow]) -> str:
    """Return a diagram as SVG, on a white background for readability in dark themes."""
    width = max(box.corner[0] + box.size[0] for box in boxes.values()) + MARGIN
    height = max(box.corner[1] + box.size[1] for box in boxes.values()) + MARGIN
    pairs = {(arrow.start, arrow.end) for arrow in arrows}
    parts = [
        arrow_svg(boxes[arrow.start], boxes[arrow.end], arrow, (arrow.end, arrow.start) in pairs)
        for arrow in arrows
    ]
    parts += [box_svg(box) for box in boxes.values()]
    size = f"viewBox='0 0 {width:g} {height:g}' width='{width:g}' height='{height:g}'"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' {size}>"
        "<defs><marker id='head' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' "
        "markerHeight='7' orient='auto'><path d='M0 0 8 4 0 8z' fill='#555'/></marker></defs>"
        f"<rect width='100%' height='100%' rx='8' fill='#ffffff'/>{''.join(parts)}</svg>\n"
    )


def box_svg(box: Box) -> str:
    """Return a box with its lines of text."""
    (x, y), (width, height) = box.corner, box.size
    fill, stroke = COLOURS[box.kind]
    middle = x + width / 2
    first = y + height / 2 - 8 * len(box.lines) + 5
    texts = [text_svg(middle, first, box.title, "font-size='14' font-weight='600' fill='#222'")]
    texts += [
        text_svg(middle, first + 16 * index, line, "font-size='12' fill='#222'")
        for index, line in enumerate(box.lines, start=1)
    ]
    return (
        f"<rect x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' rx='7' "
        f"fill='{fill}' stroke='{stroke}'/>{''.join(texts)}"
    )


def arrow_svg(start: Box, end: Box, arrow: Arrow, is_double: bool) -> str:
    """Return a straight arrow between the edges of two boxes.

    If another arrow runs the opposite way, both are shifted to lie side by side.
    """
    (x1, y1), (x2, y2) = start.centre, end.centre
    shift = 0
    if is_double:
        shift = 11 if x2 >= x1 else -11
    y1, y2 = y1 - shift, y2 - shift
    tail = edge_point(start, (x1, y1), (x2, y2))
    head = edge_point(end, (x2, y2), (x1, y1))
    dash = " stroke-dasharray='5 4'" if arrow.dashed else ""
    line = (
        f"<line x1='{tail[0]:g}' y1='{tail[1]:g}' x2='{head[0]:g}' y2='{head[1]:g}' "
        f"stroke='#555' stroke-width='1.4'{dash} marker-end='url(#head)'/>"
    )
    if not arrow.label:
        return line
    x, y = (tail[0] + head[0]) / 2, (tail[1] + head[1]) / 2
    if abs(tail[0] - head[0]) < 1:
        return line + text_svg(x + 8, y + 4, arrow.label, "font-size='12' fill='#444'", "start")
    return line + text_svg(
        x, y + (15 if shift < 0 else -6), arrow.label, "font-size='12' fill='#444'"
    )


def text_svg(x: float, y: float, text: str, style: str, anchor: str = "middle") -> str:
    """Return a line of text."""
    return f"<text x='{x:g}' y='{y:g}' text-anchor='{anchor}' {FONT} {style}>{escape(text)}</text>"


def edge_point(
    box: Box, inside: tuple[float, float], outside: tuple[float, float]
) -> tuple[float, float]:
    """Return the point at which a line from inside a box to a point outside it crosses the edge."""
    (left, top), (width, height) = box.corner, box.size
    dx, dy = outside[0] - inside[0], outside[1] - inside[1]
    across = ((left + width if dx > 0 else left) - inside[0]) / dx if dx else float("inf")
    down = ((top + height if dy > 0 else top) - inside[1]) / dy if dy else float("inf")
    share = min(across, down)
    return inside[0] + share * dx, inside[1] + share * dy
