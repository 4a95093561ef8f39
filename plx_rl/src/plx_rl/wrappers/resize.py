"""Images of another size."""

from __future__ import annotations

from typing import final

from attrs import frozen

from plx_core.annotations import PositiveInt
from plx_core.types import Space
from plx_rl.types import Env, Observation
from plx_rl.wrappers.images import image_space, is_image, resize
from plx_rl.wrappers.observation import PartWrapper


@final
@frozen
class Resize:
    """Resize images [H, W] or [H, W, C]; each new pixel is the mean of the area it covers.

    Args:
        height: the new H.
        width: the new W.
    """

    height: PositiveInt = 84
    width: PositiveInt = 84

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return _Resize(env, self)


class _Resize(PartWrapper):
    def __init__(self, env: Env, size: Resize) -> None:
        self._size = size
        super().__init__(env)

    def applies(self, space: Space) -> bool:
        return is_image(space)

    def space_of(self, space: Space) -> Space:
        return image_space(self._size.height, self._size.width, space.shape[2:])

    def change(self, value: Observation, name: str) -> Observation:
        return resize(value, self._size.height, self._size.width)
