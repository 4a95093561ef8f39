"""Videos of episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

import numpy as np
from attrs import frozen

from plx_core.annotations import PositiveInt
from plx_core.errors import DataError
from plx_rl.types import Action, Env, ResetResult, StepResult, Wrapper


@final
@frozen
class RecordVideo:
    """Write episodes of the first environment as animated GIFs named `episode-000000.gif` etc.

    Args:
        folder: the folder of the GIFs.
        every_n_episodes: record the first episode and every n-th after it.
        max_frames: the maximum number of frames per episode.
    """

    folder: str = "videos"
    every_n_episodes: PositiveInt = 100
    max_frames: PositiveInt = 1000

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return _RecordVideo(env, self)


class _RecordVideo(Wrapper):
    def __init__(self, env: Env, settings: RecordVideo) -> None:
        super().__init__(env)
        if env.render_mode != "rgb_array":
            raise DataError(
                f"RecordVideo needs render_mode rgb_array; "
                f"the render_mode of {env.unwrapped} is {env.render_mode}"
            )
        self._settings = settings
        self._episode = -1
        self._frames: list[np.ndarray] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> ResetResult:
        self._write()
        result = self.env.reset(seed=seed, options=options)
        self._episode += 1
        self._record()
        return result

    def step(self, action: Action) -> StepResult:
        result = self.env.step(action)
        self._record()
        return result

    def close(self) -> None:
        self._write()
        super().close()

    def _record(self) -> None:
        is_recorded = self._episode % self._settings.every_n_episodes == 0
        if is_recorded and len(self._frames) < self._settings.max_frames:
            self._frames.append(np.asarray(self.env.render(), np.uint8))

    def _write(self) -> None:
        if len(self._frames) > 1:
            path = Path(self._settings.folder) / f"episode-{self._episode:06d}.gif"
            write_gif(path, self._frames, int(self.env.metadata.get("render_fps", 30)))
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

    # GIF players show at most 50 frames a second; above that, write every other frame.
    stride = 2 if fps > 50 else 1
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [Image.fromarray(frame).quantize(64) for frame in frames[::stride]]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=round(1000 * stride / fps), loop=0
    )
