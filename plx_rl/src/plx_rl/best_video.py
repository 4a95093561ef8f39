"""A moving picture of the best checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plx_core import Exporter, Modes, make, metric_value
from plx_core.annotations import EnvironmentLike, PositiveInt
from plx_rl.wrappers.record_video import write_gif


class BestVideo(Exporter):
    """Keeps an episode of the checkpoint that was best when it was evaluated, as `videos/NAME.gif` in the run directory.

    Args:
        env: where the episode is played; it has to draw: `env_params: {render_mode: rgb_array}`.
        name: the picture's name.
        metric: by which metric of the evaluation.
        higher_is_better: whether more of it is better.
        fps: how many frames it shows a second.
        max_frames: so many frames at most.
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
        self._env, self._name, self._metric = env, name, metric
        self._sign = 1.0 if higher_is_better else -1.0
        self._fps, self._max_frames = fps, max_frames

    def export(
        self, run: Any, input_fn: Any, step: int, metrics: Mapping[str, float], *, is_final: bool
    ) -> Path | None:
        """Write the picture, if the checkpoint is better than the one that the last shows."""
        target = Path(run.model_dir) / "videos" / f"{self._name}.gif"
        about = target.with_suffix(".json")
        value = metric_value(metrics, self._metric)
        if (
            about.exists()
            and self._sign * (value - json.loads(about.read_text(encoding="utf-8"))[self._metric])
            <= 0
        ):
            return None
        write_gif(target, self._episode(run, run.checkpoints.directory / f"{step:09d}"), self._fps)
        about.write_text(json.dumps({"step": step, self._metric: float(value)}), encoding="utf-8")
        return target

    def _episode(self, run: Any, checkpoint: Path) -> list[Any]:
        env = make("environments", self._env, mode=Modes.EVAL)
        frames = []
        for _ in run.play(env, checkpoint):
            frames.append(env.render())
            if len(frames) >= self._max_frames:
                break
        env.close()
        return frames
