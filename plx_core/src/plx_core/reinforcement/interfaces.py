"""The interfaces of environments, explorations, memories, policies and learners."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from attrs import frozen

from plx_core.errors import ComponentError
from plx_core.state import Seedable, State, Stateful
from plx_core.types import Array, Batch, Network, Observations, Space


@frozen
class Step:
    """The result of one step in N environments; arrays have a leading axis of N and are read-only.

    Where an episode ended, as `terminated` or `truncated` says, the environment has been reset:
    `observations` holds the first observation of the next episode and `final_observations` the last
    one of the episode that ended. Elsewhere the two are the same.

    Args:
        observations: what to act on next: an array, or arrays by name.
        rewards: float32 [N].
        terminated: bool [N], true where the episode reached a terminal state.
        truncated: bool [N], true where the episode was cut short, by a time limit for example.
        final_observations: the observations that the actions led to.
        action_masks: bool [N, A], the legal discrete actions of the next step; None when all are.
        final_action_masks: the same for `final_observations`.
        raw_rewards: the rewards before scaling or clipping, which make up an episode's return;
            `rewards` when None.
        valid: bool [N], false where the step was an auto-reset and not a transition; None means all
            are valid.
        continues: bool [N], true where an episode ended for the learner only, as after a lost life:
            the game goes on, and its return is not complete. None means nowhere.
    """

    observations: Observations
    rewards: Array
    terminated: Array
    truncated: Array
    final_observations: Observations
    action_masks: Array | None = None
    final_action_masks: Array | None = None
    raw_rewards: Array | None = None
    valid: Array | None = None
    continues: Array | None = None

    def transition(
        self, observations: Observations, actions: Array, masks: Array | None
    ) -> dict[str, Observations]:
        """Return what a memory stores of this step.

        Args:
            observations: the observations before the step.
            actions: the actions taken.
            masks: bool [N, A], the actions that were legal; None when all were.
        """
        fields = {
            "state": observations,
            "action": actions,
            "reward": self.rewards,
            "next_state": self.final_observations,
            "terminated": self.terminated,
            "truncated": self.truncated,
        }
        if self.final_action_masks is not None:
            all_legal = self.final_action_masks | True
            fields["next_mask"] = self.final_action_masks
            fields["mask"] = all_legal if masks is None else masks
        return fields

    @property
    def ended(self) -> Array:
        """Where an episode ended for either reason: bool [N]."""
        ended: Array = self.terminated | self.truncated
        return ended

    @property
    def completed(self) -> Array:
        """Where an episode ended whose return is complete: bool [N]."""
        return self.ended if self.continues is None else self.ended & ~self.continues


class Environment(Stateful):
    """A vector of N ≥ 1 environments with auto-reset.

    Each is reset in the step that ends its episode. Networks may see other observations than the
    environment's own, such as one-hot vectors or normalised numbers, and choose other actions, such
    as numbers from -1 to 1. The environment's own are called raw: a class that converts them
    overrides everything with `raw` or `encode` in its name, and the two networks. Exports, played
    episodes and demonstrations are raw.
    """

    num_envs: int
    seed: int | None = None
    """The seed of the first reset; the agent's own when None."""
    inexact_because: str = ""
    """Why `state` cannot capture the environment exactly; empty when it can.

    After `restore`, an inexact environment has to be reset.
    """

    @property
    @abstractmethod
    def observation_space(self) -> Space:
        """The gymnasium space of one observation, as `reset` and `step` return it."""

    @property
    @abstractmethod
    def action_space(self) -> Space:
        """The gymnasium space of one action, as `step` takes it."""

    @property
    def action_masks(self) -> Array | None:
        """The discrete actions that are legal now, bool [N, A]; None when all are."""
        return None

    @property
    def num_states(self) -> int:
        """The number of values in an observation."""
        return _num_values(self.observation_space)

    @property
    def num_actions(self) -> int:
        """The number of discrete actions, or of values in a continuous one."""
        space = self.action_space
        is_discrete = hasattr(space, "n") and not getattr(space, "shape", ())
        return int(space.n) if is_discrete else _num_values(space)

    @property
    def is_continuous(self) -> bool:
        """Whether actions are real numbers."""
        return hasattr(self.action_space, "low") and self.action_space.dtype.kind == "f"

    @abstractmethod
    def reset(self, seed: int | None = None) -> Observations:
        """Start an episode in each environment; return the first observations, [N, …]."""

    @abstractmethod
    def step(self, actions: Array) -> Step:
        """Take one action in each environment: int [N] or float [N, …]."""

    @property
    def observation_statistics(self) -> Sequence[str]:
        """What changes observations by running statistics, in order, each with its parameters.

        A policy acts only in environments where this is the same as in training.
        """
        return ()

    @property
    def unnormalized(self) -> tuple[Observations, Observations]:
        """The latest observations and final observations, before `normalize`.

        Read only where there are `observation_statistics`; after a reset the two are the same.
        """
        raise NotImplementedError

    def normalize(self, observations: Observations) -> Observations:
        """Return observations of any number of rows, as `step` returns them now.

        Args:
            observations: as `unnormalized` has them. The statistics do not change.
        """
        return observations

    def follow(self, training: State, *, freeze: bool = True) -> None:
        """Take over the statistics of a training environment's state.

        Args:
            training: the state; its environments may be of another number.
            freeze: whether to leave the statistics unchanged from now on, as in an evaluation.
        """

    @property
    def raw_observation_space(self) -> Space:
        """The gymnasium space of one raw observation."""
        return self.observation_space

    @property
    def raw_action_space(self) -> Space:
        """The gymnasium space of one raw action."""
        return self.action_space

    @property
    def raw_observations(self) -> Observations | None:
        """The raw form of the last observations, [N, …]; None if there is no other form."""
        return None

    @property
    def raw_final_observations(self) -> Observations | None:
        """The raw form of the last `final_observations`; None if there is no other form."""
        return None

    def raw_actions(self, actions: Array) -> Array:
        """Return the raw actions, [N, …], that `step` takes for these actions."""
        return actions

    def encode_observations(self, raw: Observations) -> Observations:
        """Return raw observations as networks see them, [N, …]; statistics stay as they are."""
        return raw

    def encode_actions(self, raw: Array) -> Array:
        """Return the actions, [N, …], for which `step` takes these raw actions."""
        return raw

    def encode_rewards(self, raw: Array) -> Array:
        """Return raw rewards, float32 [N], as a learner sees them; statistics stay as they are."""
        return raw

    def processing_network(self) -> Network | None:
        """Return `encode_observations` as a network, or None if there is no other form.

        An export puts it before the policy's network. Both are features by name.
        """
        return None

    def action_network(self) -> Network | None:
        """Return `raw_actions` as a network, or None if there is no other form.

        An export puts it after the policy's network.
        """
        return None

    def close(self) -> None:
        """Close windows, processes and files."""


