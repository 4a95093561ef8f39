"""Episodes as moving pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

import gymnasium
import numpy as np
from attrs import frozen

from plx_core.annotations import PositiveInt
from plx_core.errors import DataError


@final
@frozen
class RecordVideo:
    """Writes every so many episodes of the first environment as an animated GIF, `episode-000000.gif` and so on.

    Args:
        folder: where they are written.
        every_n_episodes: the first episode, and each after this many more, is written.
        max_frames: so many frames of an episode at most.
    """

    folder: str = "videos"
    every_n_episodes: PositiveInt = 100
    max_frames: PositiveInt = 1000

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment, recorded."""
        return _RecordVideo(env, self)


class _RecordVideo(gymnasium.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gymnasium.Env[Any, Any], settings: RecordVideo) -> None:
        super().__init__(env)
        if env.render_mode != "rgb_array":
            raise DataError(
                f"RecordVideo needs pictures (render_mode rgb_array); {env.unwrapped} draws {env.render_mode}"
            )
        self._settings = settings
        self._episode = -1
        self._frames: list[np.ndarray] = []

    def reset(self, **options: Any) -> Any:
        self._write()
        answer = self.env.reset(**options)
        self._episode += 1
        self._take()
        return answer

    def step(self, action: Any) -> Any:
        answer = self.env.step(action)
        self._take()
        return answer

    def close(self) -> None:
        self._write()
        super().close()

    def _take(self) -> None:
        if (
            self._episode % self._settings.every_n_episodes == 0
            and len(self._frames) < self._settings.max_frames
        ):
            self._frames.append(np.asarray(self.env.render(), np.uint8))

    def _write(self) -> None:
        if len(self._frames) > 1:
            fps = int(self.env.metadata.get("render_fps", 30))
            write_gif(
                Path(self._settings.folder) / f"episode-{self._episode:06d}.gif", self._frames, fps
            )
        self._frames = []


def write_gif(path: Path, frames: list[np.ndarray], fps: int) -> None:
    """Write frames [H, W, 3] as an animated GIF.

    Raises:
        DataError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("recording videos needs Pillow: pip install plx-rl[video]") from error

    # GIF players show no more than 50 frames a second: of faster ones every other is left out.
    stride = 2 if fps > 50 else 1
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [Image.fromarray(frame).quantize(64) for frame in frames[::stride]]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=round(1000 * stride / fps), loop=0
    )
