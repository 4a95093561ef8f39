"""Exporters of agents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from plx_core import Exporter, Modes, make, metric_value
from plx_core.annotations import EnvironmentLike, PositiveInt
from plx_core.errors import ComponentError
from plx_core.types import Array
from plx_rl.wrappers.record_video import write_gif

if TYPE_CHECKING:
    from plx_core import Agent, Environment, Run


class BestVideo(Exporter):
    """Writes a video of the best checkpoint so far to `videos/NAME.gif` in the run directory.

    The video shows one greedy episode.

    Args:
        env: the environment of the episode. It needs a method `render` that returns an image, which
            a GymEnvironment has with `env_params: {render_mode: rgb_array}`.
        name: the name of the video.
        metric: the metric of the evaluation that decides which checkpoint is best.
        higher_is_better: whether a higher value of the metric is better.
        fps: frames per second.
        max_frames: the maximum number of frames.
    """

    def __init__(
        self,
        env: EnvironmentLike,
        name: str = "best",
        metric: str = "episode_return",
        higher_is_better: bool = True,
        fps: PositiveInt = 30,
        max_frames: PositiveInt = 1000,
    ) -> None:
        self._env = env
        self._name = name
        self._metric = metric
        self._sign = 1.0 if higher_is_better else -1.0
        self._fps = fps
        self._max_frames = max_frames

    def export(
        self,
        run: Run,
        source: Environment,
        step: int,
        metrics: Mapping[str, float],
        *,
        is_final: bool,
    ) -> Path | None:
        """Write the video if the checkpoint is better than that of the present video.

        Raises:
            ComponentError: `run` is not an agent, or the environment has no method `render`.
        """
        from plx_core import Agent

        if not isinstance(run, Agent):
            raise ComponentError(f"BestVideo records agents; this is an {type(run).__name__}")
        target = Path(run.model_dir) / "videos" / f"{self._name}.gif"
        about = target.with_suffix(".json")
        value = metric_value(metrics, self._metric)
        if about.exists():
            best = json.loads(about.read_text(encoding="utf-8"))[self._metric]
            if self._sign * (value - best) <= 0:
                return None
        frames = self._record(run, run.checkpoints.path_of(step))
        write_gif(target, frames, self._fps)
        about.write_text(json.dumps({"step": step, self._metric: float(value)}), encoding="utf-8")
        return target

    def _record(self, run: Agent, checkpoint: Path) -> list[Array]:
        env = make("environments", self._env, mode=Modes.EVAL)
        if not hasattr(env, "render"):
            raise ComponentError(
                f"BestVideo needs an environment with a method render, which {type(env).__name__} "
                "does not have; use a GymEnvironment"
            )
        frames = []
        for _ in run.play(env, checkpoint):
            frames.append(env.render())
            if len(frames) >= self._max_frames:
                break
        env.close()
        return frames