def _num_values(space: Space) -> int:
    if hasattr(space, "spaces"):
        parts = space.spaces.values() if isinstance(space.spaces, Mapping) else space.spaces
        return sum(_num_values(part) for part in parts)
    return math.prod(space.shape)


class Exploration(Stateful, Seedable):
    """How N agents depart from their greedy actions.

    The same seed and the same calls give the same actions.
    """

    @abstractmethod
    def rate(self, timestep: int) -> Array | float:
        """Return how much is explored at a timestep: a rate, scale or temperature."""

    @abstractmethod
    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the actions to take.

        Args:
            greedy: int [N] or float [N, D], the actions that the model prefers.
            timestep: the number of actions before this one, over all environments.
            scores: float [N, A], the model's score of each discrete action.
            masks: bool [N, A], the legal discrete actions; None when all are.
        """

    def restart(self, ended: Array) -> None:
        """Start new episodes where `ended`, bool [N], is true."""


class Memory(Stateful, Seedable):
    """Where transitions are stored until they are sampled: a replay or rollout buffer.

    `size` is the capacity in transitions, `batch_size` the number of transitions in a batch, and
    `discount` the γ of n-step returns; an agent sets it to its model's where it is None.
    """

    size: int
    batch_size: int
    discount: float | None = None
    n_step: int = 1
    """The number of steps that a stored transition spans."""
    is_cleared_by_sample: bool = False
    """Whether a sample returns and removes everything in order, as on-policy models need it."""
    holds_demonstrations: bool = False
    """Whether a sample marks an expert's transitions in `demonstration`, bool."""

    def attach(self, env: Environment) -> None:
        """Adapt stored transitions to the environments of training; called before the first step.

        Raises:
            DataError: they come from other environments.
        """

    @abstractmethod
    def step(self, **transition: Observations) -> None:
        """Add one transition for each of N environments.

        Args:
            transition: arrays, or arrays by name, with a leading axis of N: `state`, `next_state`,
                `action`, `reward`, `terminated`, `truncated`, and anything else to store. `env`,
                int [N], gives the environments' indices where they are not all of them in order.
        """

    @abstractmethod
    def can_sample(self, count: int | None = None) -> bool:
        """Whether there are `count` transitions, or enough for a batch when it is None."""

    @abstractmethod
    def sample(self, batches: int = 1) -> Batch:
        """Draw batches: arrays [batches, batch_size, …], named and nested as they were added."""

    @abstractmethod
    def get_by_index(self, index: int) -> Batch:
        """Return one transition: 0 is the oldest, -1 the newest."""

    def update_priorities(self, indices: Array, errors: Array) -> None:
        """Set the priorities of sampled transitions by their TD errors.

        Args:
            indices: the `indices` of a sample.
            errors: of the same shape.
        """

    def interrupt(self) -> None:
        """End the current episodes: the next transitions do not follow the previous ones."""

    @abstractmethod
    def clear(self) -> None:
        """Remove all transitions."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of stored transitions."""


