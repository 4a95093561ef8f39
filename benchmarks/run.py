"""Run every comparison in turns, and write benchmarks/RESULTS.md and results.png.

`make bench` runs this, and `make bench-quick` does less of the same work. Each side of a comparison
runs in a separate process, and the sides take turns (A B C A B C ...), because machines are shared
and a single figure can be off by half. The results are the median and the range of the ratios.
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
    """The same work on several sides.

    Args:
        title: the work.
        script: the file, and arguments that come before the side.
        unit: the unit of the rates.
        ours: the argument that chooses plx.
        peers: the other sides by their arguments, each with its name and the goal for the ratio.
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
    Comparison(
        "MLP 20-64-64-2, batch 32, `xla: auto`",
        "training.py mlp --only",
        "steps/s",
        "plx-auto",
        MLP_PEERS,
    ),
    Comparison(
        "LeNet, batch 64, arrays",
        "training.py lenet --only",
        "steps/s",
        "plx",
        {
            "fit": ("Keras fit", 1.3),
            "torch": ("PyTorch eager", 1.5),
            "torch-channels-last": ("PyTorch channels-last", 1.05),
        },
    ),
    Comparison(
        "LeNet, MNIST from records, `plx run`",
        "records_training.py",
        "steps/s",
        "plx",
        {"fit": ("Keras fit, same records", 1.3)},
    ),
    Comparison(
        "DQN CartPole-v1, zoo settings", "rl_training.py", "env steps/s", "plx-dqn", DQN_PEERS
    ),
    Comparison(
        "DQN CartPole-v1, zoo settings, `xla: auto`",
        "rl_training.py",
        "env steps/s",
        "plx-dqn-auto",
        DQN_PEERS,
    ),
    Comparison(
        "PPO CartPole-v1, zoo settings", "rl_training.py", "env steps/s", "plx-ppo", PPO_PEERS
    ),
    Comparison(
        "PPO CartPole-v1, zoo settings, `xla: auto`",
        "rl_training.py",
        "env steps/s",
        "plx-ppo-auto",
        PPO_PEERS,
    ),
    Comparison(
        "PPO CartPole-v1, zoo settings, compiled environment, `xla: true`",
        "rl_training.py",
        "env steps/s",
        "plx-ppo-compiled",
        {"sb3-ppo": ("Stable-Baselines3", 10.0)},
    ),
    Comparison(
        "PPO CartPole-v1 to a greedy return of 475",
        "rl_solving.py",
        "runs/s",
        "plx",
        {"sb3": ("Stable-Baselines3", 20.0)},
    ),
    Comparison(
        "acting greedily in one environment",
        "rl_acting.py",
        "actions/s",
        "plx",
        {"sb3": ("Stable-Baselines3 predict", 3.0)},
    ),
    Comparison(
        "replay memory: add one, draw 64",
        "memory.py",
        "pairs/s",
        "uniform",
        {"sb3": ("Stable-Baselines3 ReplayBuffer", 3.0)},
    ),
    Comparison(
        "prioritized memory, `plx-rl[numba]`: add one, draw 64, update them",
        "memory.py",
        "pairs/s",
        "prioritized",
        {"numba": ("numba sum tree", 0.8)},
    ),
    Comparison(
        "records of raw images",
        "input_pipeline.py",
        "images/s",
        "plx-raw",
        {"naive-raw": ("tf.data, naive", 3.0), "batched-raw": ("tf.data, best", 0.95)},
    ),
    Comparison(
        "records of PNG images",
        "input_pipeline.py",
        "images/s",
        "plx-png",
        {"naive-png": ("tf.data, naive", 1.5), "batched-png": ("tf.data, best", 0.95)},
    ),
    Comparison(
        "`plx --help`", "starting.py", "runs/s", "help", {"tensorflow": ("import tensorflow", 10.0)}
    ),
    Comparison(
        "`plx components`",
        "starting.py",
        "runs/s",
        "components",
        {"tensorflow": ("import tensorflow", 10.0)},
    ),
    Comparison(
        "`plx check`, second time",
        "starting.py",
        "runs/s",
        "check",
        {"tensorflow": ("import tensorflow", 6.0)},
    ),
)
OF_PEERS = ("sb3", "sbx", "torch", "numba")
"""The beginnings of the sides that run in the peers' environment."""
FIGURES = ("plugins.py", "resident.py ppo-compiled")
"""Scripts that measure plx alone; the first and the last line of their output are the result."""


@define
class Measurement:
    """A comparison and the results of its turns, by side."""

    comparison: Comparison
    sides: dict[str, list[dict[str, float]]] = field(factory=dict)

    def ratios(self, peer: str) -> list[float]:
        """Return plx's rate divided by the peer's, for each turn."""
        return [
            ours["rate"] / theirs["rate"]
            for ours, theirs in zip(self.sides[self.comparison.ours], self.sides[peer], strict=True)
        ]


def measure(comparison: Comparison, side: str, peers_python: str, quick: bool) -> dict[str, float]:
    """Run one side once, in a new process, and return its result."""
    script, *fixed = comparison.script.split()
    python = peers_python if side.startswith(OF_PEERS) else sys.executable
    words = [python, str(HERE / script), *fixed, side, *(["--quick"] if quick else [])]
    process = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{process.stderr[-2000:]}")
    result: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return result


