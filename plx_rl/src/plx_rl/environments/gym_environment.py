"""Environments of gymnasium, or of the old library gym."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

import numpy as np
from attrs import evolve
from gymnasium.vector import VectorEnv

import plx_core as plx
from plx_core import State, Step, make
from plx_core.annotations import NumEnvs, PositiveInt, PythonOnly, WrapperLike
from plx_core.errors import DataError, EnvironmentFailed
from plx_core.types import Observations, Space
from plx_rl.environments.factory import EnvFactory, make_vector
from plx_rl.environments.processes import make_async_vector
from plx_rl.environments.processing import action_network, processing_network
from plx_rl.environments.serialization import NotSerializable
from plx_rl.environments.simulator_state import inexactness
from plx_rl.environments.spaces import ActionDecoder, ObservationEncoder
from plx_rl.environments.vectors import GymVector, SyncVector, Vector
from plx_rl.types import Env
from plx_rl.wrappers.record_video import RecordVideo
from plx_rl.wrappers.transform import Transform

if TYPE_CHECKING:
    import keras


@final
class GymEnvironment(plx.Environment):
    """N copies of an environment registered with gymnasium.

    Observations are arrays, or mappings of names to arrays for a Dict space; uint8 stays uint8, and
    other numbers are float32. Actions in a bounded Box are between -1 and 1.

    Args:
        env_id: the id, such as CartPole-v1 or ALE/Pong-v5; in Python also a function that returns
            an environment. An id `module:Name` names code from outside, whose module must be
            imported or given as a plug-in.
        num_envs: how many copies.
        vectorization: `sync` steps the copies one after another, which is fastest if steps take
            microseconds; `async` runs each copy in its own process; `own` uses the environment's
            own vectorised version.
        wrappers: change observations and rewards, in order.
        env_params: parameters of the environment itself.
        max_episode_steps: truncate episodes after this many steps; by default the registered
            number.
        one_hot: encode discrete observations as one-hot vectors; otherwise they stay integers.
        scale_actions: scale actions from [-1, 1] to the bounds of a bounded Box; otherwise they are
            clipped to the bounds.
        library: `gym` for environments of the old library gym, up to its version 0.26.
        seed: the seed of the first reset.

    Example:
        >>> env = GymEnvironment("CartPole-v1", num_envs=2, seed=0)
        >>> env.reset().shape, env.step(np.array([0, 1])).rewards
        ((2, 4), array([1., 1.], dtype=float32))
    """

    def __init__(
        self,
        env_id: str | Annotated[Callable[..., Any], PythonOnly()],
        num_envs: NumEnvs = 1,
        vectorization: Literal["sync", "async", "own"] = "sync",
        wrappers: list[WrapperLike] | None = None,
        env_params: dict[str, Any] | None = None,
        max_episode_steps: PositiveInt | None = None,
        one_hot: bool = True,
        scale_actions: bool = True,
        library: Literal["gymnasium", "gym"] = "gymnasium",
        seed: int | None = None,
    ) -> None:
        self._transforms, single_wrappers = _split(
            [make("wrappers", wrapper) for wrapper in wrappers or ()]
        )
        if vectorization == "own" and single_wrappers:
            raise DataError(
                f"{type(single_wrappers[0]).__name__} wraps single environments, "
                "which vectorization: own does not have"
            )
        self.num_envs = num_envs
        self._factory = EnvFactory(
            env_id, dict(env_params or {}), max_episode_steps, single_wrappers, library
        )
        self.seed = seed
        self._first_seed = seed
        self._learns_statistics = True
        self._unnormalized: tuple[Observations, Observations] = (None, None)
        self._inexact_because: str | None = None
        self._interrupted_by = ""
        """What has left the environments in no known state, until they are reset."""
        self._vector = self._make_vector(vectorization, one_hot, scale_actions)

    @property
    def observation_space(self) -> Space:
        """The space of one observation, as `reset` and `step` return it."""
        space = self._vector.encoder.space
        for transform in self._transforms:
            space = transform.space(space)
        return space

    @property
    def action_space(self) -> Space:
        """The space of one action, as `step` takes it."""
        return self._vector.decoder.space

    @property
    def raw_observation_space(self) -> Space:
        """The space of an environment's own observations."""
        return self._vector.encoder.raw

    @property
    def raw_action_space(self) -> Space:
        """The space of an environment's own actions."""
        return self._vector.decoder.raw

    @property
    def raw_observations(self) -> Observations:
        """The environments' own form of the last observations, [N, …]."""
        return self._vector.raw_observations

    @property
    def raw_final_observations(self) -> Observations:
        """The environments' own form of the last `final_observations`, [N, …]."""
        return self._vector.raw_final_observations

    def raw_actions(self, actions: np.ndarray) -> np.ndarray:
        """Return the environments' own actions, [N, …], that `step` takes for these actions."""
        return np.asarray(self._vector.decoder.decode(actions))

    def encode_observations(self, raw: Observations) -> Observations:
        """Return the environments' own observations, [N, …], as `step` returns them."""
        return self._observe(self._vector.encoder.batch(raw), False)

    def encode_actions(self, raw: np.ndarray) -> np.ndarray:
        """Return the actions, [N, …], for which `step` takes these of the environments' own."""
        return self._vector.decoder.encode(raw)

    def encode_rewards(self, raw: np.ndarray) -> np.ndarray:
        """Return the environments' own rewards, [N], as `step` returns them."""
        goes_on = np.zeros(len(raw), bool)
        for transform in self._transforms:
            raw = transform.reward(raw, goes_on, False)
        return raw

    @property
    def action_masks(self) -> np.ndarray | None:
        """The legal actions, bool [N, A], from `info["action_mask"]`; None if all are legal."""
        return self._vector.masks

    @property
    def inexact_because(self) -> str:  # type: ignore[override]
        """Why `state` is incomplete; empty if it is complete. A trial decides it once."""
        if self._interrupted_by:
            return self._interrupted_by
        if self._inexact_because is None:
            self._inexact_because = self._try_state()
        return self._inexact_because

    def reset(self, seed: int | None = None) -> Observations:
        """Start an episode in each copy, and return the first observations."""
        if seed is None:
            seed = self._first_seed
        self._first_seed = None
        observations = self._vector.reset(seed)
        self._interrupted_by = ""
        self._unnormalized = (observations, observations)
        return self._observe(observations, self._learns_statistics)

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each copy.

        Raises:
            EnvironmentFailed: a copy raised an error, or its process has ended.
        """
        try:
            step = self._vector.step(actions)
        except EnvironmentFailed as error:
            self._interrupted_by = str(error)
            raise
        return self._transform(step) if self._transforms else step

    @property
    def observation_statistics(self) -> list[str]:
        """The wrappers that change observations by running statistics, in order."""
        return [transform.statistics for transform in self._transforms if transform.statistics]

    @property
    def unnormalized(self) -> tuple[Observations, Observations]:
        """The latest observations and final observations, before the wrappers that see all."""
        return self._unnormalized

    def normalize(self, observations: Observations) -> Observations:
        """Return such observations as the wrappers change them now."""
        return self._observe(observations, learn=False)

    def follow(self, training: State, *, freeze: bool = True) -> None:
        """Take over the statistics of a training environment's wrappers; see `Environment`."""
        self._learns_statistics = not freeze
        for name, transform in self._named_transforms().items():
            if name in training.get("transforms", {}):
                transform.follow(training["transforms"][name])

    def render(self) -> np.ndarray:
        """Return an image of the first copy, uint8 [H, W, 3].

        Raises:
            DataError: the environment does not return images.
        """
        image = self._vector.render() if isinstance(self._vector, SyncVector) else None
        if image is None:
            raise DataError(
                "the environment returns no images; "
                "set env_params: {render_mode: rgb_array} and vectorization: sync"
            )
        return np.asarray(image, np.uint8)

    def processing_network(self) -> keras.Model | None:
        """Return a network from raw observations to those of `reset` and `step`."""
        return processing_network(self._vector.encoder, self._transforms)

    def action_network(self) -> keras.Model:
        """Return a network from actions of `step` to the environments' own."""
        return action_network(self._vector.decoder)

    def close(self) -> None:
        """Close windows, processes and files."""
        self._vector.close()

    def state(self) -> State:
        """Return the states of the transforms, and of the environments if it is complete."""
        is_exact = not self.inexact_because
        transforms = {
            name: transform.state() for name, transform in self._named_transforms().items()
        }
        return {
            "exact": is_exact,
            "vector": self._vector.state() if is_exact else {},
            "transforms": transforms,
        }

    def restore(self, state: State) -> None:
        """Continue from a state; if it is not exact, the environments must be reset.

        Raises:
            ValueError: the state is of other wrappers.
        """
        self._learns_statistics = True
        transforms, saved = self._named_transforms(), state["transforms"]
        if transforms.keys() != saved.keys():
            raise ValueError(f"its wrappers are {sorted(saved)}; these are {sorted(transforms)}")
        for name, transform in transforms.items():
            transform.restore(saved[name])
        if not state["exact"]:
            self._interrupted_by = self.inexact_because or "the restored state is incomplete"
            return
        try:
            self._vector.restore(state["vector"])
        except NotSerializable as error:
            self._inexact_because = str(error)
            warnings.warn(
                f"the environments could not be restored and start new episodes: {error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _named_transforms(self) -> dict[str, Transform]:
        """Name transforms by class, so that an evaluation may omit those that change rewards."""
        counts: dict[str, int] = {}
        named = {}
        for transform in self._transforms:
            kind = type(transform).__name__
            counts[kind] = counts.get(kind, 0) + 1
            named[f"{kind}_{counts[kind]}"] = transform
        return named

    def _make_vector(self, vectorization: str, one_hot: bool, scale_actions: bool) -> Vector:
        factory = self._factory
        factories = [evolve(factory, records=index == 0) for index in range(self.num_envs)]
        if vectorization == "sync":
            envs = [factory() for factory in factories]
            return SyncVector(
                envs,
                ObservationEncoder(envs[0].observation_space, one_hot),
                ActionDecoder(envs[0].action_space, scale_actions),
            )
        vector: VectorEnv[Any, Any, Any]
        if vectorization == "async":
            vector = make_async_vector(factories, plx.requested_plugins())
        else:
            vector = make_vector(
                factory.env_id, self.num_envs, factory.params, factory.max_episode_steps
            )
        return GymVector(
            vector,
            ObservationEncoder(vector.single_observation_space, one_hot),
            ActionDecoder(vector.single_action_space, scale_actions),
        )

    def _try_state(self) -> str:
        """Return why the state of the environments is incomplete; an empty string if it is not."""
        if not isinstance(self._vector, GymVector) or self._vector.is_async:
            return inexactness(self._factory)
        try:
            self._vector.state()
        except NotSerializable as error:
            return str(error)
        return ""

    def _observe(self, observations: Observations, learn: bool) -> Observations:
        for transform in self._transforms:
            observations = transform.observe(observations, learn)
        return observations

    def _transform(self, step: Step) -> Step:
        self._unnormalized = (step.observations, step.final_observations)
        observations = self._observe(step.observations, self._learns_statistics)
        final_observations = observations
        if step.final_observations is not step.observations:
            final_observations = self._observe(step.final_observations, False)
        rewards, ended = step.rewards, step.ended
        for transform in self._transforms:
            rewards = transform.reward(rewards, ended, self._learns_statistics)
        return evolve(
            step,
            observations=observations,
            final_observations=final_observations,
            rewards=rewards,
            raw_rewards=step.rewards,
        )


def _split(
    wrappers: Sequence[Transform | Callable[[Env], Env]],
) -> tuple[list[Transform], list[Callable[[Env], Env]]]:
    """Separate the wrappers of all environments at once from those of single environments.

    Raises:
        DataError: one of the latter comes after one of the former, or is not a wrapper.
    """
    transforms: list[Transform] = []
    single_wrappers: list[Callable[[Env], Env]] = []
    for wrapper in wrappers:
        if isinstance(wrapper, Transform):
            transforms.append(wrapper)
        elif not callable(wrapper):
            raise DataError(
                f"a wrapper must be a function of an environment that returns one; got {wrapper!r}"
            )
        elif transforms and not isinstance(wrapper, RecordVideo):
            raise DataError(
                f"{type(wrapper).__name__} must come before {type(transforms[0]).__name__}, "
                "which transforms what single environments return"
            )
        else:
            single_wrappers.append(wrapper)
    return transforms, single_wrappers
