"""Greyscale images."""

from __future__ import annotations

from typing import final

from attrs import frozen

from plx_core.types import Space
from plx_rl.types import Env, Observation
from plx_rl.wrappers.images import grey, image_space, is_image
from plx_rl.wrappers.observation import PartWrapper


@final
@frozen
class GreyScale:
    """Convert RGB images [H, W, 3] to greyscale [H, W, 1]."""

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return _GreyScale(env)


class _GreyScale(PartWrapper):
    def applies(self, space: Space) -> bool:
        return is_image(space) and len(space.shape) == 3 and space.shape[2] == 3

    def space_of(self, space: Space) -> Space:
        return image_space(space.shape[0], space.shape[1], (1,))

    def change(self, value: Observation, name: str) -> Observation:
        return grey(value)
