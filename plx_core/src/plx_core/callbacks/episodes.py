"""Callbacks that follow the episodes of an agent, as those of polyaxon-lib did."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from plx_core.annotations import PositiveFloat, PositiveInt
from plx_core.callbacks.callback import Callback
from plx_core.state import State

logger = logging.getLogger(__name__)


class EpisodeTimer:
    """Says when it is time again: after some episodes, or some seconds.

    Args:
        every_n_episodes: at each multiple of so many; or give `every_secs`.
        every_secs: at the first episode that ends after so long.
    """

    def __init__(
        self, every_n_episodes: int | None = None, every_secs: float | None = None
    ) -> None:
        if (every_n_episodes is None) == (every_secs is None):
            raise ValueError("give every_n_episodes or every_secs, one of the two")
        self._episodes, self._secs = every_n_episodes, every_secs
        self._last = time.perf_counter()

    def is_due(self, episode: int) -> bool:
        """Whether it is time, at the end of this episode."""
        if self._episodes is not None:
            return episode % self._episodes == 0
        now = time.perf_counter()
        if now - self._last < (self._secs or 0.0):
            return False
        self._last = now
        return True


class StopAtEpisode(Callback):
    """Stop at an episode.

    Args:
        last_episode: the global episode to stop at; or give `num_episodes`.
        num_episodes: how many more are to end.
    """

    def __init__(
        self, last_episode: PositiveInt | None = None, num_episodes: PositiveInt | None = None
    ) -> None:
        if (last_episode is None) == (num_episodes is None):
            raise ValueError("StopAtEpisode takes last_episode or num_episodes, one of the two")
        self._last, self._more = last_episode, num_episodes

    def on_episode(self, run: Any, episode: Mapping[str, float]) -> None:
        """See whether it is the last."""
        number = int(episode["global_episode"])
        if self._last is None:
            self._last = number - 1 + (self._more or 0)
        if number >= self._last:
            self.stop_training = True

    def state(self) -> State:
        """The episode to stop at."""
        return {"last_episode": self._last}

    def restore(self, state: State) -> None:
        """Stop where the run before would have."""
        self._last = state.get("last_episode", self._last)


class EpisodeLogging(Callback):
    """Log how episodes went through `logging`.

    Args:
        every_n_episodes: how often; or give `every_secs`.
        every_secs: so long lies between two lines.
    """

    def __init__(
        self, every_n_episodes: PositiveInt | None = None, every_secs: PositiveFloat | None = None
    ) -> None:
        self._timer = EpisodeTimer(every_n_episodes, every_secs)

    def on_episode(self, run: Any, episode: Mapping[str, float]) -> None:
        """Write a line."""
        number = int(episode["global_episode"])
        if self._timer.is_due(number):
            rest = "  ".join(
                f"{name} {value:.6g}" for name, value in episode.items() if name != "global_episode"
            )
            logger.info("episode %d  %s", number, rest)


class EpisodeCounter(Callback):
    """Write the rate to the metrics, as `episodes_per_second` in a split called `rate`.

    Args:
        every_n_episodes: over how many episodes it is measured.
    """

    def __init__(self, every_n_episodes: PositiveInt = 100) -> None:
        self._timer = EpisodeTimer(every_n_episodes)
        self._last: tuple[int, float] | None = None

    def on_episode(self, run: Any, episode: Mapping[str, float]) -> None:
        """Measure."""
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


class EpisodeSummarySaver(Callback):
    """Append how episodes went to `metrics.jsonl`, in a split of their own.

    Args:
        every_n_episodes: how often; or give `every_secs`.
        every_secs: so long lies between two.
        split: the split's name.
    """

    def __init__(
        self,
        every_n_episodes: PositiveInt | None = None,
        every_secs: PositiveFloat | None = None,
        split: str = "episode",
    ) -> None:
        self._timer, self._split = EpisodeTimer(every_n_episodes, every_secs), split

    def on_episode(self, run: Any, episode: Mapping[str, float]) -> None:
        """Write a line."""
        if self._timer.is_due(int(episode["global_episode"])):
            run.run_directory.append_metrics(int(episode["global_step"]), self._split, episode)


class EpisodeCheckpointSaver(Callback):
    """Save checkpoints besides those of the run config.

    Args:
        every_n_episodes: how often; or give `every_secs`.
        every_secs: so long lies between two.
    """

    def __init__(
        self, every_n_episodes: PositiveInt | None = None, every_secs: PositiveFloat | None = None
    ) -> None:
        self._timer = EpisodeTimer(every_n_episodes, every_secs)

    def on_episode(self, run: Any, episode: Mapping[str, float]) -> None:
        """Ask for one."""
        if self._timer.is_due(int(episode["global_episode"])):
            run.save_checkpoint()
