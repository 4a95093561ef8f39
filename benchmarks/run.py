"""Every comparison, in turns, to benchmarks/RESULTS.md and results.png: `make bench`, or `make bench-quick` for less of the same.

Each side of a comparison is a process of its own; the sides run one after the other (A B C A B C ...), because machines are shared
and a single figure can be off by half. What is quoted is the median of the ratios of the turns, and their range.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from attrs import define, field, frozen

HERE = Path(__file__).parent
Peers = dict[str, tuple[str, float | None]]


@frozen
class Comparison:
    """One piece of work.

    Args:
        title: what it is.
        script: the file that does it.
        unit: of the rates.
        ours: plx's side.
        peers: the other sides, by the arguments that choose them: a name, and the ratio that is the goal.
    """

    title: str
    script: str
    unit: str
    ours: str
    peers: Peers


MLP_PEERS: Peers = {
    "fit": ("Keras fit", 4.0),
    "fit-best": ("Keras fit, best setting", 1.5),
    "loop": ("hand-written loop", 0.9),
}
DQN_PEERS: Peers = {"sb3-dqn": ("Stable-Baselines3", 4.0), "sbx-dqn": ("SBX", 1.3)}
PPO_PEERS: Peers = {"sb3-ppo": ("Stable-Baselines3", 4.0), "sbx-ppo": ("SBX", 3.0)}
COMPARISONS = (
    Comparison("MLP 20-64-64-2, batch 32", "training.py mlp --only", "steps/s", "plx", MLP_PEERS),
    Comparison("MLP 20-64-64-2, batch 32, `xla: auto`", "training.py mlp --only", "steps/s", "plx-auto", MLP_PEERS),
    Comparison(
        "LeNet, batch 64, arrays", "training.py lenet --only", "steps/s", "plx",
        {"fit": ("Keras fit", 1.3), "torch": ("PyTorch eager", 1.5), "torch-channels-last": ("PyTorch channels-last", 1.05)},
    ),
    Comparison("LeNet, MNIST from records, `plx run`", "records_training.py", "steps/s", "plx", {"fit": ("Keras fit, same records", 1.3)}),
    Comparison("DQN CartPole-v1, zoo settings", "rl_training.py", "env steps/s", "plx-dqn", DQN_PEERS),
    Comparison("DQN CartPole-v1, zoo settings, `xla: auto`", "rl_training.py", "env steps/s", "plx-dqn-auto", DQN_PEERS),
    Comparison("PPO CartPole-v1, zoo settings", "rl_training.py", "env steps/s", "plx-ppo", PPO_PEERS),
    Comparison("PPO CartPole-v1, zoo settings, `xla: auto`", "rl_training.py", "env steps/s", "plx-ppo-auto", PPO_PEERS),
    Comparison(
        "PPO CartPole-v1, zoo settings, compiled environment, `xla: true`", "rl_training.py", "env steps/s", "plx-ppo-compiled",
        {"sb3-ppo": ("Stable-Baselines3", 10.0)},
    ),
    Comparison("PPO CartPole-v1 to a greedy return of 475", "rl_solving.py", "runs/s", "plx", {"sb3": ("Stable-Baselines3", 20.0)}),
    Comparison("acting greedily in one environment", "rl_acting.py", "actions/s", "plx", {"sb3": ("Stable-Baselines3 predict", 3.0)}),
    Comparison("replay memory: add one, draw 64", "memory.py", "pairs/s", "uniform", {"sb3": ("Stable-Baselines3 ReplayBuffer", 3.0)}),
    Comparison(
        "prioritized memory, `plx-rl[numba]`: add one, draw 64, update them", "memory.py", "pairs/s", "prioritized",
        {"numba": ("numba sum tree", 0.8)},
    ),
    Comparison(
        "records of raw pictures", "input_pipeline.py", "images/s", "plx-raw",
        {"naive-raw": ("tf.data, naive", 3.0), "batched-raw": ("tf.data, best rung", 0.95)},
    ),
    Comparison(
        "records of PNG pictures", "input_pipeline.py", "images/s", "plx-png",
        {"naive-png": ("tf.data, naive", 1.5), "batched-png": ("tf.data, best rung", 0.95)},
    ),
    Comparison("`plx --help`", "starting.py", "runs/s", "help", {"tensorflow": ("import tensorflow", 10.0)}),
    Comparison("`plx components`", "starting.py", "runs/s", "components", {"tensorflow": ("import tensorflow", 10.0)}),
    Comparison("`plx check`, second time", "starting.py", "runs/s", "check", {"tensorflow": ("import tensorflow", 6.0)}),
)  # fmt: skip
OF_PEERS = ("sb3", "sbx", "torch", "numba")
"""Sides that run in the peers' environment."""
FIGURES = ("plugins.py", "resident.py ppo-compiled")
"""Scripts that measure plx alone; their first and their last line say what came of it."""


@define
class Measured:
    """What the turns of a comparison gave: each side's answers."""

    comparison: Comparison
    sides: dict[str, list[dict[str, float]]] = field(factory=dict)

    def ratios(self, peer: str) -> list[float]:
        """Our rate over the peer's, turn by turn."""
        return [
            ours["rate"] / theirs["rate"]
            for ours, theirs in zip(self.sides[self.comparison.ours], self.sides[peer], strict=True)
        ]


