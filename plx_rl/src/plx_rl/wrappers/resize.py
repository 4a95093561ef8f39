"""Images of another size."""

from __future__ import annotations

from typing import Any, final

import gymnasium
from attrs import frozen

from plx_core.annotations import PositiveInt
from plx_rl.wrappers.images import image_space, is_image, resize
from plx_rl.wrappers.observation import PartWise


@final
@frozen
class Resize:
    """Gives images [H, W] or [H, W, C] another size; each pixel is the mean of the area that it covers.

    Args:
        height: the new H.
        width: the new W.
    """

    height: PositiveInt = 84
    width: PositiveInt = 84

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with images of this size."""
        return _Resize(env, self)


class _Resize(PartWise):
    def __init__(self, env: gymnasium.Env[Any, Any], size: Resize) -> None:
        self._size = size
        super().__init__(env)

    def applies(self, space: Any) -> bool:
        return is_image(space)

    def space_of(self, space: Any) -> Any:
        return image_space(self._size.height, self._size.width, space.shape[2:])

    def change(self, value: Any, name: str) -> Any:
        return resize(value, self._size.height, self._size.width)
