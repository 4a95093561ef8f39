"""What a plug-in implements: small abstract classes, which core calls and nothing else.

What changes over time has `state()` and `restore()`: a mapping of names to NumPy arrays, numbers, texts, and mappings
of these. A checkpoint is those states, so a part that returns all that it would miss resumes exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plx_core.state import State


class Callback:
    """Something that happens during a run; override what you need.

    `every_n_steps` makes the training loop return to Python at each multiple of that number of steps (`on_steps` is
    then called), so a callback that leaves it None costs nothing.
    """

    every_n_steps: int | None = None
    last_step: int | None = None
    """The global step at which training ends, if the callback decides that."""
    stop_training: bool = False
    """Set it, and training ends after the current block of steps, with a checkpoint."""

    def check(self, spec: Any) -> None:
        """Raise a `ComponentError` where an `EstimatorSpec` lacks what this callback needs; called by `plx check`, and before training."""

    def on_run_begin(self, run: Any, step: int) -> None:
        """Training is about to start, or to go on, at `step`; `run` is the estimator or agent."""

    def on_block(self, run: Any, step: int) -> None:
        """A call of TensorFlow has ended, at `step`; there are several a second."""

    def on_log(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics have been logged: means since they were last logged, and `steps_per_second`."""

    def on_steps(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Training has reached `step`, a multiple of `every_n_steps`; `metrics` are means since they were last logged."""

    def on_checkpoint(self, run: Any, step: int, path: str) -> None:
        """A checkpoint has been written."""

    def on_evaluate(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """An evaluation of the checkpoint at `step` has ended."""

    def on_episode(self, run: Any, episode: Mapping[str, float]) -> None:
        """An episode has ended: its `return` and `length`, and the counters `global_step`, `global_timestep` and `global_episode`."""

    def on_run_end(self, run: Any, step: int) -> None:
        """Training has ended without an error."""

    def state(self) -> State:
        """What a checkpoint keeps of this callback."""
        return {}

    def restore(self, state: State) -> None:
        """Go on from a state."""