def measure(comparison: Comparison, side: str, peers_python: str, quick: bool) -> dict[str, float]:
    """One side once, in a process of its own."""
    script, *fixed = comparison.script.split()
    python = peers_python if side.startswith(OF_PEERS) else sys.executable
    words = [python, str(HERE / script), *fixed, side, *(["--quick"] if quick else [])]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def figures(quick: bool) -> list[str]:
    """What the scripts of figures say, once each."""
    lines = []
    for script in FIGURES:
        words = [
            sys.executable,
            *str(HERE / script).split(),
            *(["--quick"] if quick and "plugins" not in script else []),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        said = [line for line in done.stdout.splitlines() if not line.startswith("{")]
        lines.append(f"- `{script}`: " + (said[0] if len(said) == 1 else f"{said[0]} → {said[-1]}"))
        print(lines[-1], flush=True)
    return lines


def table(found: list[Measured]) -> list[str]:
    """The lines of the table of results."""
    lines = [
        "| work | against | plx | peer | ratio (median, range) | goal | both reach |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        comparison = one.comparison
        for side, (name, goal) in comparison.peers.items():
            ratios = one.ratios(side)
            ours, theirs = (
                statistics.median(turn["rate"] for turn in one.sides[key])
                for key in (comparison.ours, side)
            )
            median = statistics.median(ratios)
            verdict = "" if goal is None else f"≥ {goal:g}× {'✓' if median >= goal else '✗'}"
            reached = " / ".join(_reached(one.sides[key]) for key in (comparison.ours, side))
            lines.append(
                f"| {comparison.title} | {name} | {ours:,.3g} {comparison.unit} | {theirs:,.3g} | "
                f"**{median:.2f}×** ({min(ratios):.2f} to {max(ratios):.2f}) | {verdict} | {reached.strip(' /')} |"
            )
    return lines


def _reached(turns: list[dict[str, float]]) -> str:
    """The loss or return of a side, in the middle of its turns."""
    for name in ("return", "loss"):
        if name in turns[0]:
            return f"{name} {statistics.median(turn[name] for turn in turns):.4g}"
    return ""


def about(turns: int, quick: bool, peers_python: str) -> list[str]:
    """Machine, versions and commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=HERE,
        check=False,
    ).stdout.strip()
    ours = ", ".join(
        f"{name} {version(name)}"
        for name in ("plx-core", "tensorflow", "keras", "gymnasium", "numpy")
    )
    code = (
        "from importlib.metadata import version as v\n"
        "print(', '.join(f'{n} {v(n)}' for n in ('torch', 'stable-baselines3', 'sbx-rl', 'jax')))"
    )
    theirs = subprocess.run(
        [peers_python, "-c", code], capture_output=True, text=True, check=False
    ).stdout.strip()
    return [
        f"- {turns} turns{', quick' if quick else ''}; {time.strftime('%Y-%m-%d')}; commit {commit or 'unknown'}",
        f"- {platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        f"- {ours}",
        f"- peers: {theirs}",
    ]


def draw(found: list[Measured], path: Path) -> None:
    """The ratios as bars, a tick where the goal is."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [
        (one, side, name, goal)
        for one in found
        for side, (name, goal) in one.comparison.peers.items()
    ][::-1]
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(rows) + 1.2))
    for place, (one, side, _, goal) in enumerate(rows):
        ratios = one.ratios(side)
        median = statistics.median(ratios)
        axes.barh(
            place, median - 1, left=1, color="#2a78d6" if median >= 1 else "#9a9a9a", height=0.6
        )
        axes.hlines(place, min(ratios), max(ratios), color="#0b0b0b", linewidth=1)
        axes.text(
            max(*ratios, goal or 0, 1.0) * 1.08, place, f"{median:.1f}×", va="center", fontsize=8
        )
        if goal is not None:
            axes.plot([goal, goal], [place - 0.4, place + 0.4], color="#c2410c", linewidth=2)
    axes.set_yticks(
        range(len(rows)),
        [f"{one.comparison.title}\nagainst {name}" for one, _, name, _ in rows],
        fontsize=7,
    )
    axes.set_xscale("log")
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xticks([0.1, 1, 10], ["0.1×", "1×", "10×"])
    axes.axvline(1.0, color="#888888", linewidth=0.8)
    axes.set_xlabel(
        "times as fast as the peer (the line: range of the turns; the red tick: the goal)"
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="do less of the same work, to results-quick.*"
    )
    parser.add_argument(
        "--peers-python",
        default=str(HERE.parent / ".venv-peers" / "bin" / "python"),
        help="Python with benchmarks/peers.txt",
    )
    parser.add_argument("--only", metavar="TEXT", help="the comparisons whose title contains this")
    args = parser.parse_args()
    found = [
        Measured(one)
        for one in COMPARISONS
        if not args.only or args.only.lower() in one.title.lower()
    ]
    known: dict[tuple[str, str, int], dict[str, float]] = {}
    for turn in range(args.turns):
        for one in found:
            for side in (one.comparison.ours, *one.comparison.peers):
                key = (
                    one.comparison.script,
                    side,
                    turn,
                )  # a side that stands in two comparisons runs once a turn
                if key not in known:
                    known[key] = measure(one.comparison, side, args.peers_python, args.quick)
                one.sides.setdefault(side, []).append(known[key])
                shown = "  ".join(f"{name} {value:,.4g}" for name, value in known[key].items())
                print(f"turn {turn + 1}  {one.comparison.title:52} {side:20} {shown}", flush=True)
    stem = "results-quick" if args.quick else "results"
    lines = [
        "# Benchmarks",
        "",
        *about(args.turns, args.quick, args.peers_python),
        "",
        f"![How many times as fast as each peer]({stem}.png)",
        "",
        *table(found),
        "",
        *([] if args.only else figures(args.quick)),
        "",
    ]
    (HERE / ("RESULTS.md" if stem == "results" else f"{stem}.md")).write_text(
        "\n".join(lines), encoding="utf-8"
    )
    draw(found, HERE / f"{stem}.png")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
