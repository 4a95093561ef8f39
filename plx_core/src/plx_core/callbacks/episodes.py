"""Callbacks that follow the episodes of an agent."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from plx_core.annotations import PositiveFloat, PositiveInt
from plx_core.callbacks.callback import Callback
from plx_core.errors import ComponentError
from plx_core.state import State

if TYPE_CHECKING:
    from plx_core.models.spec import EstimatorSpec
    from plx_core.runs.run import Run

logger = logging.getLogger(__name__)


class EpisodeCallback(Callback):
    """A callback that needs episodes, which only an agent has."""

    def check(self, spec: EstimatorSpec) -> None:
        """Refuse an estimator."""
        if not spec.is_agent:
            raise ComponentError(
                f"{type(self).__name__} follows the episodes of an agent; an estimator has none"
            )


class EpisodeTimer:
    """Says when something is due: after a number of episodes, or of seconds.

    Args:
        every_n_episodes: due at each multiple of this number of episodes.
        every_secs: due at the first episode that ends after this time; an alternative to
            `every_n_episodes`.
    """

    def __init__(
        self, every_n_episodes: int | None = None, every_secs: float | None = None
    ) -> None:
        if (every_n_episodes is None) == (every_secs is None):
            raise ValueError("give either every_n_episodes or every_secs")
        self._episodes = every_n_episodes
        self._secs = every_secs
        self._last = time.perf_counter()

    def is_due(self, episode: int) -> bool:
        """Whether it is due at the end of this episode."""
        if self._episodes is not None:
            return episode % self._episodes == 0
        now = time.perf_counter()
        if now - self._last < (self._secs or 0.0):
            return False
        self._last = now
        return True


class StopAtEpisode(EpisodeCallback):
    """Stop at an episode.

    Args:
        last_episode: the global episode to stop at.
        num_episodes: the number of further episodes; an alternative to `last_episode`.
    """

    def __init__(
        self, last_episode: PositiveInt | None = None, num_episodes: PositiveInt | None = None
    ) -> None:
        if (last_episode is None) == (num_episodes is None):
            raise ValueError("StopAtEpisode takes either last_episode or num_episodes")
        self._last = last_episode
        self._num_episodes = num_episodes

    def on_episode(self, run: Run, episode: Mapping[str, float]) -> None:
        """Stop if this episode is the last."""
        number = int(episode["global_episode"])
        if self._last is None:
            self._last = number - 1 + (self._num_episodes or 0)
        if number >= self._last:
            self.stop_training = True

    def state(self) -> State:
        """Return the episode to stop at."""
        return {"last_episode": self._last}

    def restore(self, state: State) -> None:
        """Stop where the interrupted run would have stopped."""
        self._last = state.get("last_episode", self._last)


class EpisodeLogging(EpisodeCallback):
    """Log the returns and lengths of episodes through `logging`.

    Args:
        every_n_episodes: episodes between two lines.
        every_secs: seconds between two lines; an alternative to `every_n_episodes`.
    """

    def __init__(
        self, every_n_episodes: PositiveInt | None = None, every_secs: PositiveFloat | None = None
    ) -> None:
        self._timer = EpisodeTimer(every_n_episodes, every_secs)

    def on_episode(self, run: Run, episode: Mapping[str, float]) -> None:
        """Write a line."""
        number = int(episode["global_episode"])
        if self._timer.is_due(number):
            rest = "  ".join(
                f"{name} {value:.6g}" for name, value in episode.items() if name != "global_episode"
            )
            logger.info("episode %d  %s", number, rest)


class EpisodeCounter(EpisodeCallback):
    """Write `episodes_per_second` to the metrics, in a split called `rate`.

    Args:
        every_n_episodes: the number of episodes over which the rate is measured.
    """

    def __init__(self, every_n_episodes: PositiveInt = 100) -> None:
        self._timer = EpisodeTimer(every_n_episodes)
        self._last: tuple[int, float] | None = None

    def on_episode(self, run: Run, episode: Mapping[str, float]) -> None:
        """Measure the rate."""
        number, now = int(episode["global_episode"]), time.perf_counter()
        if not self._timer.is_due(number):
            return
        if self._last is not None:
            rate = (number - self._last[0]) / (now - self._last[1])
            run.run_directory.append_metrics(
                int(episode["global_step"]),
                "rate",
                {"episodes_per_second": rate, "global_episode": number},
            )
        self._last = (number, now)


class EpisodeSummarySaver(EpisodeCallback):
    """Append the returns and lengths of episodes to `metrics.jsonl`, under another split.

    Args:
        every_n_episodes: episodes between two lines.
        every_secs: seconds between two lines; an alternative to `every_n_episodes`.
        split: the name of the split.
    """

    def __init__(
        self,
        every_n_episodes: PositiveInt | None = None,
        every_secs: PositiveFloat | None = None,
        split: str = "episode",
    ) -> None:
        self._timer = EpisodeTimer(every_n_episodes, every_secs)
        self._split = split

    def on_episode(self, run: Run, episode: Mapping[str, float]) -> None:
        """Write a line."""
        if self._timer.is_due(int(episode["global_episode"])):
            run.run_directory.append_metrics(int(episode["global_step"]), self._split, episode)


class EpisodeCheckpointSaver(EpisodeCallback):
    """Save checkpoints besides those of the run config.

    Args:
        every_n_episodes: episodes between two checkpoints.
        every_secs: seconds between two checkpoints; an alternative to `every_n_episodes`.
    """

    def __init__(
        self, every_n_episodes: PositiveInt | None = None, every_secs: PositiveFloat | None = None
    ) -> None:
        self._timer = EpisodeTimer(every_n_episodes, every_secs)

    def on_episode(self, run: Run, episode: Mapping[str, float]) -> None:
        """Request a checkpoint."""
        if self._timer.is_due(int(episode["global_episode"])):
            run.save_checkpoint()
