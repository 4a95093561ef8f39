"""One call of training: when to step, log, summarise and save, and what memory holds between two calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plx_core.callbacks.callback import Callback
from plx_core.errors import NonFiniteLoss

if TYPE_CHECKING:
    from plx_core.engine.trainer import Trainer


def non_finite(trainer: Trainer, what: str) -> NonFiniteLoss:
    """The error that ends a run whose numbers are no longer finite."""
    latest = trainer.checkpoints.latest()
    kept = f"the last good checkpoint is {latest}" if latest else "there was no checkpoint yet"
    return NonFiniteLoss(
        f"{what}; {kept}. A lower learning rate, clip_gradients, or inputs scaled to about 1 are the usual remedies"
    )


def named_callbacks(callbacks: Sequence[Callback]) -> dict[str, Callback]:
    """Callbacks under the names by which a checkpoint keeps their states."""
    return {
        f"{index:02d}_{type(callback).__name__}": callback
        for index, callback in enumerate(callbacks)
    }
