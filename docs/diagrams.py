"""Draws the diagrams of the concepts as SVG: boxes on a grid, and arrows between them. Sphinx calls `write` at each build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from attrs import frozen

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 172, 62, 78, 46, 14
FONT = "font-family='system-ui, sans-serif'"


@frozen
class Box:
    """A box at a column and a row of the grid.

    Args:
        column: from the left, in columns; halves are allowed.
        row: from the top.
        title: its first line.
        lines: what stands below.
        kind: which colour it has.
        width: over how many columns it reaches.
    """

    column: float
    row: float
    title: str
    lines: tuple[str, ...] = ()
    kind: str = "part"
    width: int = 1

    @property
    def corner(self) -> tuple[float, float]:
        """Its upper left corner."""
        return MARGIN + self.column * (WIDTH + GAP_X), MARGIN + self.row * (HEIGHT + GAP_Y)

    @property
    def size(self) -> tuple[float, float]:
        """Its width and height."""
        return self.width * WIDTH + (self.width - 1) * GAP_X, HEIGHT


@frozen
class Arrow:
    """An arrow from a box to another, with a word on it."""

    start: str
    end: str
    label: str = ""
    dashed: bool = False


COLOURS = {
    "part": ("#eef3fb", "#4c72b0"),
    "yours": ("#fdf0e6", "#dd8452"),
    "file": ("#f3f3f3", "#777777"),
    "core": ("#e9f5ec", "#55a868"),
}

DIAGRAMS: Mapping[str, tuple[Mapping[str, Box], Sequence[Arrow]]] = {
    "plugins": (
        {
            "ours": Box(0, 0, "plx_layers, plx_rl, …", ("entry point in group plx",)),
            "yours": Box(0, 1, "your package", ("entry point in group plx",), "yours"),
            "file": Box(0, 2, "my_parts.py", ("--plugin my_parts.py",), "yours"),
            "hooks": Box(1, 1, "hooks", ("provide_layers() → names", "to places, not imported"), "core"),
            "registry": Box(2, 1, "registry", ("kind and name", "to a place"), "core"),
            "check": Box(3, 0.5, "plx check", ("signature = schema",), "core"),
            "run": Box(3, 1.5, "plx run", ("imports what is used",), "core"),
        },
        (
            Arrow("ours", "hooks"), Arrow("yours", "hooks"), Arrow("file", "hooks"), Arrow("hooks", "registry"),
            Arrow("registry", "check"), Arrow("registry", "run"),
        ),
    ),
    "config": (
        {
            "file": Box(0, 0, "experiment.yml", ("extends, ${env:…},", "--set a.b=c"), "file"),
            "load": Box(1, 0, "load", ("a tree in which each", "value knows its place"), "core"),
            "check": Box(2, 0, "check", ("names found, values held", "against signatures"), "core"),
            "build": Box(3, 0, "build", ("Keras objects, pipeline,", "environment"), "core"),
            "run": Box(3, 1, "run", ("train, evaluate, export",), "core"),
            "errors": Box(2, 1, "every mistake", ("file:line:column,", "exit code 2"), "file"),
        },
        (
            Arrow("file", "load"), Arrow("load", "check"), Arrow("check", "build"), Arrow("build", "run"),
            Arrow("check", "errors", dashed=True),
        ),
    ),
    "engine": (
        {
            "data": Box(0, 0, "pipeline", ("batch number k",)),
            "block": Box(1, 0, "block of steps", ("one call of TensorFlow:", "n batches, n updates"), "core"),
            "python": Box(2, 0, "between two blocks", ("callbacks, metrics,", "summaries"), "core"),
            "save": Box(3, 0, "checkpoint", ("all states, atomically",), "file"),
            "resume": Box(1, 1, "the same command again", ("newest whole checkpoint,", "batch k + 1"), "file", 2),
        },
        (Arrow("data", "block"), Arrow("block", "python"), Arrow("python", "save"), Arrow("save", "resume"), Arrow("resume", "block")),
    ),
    "reinforcement": (
        {
            "env": Box(0, 0, "environment", ("a vector of N copies",)),
            "policy": Box(1.5, 0, "policy", ("network, distribution,", "exploration")),
            "memory": Box(0, 1.4, "memory", ("replay, or what has", "just happened")),
            "learner": Box(1.5, 1.4, "learner", ("loss, targets, optimizer",)),
            "agent": Box(3, 0.7, "agent", ("counts, evaluates,", "saves all four"), "core"),
        },
        (
            Arrow("env", "policy", "observations"), Arrow("policy", "env", "actions"), Arrow("env", "memory", "transitions"),
            Arrow("memory", "learner", "batches"), Arrow("learner", "policy", "weights"),
            Arrow("agent", "policy", dashed=True), Arrow("agent", "learner", dashed=True),
        ),
    ),
    "data": (
        {
            "files": Box(0, 0, "record files", ("and an index: where", "each record begins"), "file"),
            "order": Box(0, 1, "order", ("a function of seed,", "epoch and place"), "core"),
            "read": Box(1, 0.5, "read a batch", ("checksums: error,", "or skip and count")),
            "decode": Box(2, 0.5, "decode, process", ("several threads;", "graphs of layers")),
            "model": Box(3, 0.5, "model", ("features and labels", "by name")),
        },
        (Arrow("files", "read"), Arrow("order", "read"), Arrow("read", "decode"), Arrow("decode", "model")),
    ),
    "run-directory": (
        {
            "run": Box(0, 1.5, "runs/NAME", ("one run, one writer",), "core"),
            "is": Box(1, 0, "what it is", ("config.yml, resolved.yml,", "manifest.json"), "file"),
            "stands": Box(1, 1, "where it stands", ("checkpoints/",), "file"),
            "showed": Box(1, 2, "what it showed", ("metrics.jsonl, events/,", "curves.png"), "file"),
            "gives": Box(1, 3, "what it gives", ("export/",), "file"),
            "refuse": Box(2, 0, "another config", ("is refused by name",), "core"),
            "resume": Box(2, 1, "plx run, again", ("goes on from it",), "core"),
            "compare": Box(2, 2, "plx runs, compare", ("and tensorboard",), "core"),
            "serve": Box(2, 3, "other programs", ("load it without plx",)),
        },
        (
            Arrow("run", "is"), Arrow("run", "stands"), Arrow("run", "showed"), Arrow("run", "gives"), Arrow("is", "refuse"),
            Arrow("stands", "resume"), Arrow("showed", "compare"), Arrow("gives", "serve"),
        ),
    ),
}  # fmt: skip
"""Boxes by a name, and the arrows between them, of each diagram."""


def write(target: Path) -> None:
    """Write every diagram as NAME.svg into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    for name, (boxes, arrows) in DIAGRAMS.items():
        (target / f"{name}.svg").write_text(svg(boxes, arrows), encoding="utf-8")


