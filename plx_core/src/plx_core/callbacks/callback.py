"""The interface of callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plx_core.state import State

if TYPE_CHECKING:
    from plx_core.models.spec import EstimatorSpec
    from plx_core.runs.metrics import Criterion
    from plx_core.runs.run import Run


class Callback:
    """Something that happens during a run; override the events you need.

    In each event `run` is the estimator or agent, and `step` its `global_step`.

    `every_n_steps` makes the training loop return to Python at each multiple of that number of
    steps and call `on_steps`; a callback that leaves it None costs nothing.
    """

    every_n_steps: int | None = None
    last_step: int | None = None
    """The global step at which training ends, for a callback that decides it."""
    keep_best: Criterion | None = None
    """What the best checkpoint is, for a callback that makes it the result of the run."""
    stop_training: bool = False
    """Set to end training, with a checkpoint, after the current block of steps."""

    @property
    def label(self) -> str:
        """The name of this callback in messages."""
        return type(self).__name__

    def check(self, spec: EstimatorSpec) -> None:
        """Raise a `ComponentError` where the specification lacks what this callback needs.

        Called by `plx check` and before training, for estimators and agents alike.
        """

    def on_config(self, run: Run, config: Mapping[str, Any]) -> None:
        """Handle the creation of an experiment from a config, which includes every default."""

    def on_run_begin(self, run: Run, step: int) -> None:
        """Handle the start of training at `step`, new or resumed."""

    def on_block(self, run: Run, step: int) -> None:
        """Handle the return of one TensorFlow call; there are several a second."""

    def on_log(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Handle a log of metrics: means since the last one, and `steps_per_second`."""

    def on_steps(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Handle a multiple of `every_n_steps`, with the means since the last log."""

    def on_checkpoint(self, run: Run, step: int, path: str) -> None:
        """Handle a new checkpoint."""

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Handle an evaluation of the checkpoint of `step`.

        `split` is "eval", or "eval_NAME" for a named evaluation.
        """

    def on_episode(self, run: Run, episode: Mapping[str, float]) -> None:
        """Handle the end of an agent's episode.

        `episode` holds its `return` and `length`, and the counters `global_step`,
        `global_timestep` and `global_episode`.
        """

    def on_run_end(self, run: Run, step: int) -> None:
        """Handle the end of training without an error."""

    def on_failure(self, run: Run, error: BaseException) -> None:
        """Handle an error that ended training, or a signal that stopped it."""

    def state(self) -> State:
        """Return what a checkpoint keeps of this callback."""
        return {}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
