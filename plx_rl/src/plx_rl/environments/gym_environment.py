"""Environments of gymnasium, or of the old library gym."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

import numpy as np
from attrs import evolve

import plx_core as plx
from plx_core import State, Step, make
from plx_core.annotations import PositiveInt, PythonOnly, WrapperLike
from plx_core.errors import DataError
from plx_rl.environments.factory import Maker, make_vector
from plx_rl.environments.processing import processing_network
from plx_rl.environments.serialization import NotPlainData
from plx_rl.environments.simulator_state import inexactness
from plx_rl.environments.spaces import Actions, Observations
from plx_rl.environments.vectors import Batched, Capturable, Serial, Vector, in_processes
from plx_rl.wrappers.record_video import RecordVideo
from plx_rl.wrappers.transform import Transform

if TYPE_CHECKING:
    import keras


@final
class GymEnvironment(plx.Environment):
    """N copies of an environment that gymnasium has registered.

    Observations are arrays, or mappings of names to arrays where the environment's are a Dict: bytes stay bytes, other numbers
    are float32. Actions of a bounded Box are given between -1 and 1.

    Args:
        env_id: the id, such as CartPole-v1 or ALE/Pong-v5; in Python also a function that makes an environment. An id `module:Name`
            names code from outside, and its module has to be imported or given as a plug-in.
        num_envs: how many copies.
        vectorization: `sync` steps the copies in turn, which is quickest while a step takes microseconds; `async` gives each a
            process of its own; `own` takes the vector form that the environment brings along.
        wrappers: what changes observations and rewards, in order.
        env_params: parameters of the environment itself.
        max_episode_steps: after how many steps an episode is cut short, in place of the registered number.
        one_hot: whether a discrete observation becomes a vector in which one number is 1; else it stays a number.
        scale_actions: whether actions between -1 and 1 are stretched to the bounds of a bounded Box.
        library: `gym` for environments of the old library, up to its version 0.26.
        seed: of the first reset.

    Example:
        >>> env = GymEnvironment("CartPole-v1", num_envs=2, seed=0)
        >>> env.reset().shape, env.step(np.array([0, 1])).rewards
        ((2, 4), array([1., 1.], dtype=float32))
    """

    def __init__(
        self,
        env_id: str | Annotated[Callable[..., Any], PythonOnly()],
        num_envs: PositiveInt = 1,
        vectorization: Literal["sync", "async", "own"] = "sync",
        wrappers: list[WrapperLike] | None = None,
        env_params: dict[str, Any] | None = None,
        max_episode_steps: PositiveInt | None = None,
        one_hot: bool = True,
        scale_actions: bool = True,
        library: Literal["gymnasium", "gym"] = "gymnasium",
        seed: int | None = None,
    ) -> None:
        made = [make("wrappers", wrapper) for wrapper in wrappers or ()]
        self._transforms, singles = _sorted(made)
        self.num_envs = num_envs
        self._maker = Maker(env_id, dict(env_params or {}), max_episode_steps, singles, library)
        if vectorization == "own" and singles:
            raise DataError(
                f"{type(singles[0]).__name__} wraps one environment at a time, which vectorization: own does not have"
            )
        self.seed = self._first_seed = seed
        self._learning = True
        self._inexact_because: str | None = None
        self._vector = self._make(vectorization, one_hot, scale_actions)

    @property
    def observation_space(self) -> Any:
        """The space of one observation, as `reset` and `step` give it."""
        space = self._vector.observations.space
        for transform in self._transforms:
            space = transform.space(space)
        return space

    @property
    def action_space(self) -> Any:
        """The space of one action, as `step` takes it."""
        return self._vector.actions.space

    @property
    def action_masks(self) -> np.ndarray | None:
        """Which discrete actions are legal now, as `info["action_mask"]` says."""
        return self._vector.masks

    @property
    def inexact_because(self) -> str:  # type: ignore[override]
        """Why `state` cannot hold all that an environment is; found out by a trial, once."""
        if self._inexact_because is None:
            self._inexact_because = (
                inexactness(self._maker)
                if isinstance(self._vector, Serial)
                else self._why_batched_is_inexact()
            )
        return self._inexact_because

    def reset(self, seed: int | None = None) -> Any:
        """Start an episode in each; the first observations."""
        seed, self._first_seed = self._first_seed if seed is None else seed, None
        return self._observe(self._vector.reset(seed), self._learning)

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each."""
        step = self._vector.step(actions)
        return self._transformed(step) if self._transforms else step

    def follow(self, training: State) -> None:
        """Normalise as the environment of this state did, in which an agent learns."""
        self._learning = False
        for name, transform in self._named_transforms().items():
            if name in training.get("transforms", {}):
                transform.restore(training["transforms"][name])

    def render(self) -> np.ndarray:
        """A picture of the first copy, uint8 [H, W, 3]; `env_params: {render_mode: rgb_array}` makes an environment draw.

        Raises:
            DataError: it draws none.
        """
        picture = self._vector.render() if isinstance(self._vector, Serial) else None
        if picture is None:
            raise DataError(
                "there is no picture of the environment; it needs env_params: {render_mode: rgb_array} and vectorization: sync"
            )
        return np.asarray(picture, np.uint8)

    def processing_network(self) -> keras.Model | None:
        """From raw observations to those that `reset` and `step` give."""
        return processing_network(self._vector.observations, self._transforms)

    def close(self) -> None:
        """Let go of windows, processes and files."""
        self._vector.close()

    def state(self) -> State:
        """The environments, where they can give their state, and the transforms."""
        exact = not self.inexact_because
        transforms = {
            name: transform.state() for name, transform in self._named_transforms().items()
        }
        return {
            "exact": exact,
            "vector": self._vector.state() if exact else {},
            "transforms": transforms,
        }

    def restore(self, state: State) -> None:
        """Go on from a state; where it is not exact, the environments have to be reset."""
        self._learning = True
        for name, transform in self._named_transforms().items():
            transform.restore(state["transforms"][name])
        if not state["exact"]:
            self._inexact_because = (
                self.inexact_because or "the state that was restored is not exact"
            )
            return
        try:
            self._vector.restore(state["vector"])
        except NotPlainData as error:
            self._inexact_because = str(error)
            warnings.warn(
                f"the environments could not be restored and begin new episodes: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _named_transforms(self) -> dict[str, Transform]:
        """By their classes, so that an environment of evaluation may leave out those that change rewards."""
        counts: dict[str, int] = {}
        named = {}
        for transform in self._transforms:
            kind = type(transform).__name__
            counts[kind] = counts.get(kind, 0) + 1
            named[f"{kind}_{counts[kind]}"] = transform
        return named

    def _make(self, vectorization: str, one_hot: bool, scale_actions: bool) -> Vector:
        makers = [evolve(self._maker, records=index == 0) for index in range(self.num_envs)]
        if vectorization == "sync":
            envs = [maker() for maker in makers]
            return Serial(
                envs,
                Observations(envs[0].observation_space, one_hot),
                Actions(envs[0].action_space, scale_actions),
            )
        if vectorization == "async":
            batched = in_processes(
                [_CapturableMaker(maker, index) for index, maker in enumerate(makers)]
            )
        else:
            maker = self._maker
            batched = make_vector(
                maker.env_id, self.num_envs, maker.params, maker.max_episode_steps
            )
        return Batched(
            batched,
            Observations(batched.single_observation_space, one_hot),
            Actions(batched.single_action_space, scale_actions),
        )

    def _why_batched_is_inexact(self) -> str:
        if self._vector.is_async:  # type: ignore[attr-defined]
            return inexactness(self._maker)
        try:
            self._vector.state()
        except NotPlainData as error:
            return str(error)
        return ""

    def _observe(self, observations: Any, learn: bool) -> Any:
        for transform in self._transforms:
            observations = transform.observe(observations, learn)
        return observations

    def _transformed(self, step: Step) -> Step:
        observations = self._observe(step.observations, self._learning)
        final = (
            observations
            if step.final_observations is step.observations
            else self._observe(step.final_observations, False)
        )
        rewards, ended = step.rewards, step.ended
        for transform in self._transforms:
            rewards = transform.reward(rewards, ended, self._learning)
        return evolve(
            step,
            observations=observations,
            final_observations=final,
            rewards=rewards,
            raw_rewards=step.rewards,
        )


class _CapturableMaker:
    """Makes an environment that can be asked for its state from another process."""

    def __init__(self, maker: Maker, index: int) -> None:
        self._maker = maker
        self._index = index

    def __call__(self) -> Capturable:
        return Capturable(self._maker(), self._index)


def _sorted(wrappers: Sequence[Any]) -> tuple[list[Transform], list[Any]]:
    """The wrappers that see all environments at once, and those that see one at a time.

    Raises:
        DataError: one of the latter comes after one of the former, or is no wrapper.
    """
    transforms: list[Transform] = []
    singles: list[Any] = []
    for wrapper in wrappers:
        if isinstance(wrapper, Transform):
            transforms.append(wrapper)
        elif not callable(wrapper):
            raise DataError(
                f"a wrapper is called with an environment and returns one; got {wrapper!r}"
            )
        elif transforms and not isinstance(wrapper, RecordVideo):
            raise DataError(
                f"{type(wrapper).__name__} has to come before {type(transforms[0]).__name__}, which sees what it changed"
            )
        else:
            singles.append(wrapper)
    return transforms, singles