def svg(boxes: Mapping[str, Box], arrows: Sequence[Arrow]) -> str:
    """A diagram on a light ground, so that it can be read in a dark theme too."""
    width = max(box.corner[0] + box.size[0] for box in boxes.values()) + MARGIN
    height = max(box.corner[1] + box.size[1] for box in boxes.values()) + MARGIN
    pairs = {(arrow.start, arrow.end) for arrow in arrows}
    parts = [
        arrow_svg(boxes[one.start], boxes[one.end], one, is_double=(one.end, one.start) in pairs)
        for one in arrows
    ]
    parts += [box_svg(box) for box in boxes.values()]
    marker = (
        "<marker id='head' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' orient='auto'>"
        "<path d='M0 0 8 4 0 8z' fill='#555'/></marker>"
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' width='{width:g}' height='{height:g}'>"
        f"<defs>{marker}</defs><rect width='100%' height='100%' rx='8' fill='#ffffff'/>{''.join(parts)}</svg>\n"
    )


def box_svg(box: Box) -> str:
    """A box and its lines."""
    (x, y), (width, height) = box.corner, box.size
    fill, edge = COLOURS[box.kind]
    first = y + height / 2 - 8 * len(box.lines) + 5
    texts = [
        f"<text x='{x + width / 2:g}' y='{first + 16 * index:g}' text-anchor='middle' {FONT} font-size='{14 if index == 0 else 12}' "
        f"font-weight='{600 if index == 0 else 400}' fill='#222'>{escape(line)}</text>"
        for index, line in enumerate((box.title, *box.lines))
    ]
    return f"<rect x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' rx='7' fill='{fill}' stroke='{edge}'/>{''.join(texts)}"


def arrow_svg(start: Box, end: Box, arrow: Arrow, *, is_double: bool) -> str:
    """A straight arrow from edge to edge; one of a pair is shifted so that the two lie side by side."""
    (x1, y1), (x2, y2) = centre(start), centre(end)
    shift = 11 * (1 if x2 >= x1 else -1) if is_double else 0
    y1, y2 = y1 - shift, y2 - shift
    tail, head = at_edge(start, (x1, y1), (x2, y2)), at_edge(end, (x2, y2), (x1, y1))
    dash = " stroke-dasharray='5 4'" if arrow.dashed else ""
    ends = f"x1='{tail[0]:g}' y1='{tail[1]:g}' x2='{head[0]:g}' y2='{head[1]:g}'"
    line = f"<line {ends} stroke='#555' stroke-width='1.4'{dash} marker-end='url(#head)'/>"
    is_upright = abs(tail[0] - head[0]) < 1
    x, y = (
        (tail[0] + head[0]) / 2 + (8 if is_upright else 0),
        (tail[1] + head[1]) / 2 + (4 if is_upright else 15 if shift < 0 else -6),
    )
    anchor = "start" if is_upright else "middle"
    label = f"<text x='{x:g}' y='{y:g}' text-anchor='{anchor}' {FONT} font-size='12' fill='#444'>{escape(arrow.label)}</text>"
    return line + (label if arrow.label else "")


def centre(box: Box) -> tuple[float, float]:
    """The middle of a box."""
    return box.corner[0] + box.size[0] / 2, box.corner[1] + box.size[1] / 2


def at_edge(
    box: Box, inside: tuple[float, float], towards: tuple[float, float]
) -> tuple[float, float]:
    """Where a line from a point within a box to one outside of it leaves the box."""
    (left, top), (width, height) = box.corner, box.size
    dx, dy = towards[0] - inside[0], towards[1] - inside[1]
    across = ((left + width if dx > 0 else left) - inside[0]) / dx if dx else float("inf")
    down = ((top + height if dy > 0 else top) - inside[1]) / dy if dy else float("inf")
    share = min(across, down)
    return inside[0] + share * dx, inside[1] + share * dy