class Policy(Stateful):
    """How an agent acts.

    It reads the weights that a learner updates, and may keep a copy of them to act faster.
    """

    @abstractmethod
    def act(self, observations: Observations, timestep: int, masks: Array | None = None) -> Array:
        """Return the actions to take while training: int [N] or [N, K], or float [N, D].

        Args:
            observations: an array [N, …], or arrays by name.
            timestep: the number of actions before this one, over all environments.
            masks: bool [N, A], the legal discrete actions; None when all are.
        """

    @abstractmethod
    def greedy(self, observations: Observations, masks: Array | None = None) -> Array:
        """Return the actions that the model prefers."""

    def refresh(self) -> None:
        """Read the weights again; called after each update."""

    def restart(self, ended: Array) -> None:
        """Start new episodes where `ended`, bool [N], is true."""

    def metrics(self, timestep: int) -> Mapping[str, float]:
        """Return what to log, such as `exploration_rate`."""
        return {}

    def state(self) -> State:
        """Return what acting needs besides the weights, such as generators."""
        return {}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""


@frozen
class UpdateResult:
    """Result of one or more updates.

    Args:
        metrics: means over the updates by name; `loss` is one of them.
        errors: the TD error of each transition, [K, B], for a prioritized memory.
    """

    metrics: Mapping[str, float]
    errors: Array | None = None


class FusedProgram(ABC):
    """A rollout and its updates in one compiled program, with a compiled environment."""

    @abstractmethod
    def run(self) -> tuple[UpdateResult, Sequence[Step], Observations]:
        """Collect a batch and update from it.

        Returns:
            The result of the updates; the steps, without observations; and the observations to act
            on next.
        """


class Learner(Stateful):
    """Updates weights from batches of transitions."""

    @property
    @abstractmethod
    def global_step(self) -> int:
        """The number of updates so far."""

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """The learning rate of the next update."""

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        raise ComponentError(f"the learning rate of a {type(self).__name__} cannot be set")

    @property
    def has_schedule(self) -> bool:
        """Whether the learning rate follows a schedule, so that it cannot be set."""
        return False

    def compile(self, *, xla: bool) -> None:
        """Set whether to compile with XLA; called between updates and before the first."""

    def check(self, memory: Memory) -> None:
        """Raise where this memory's samples do not fit; called before the first step."""

    def begin_from_weights(self) -> None:
        """Copy the weights, just loaded, into whatever follows them, such as a target."""

    def fuse(self, env: Environment, batch_size: int) -> FusedProgram | None:
        """Return one program for acting in this environment and learning; None if there is none.

        Args:
            env: possibly an environment that is a TensorFlow program.
            batch_size: the number of transitions in a batch.
        """
        return None

    @abstractmethod
    def update(self, batches: Batch, num_envs: int) -> UpdateResult:
        """Make one update for each of K batches, or as many as the algorithm makes of one.

        Args:
            batches: what `Memory.sample` returned: arrays [K, B, …] by name.
            num_envs: the number of environments; the rows of a batch that was sampled in order
                belong to them in turn.
        """

    @abstractmethod
    def find_non_finite(self) -> str:
        """Return the name of a weight that is not finite, or an empty string."""
