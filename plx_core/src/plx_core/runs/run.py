"""What callbacks, exporters and the training loop see of an estimator or agent."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from plx_core.runs.checkpoints import Checkpoints
from plx_core.runs.run_directory import RunDirectory
from plx_core.types import Network, Source


class Run(Protocol):
    """An estimator or agent at work, with its run directory."""

    run_directory: RunDirectory
    checkpoints: Checkpoints
    learning_rate: float
    """The learning rate of the next update.

    Setting it raises a `ComponentError` where a schedule or an algorithm determines it.
    """

    @property
    def model_dir(self) -> Path:
        """The path of the run directory."""

    @property
    def global_step(self) -> int:
        """The number of updates at the newest checkpoint; 0 without one."""

    @property
    def training_model(self) -> Network:
        """The network that is being trained."""

    def save_checkpoint(self) -> None:
        """Save a checkpoint: during training as soon as the current block of steps has ended."""

    def latest_checkpoint(self) -> Path | None:
        """Return the newest complete checkpoint."""

    def export(
        self,
        export_dir: str | Path,
        source: Source,
        checkpoint_path: str | Path | None = None,
        format: str = "saved_model",
    ) -> Path:
        """Export the model of a checkpoint, the newest when None, to a folder that does not exist.

        Args:
            export_dir: the folder.
            source: the `input_fn` or environment with the features that the model takes.
            checkpoint_path: the checkpoint.
            format: `saved_model`, `keras`, `onnx` or `litert`.
        """
