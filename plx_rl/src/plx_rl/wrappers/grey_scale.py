"""Colour images to grey ones."""

from __future__ import annotations

from typing import Any, final

import gymnasium
from attrs import frozen

from plx_rl.wrappers.images import grey, image_space, is_image
from plx_rl.wrappers.observation import PartWise


@final
@frozen
class GreyScale:
    """Makes images [H, W, 3] grey: [H, W, 1]."""

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with grey images."""
        return _GreyScale(env)


class _GreyScale(PartWise):
    def applies(self, space: Any) -> bool:
        return is_image(space) and len(space.shape) == 3 and space.shape[2] == 3

    def space_of(self, space: Any) -> Any:
        return image_space(space.shape[0], space.shape[1], (1,))

    def change(self, value: Any, name: str) -> Any:
        return grey(value)