def figures(quick: bool) -> list[str]:
    """Run each of `FIGURES`, and return its result as a line of Markdown."""
    lines = []
    for script in FIGURES:
        file, *words = script.split()
        if quick and file != "plugins.py":
            words.append("--quick")
        process = subprocess.run(
            [sys.executable, str(HERE / file), *words], capture_output=True, text=True, check=True
        )
        output = [line for line in process.stdout.splitlines() if not line.startswith("{")]
        result = output[0] if len(output) == 1 else f"{output[0]} → {output[-1]}"
        lines.append(f"- `{script}`: {result}")
        print(lines[-1], flush=True)
    return lines


def table(results: list[Measurement]) -> list[str]:
    """Return the lines of the table of results."""
    lines = [
        "| work | against | plx | peer | ratio (median, range) | goal | both reach |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for side in result.comparison.peers:
            lines.append(f"| {' | '.join(row(result, side))} |")
    return lines


def row(result: Measurement, side: str) -> tuple[str, ...]:
    """Return the cells of the table for one peer."""
    comparison = result.comparison
    name, goal = comparison.peers[side]
    ratios = result.ratios(side)
    median = statistics.median(ratios)
    ours, theirs = result.sides[comparison.ours], result.sides[side]
    our_rate, their_rate = (
        statistics.median(turn["rate"] for turn in turns) for turns in (ours, theirs)
    )
    verdict = ""
    if goal is not None:
        verdict = f"≥ {goal:g}× {'✓' if median >= goal else '✗'}"
    return (
        comparison.title,
        name,
        f"{our_rate:,.3g} {comparison.unit}",
        f"{their_rate:,.3g}",
        f"**{median:.2f}×** ({min(ratios):.2f} to {max(ratios):.2f})",
        verdict,
        " / ".join(filter(None, (_quality(ours), _quality(theirs)))),
    )


def _quality(turns: list[dict[str, float]]) -> str:
    """Return the median loss or return of a side; empty where it has neither."""
    for name in ("return", "loss"):
        if name in turns[0]:
            return f"{name} {statistics.median(turn[name] for turn in turns):.4g}"
    return ""


def about(turns: int, quick: bool, peers_python: str) -> list[str]:
    """Return lines about the run: its date and commit, the machine and the versions."""
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
    quick_note = ", quick" if quick else ""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    return [
        f"- {turns} turns{quick_note}; {time.strftime('%Y-%m-%d')}; commit {commit or 'unknown'}",
        f"- {machine}, Python {platform.python_version()}",
        f"- {ours}",
        f"- peers: {theirs}",
    ]


def draw(results: list[Measurement], path: Path) -> None:
    """Draw the ratios as bars, with a tick at each goal."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [
        (result, side, name, goal)
        for result in reversed(results)
        for side, (name, goal) in reversed(result.comparison.peers.items())
    ]
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(rows) + 1.2))
    for y, (result, side, _, goal) in enumerate(rows):
        ratios = result.ratios(side)
        median = statistics.median(ratios)
        colour = "#2a78d6" if median >= 1 else "#9a9a9a"
        axes.barh(y, median - 1, left=1, color=colour, height=0.6)
        axes.hlines(y, min(ratios), max(ratios), color="#0b0b0b", linewidth=1)
        right = max(*ratios, goal or 0, 1.0) * 1.08
        axes.text(right, y, f"{median:.1f}×", va="center", fontsize=8)
        if goal is not None:
            axes.plot([goal, goal], [y - 0.4, y + 0.4], color="#c2410c", linewidth=2)
    labels = [f"{result.comparison.title}\nagainst {name}" for result, _, name, _ in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=7)
    axes.set_xscale("log")
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xticks([0.1, 1, 10], ["0.1×", "1×", "10×"])
    axes.axvline(1.0, color="#888888", linewidth=0.8)
    axes.set_xlabel("times as fast as the peer (line: range of the turns; red tick: goal)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def take_turns(results: list[Measurement], turns: int, peers_python: str, quick: bool) -> None:
    """Measure every side of every comparison, turn after turn, and print each result."""
    cached: dict[tuple[str, str, int], dict[str, float]] = {}
    for turn in range(turns):
        for result in results:
            comparison = result.comparison
            for side in (comparison.ours, *comparison.peers):
                # A side that is in two comparisons runs once a turn.
                key = (comparison.script, side, turn)
                if key not in cached:
                    cached[key] = measure(comparison, side, peers_python, quick)
                result.sides.setdefault(side, []).append(cached[key])
                values = "  ".join(f"{name} {value:,.4g}" for name, value in cached[key].items())
                print(f"turn {turn + 1}  {comparison.title:52} {side:20} {values}", flush=True)


def main() -> None:
    """Parse the command line, measure, and write the results."""
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
    parser.add_argument("--only", metavar="TEXT", default="", help="only titles with this text")
    args = parser.parse_args()
    results = [
        Measurement(comparison)
        for comparison in COMPARISONS
        if args.only.lower() in comparison.title.lower()
    ]
    take_turns(results, args.turns, args.peers_python, args.quick)
    stem = "results-quick" if args.quick else "results"
    lines = [
        "# Benchmarks",
        "",
        *about(args.turns, args.quick, args.peers_python),
        "",
        f"![How many times as fast as each peer]({stem}.png)",
        "",
        *table(results),
        "",
        *([] if args.only else figures(args.quick)),
        "",
    ]
    page = HERE / ("results-quick.md" if args.quick else "RESULTS.md")
    page.write_text("\n".join(lines), encoding="utf-8")
    draw(results, HERE / f"{stem}.png")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
