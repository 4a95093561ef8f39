"""What a plug-in implements: small abstract classes, which core calls and nothing else.

What changes over time has `state()` and `restore()`: a mapping of names to NumPy arrays, numbers, texts, and mappings
of these. A checkpoint is those states, so a part that returns all that it would miss resumes exactly.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from plx_core.errors import ComponentError
from plx_core.state import Seedable, State, Stateful

if TYPE_CHECKING:
    import keras
    import numpy as np


@frozen
class Step:
    """What a vector of N environments answers to N actions; each array has a leading axis of N, and is never written to again.

    Where an episode ended, which `terminated` or `truncated` says, the environment has been reset: `observations` holds the
    first of the next episode, and `final_observations` the last of the ended one. Elsewhere the two are the same.

    Args:
        observations: what to act on next: an array, or a mapping of names to arrays.
        rewards: float32 [N].
        terminated: bool [N], where nothing can follow.
        truncated: bool [N], where the episode was cut short though more would have followed.
        final_observations: what the actions led to.
        action_masks: bool [N, A], which discrete actions are legal next; None when all are.
        final_action_masks: the same for `final_observations`.
        raw_rewards: the rewards before they were scaled or clipped, of which an episode's return is the sum; `rewards` when None.
        valid: bool [N], false where an environment spent the step on its reset: no transition, and not to be counted; all are when
            None.
    """

    observations: Any
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    final_observations: Any
    action_masks: np.ndarray | None = None
    final_action_masks: np.ndarray | None = None
    raw_rewards: np.ndarray | None = None
    valid: np.ndarray | None = None

    def transition(
        self, observations: Any, actions: np.ndarray, masks: np.ndarray | None
    ) -> dict[str, Any]:
        """What a memory keeps of this step.

        Args:
            observations: what was acted on.
            actions: what was done.
            masks: which actions were legal.
        """
        kept = {
            "state": observations,
            "action": actions,
            "reward": self.rewards,
            "next_state": self.final_observations,
            "terminated": self.terminated,
            "truncated": self.truncated,
        }
        if self.final_action_masks is not None:
            every = self.final_action_masks | True  # where no environment named any, all were legal
            kept |= {
                "next_mask": self.final_action_masks,
                "mask": every if masks is None else masks,
            }
        return kept

    @property
    def ended(self) -> np.ndarray:
        """Where an episode ended, for either reason: bool [N]."""
        ended: np.ndarray = self.terminated | self.truncated
        return ended


class Environment(Stateful):
    """A vector of N ≥ 1 environments, each reset by itself as soon as its episode ends.

    Actions in a bounded space are given between -1 and 1 where `action_space` says so.
    """

    num_envs: int
    seed: int | None = None
    """Of the first reset; an agent gives its own where it is None."""
    inexact_because: str = ""
    """Why `state` cannot hold all that an environment is; empty when it can. Restored, such a one is to be reset."""

    @property
    @abstractmethod
    def observation_space(self) -> Any:
        """The gymnasium space of one observation, as `reset` and `step` give it."""

    @property
    @abstractmethod
    def action_space(self) -> Any:
        """The gymnasium space of one action, as `step` takes it."""

    @property
    def action_masks(self) -> np.ndarray | None:
        """Which discrete actions are legal now, bool [N, A]; None when all are."""
        return None

    @property
    def num_states(self) -> int:
        """How many numbers an observation has."""
        return _numbers_in(self.observation_space)

    @property
    def num_actions(self) -> int:
        """How many discrete actions there are, or how many numbers a continuous one has."""
        space = self.action_space
        return (
            int(space.n)
            if hasattr(space, "n") and not getattr(space, "shape", ())
            else _numbers_in(space)
        )

    @property
    def is_continuous(self) -> bool:
        """Whether actions are real numbers."""
        return hasattr(self.action_space, "low") and self.action_space.dtype.kind == "f"

    @abstractmethod
    def reset(self, seed: int | None = None) -> Any:
        """Start an episode in each; the first observations, [N, …]."""

    @abstractmethod
    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each: int [N] or float [N, …]."""

    def follow(self, training: State) -> None:
        """Change observations as the environment of this state did, in which an agent learns, and learn nothing more about them."""

    def processing_network(self) -> keras.Model | None:
        """What was done to raw observations, as a network; an export puts it before the policy's own."""
        return None

    def close(self) -> None:
        """Let go of windows, processes and files."""


def _numbers_in(space: Any) -> int:
    if hasattr(space, "spaces"):
        parts = space.spaces.values() if isinstance(space.spaces, Mapping) else space.spaces
        return sum(_numbers_in(part) for part in parts)
    return math.prod(space.shape)


class Exploration(Stateful, Seedable):
    """How N agents depart from their greedy actions; the same seed and calls give the same choices."""

    @abstractmethod
    def rate(self, timestep: int) -> np.ndarray | float:
        """How much is explored at this number of actions taken: a rate, a scale or a temperature."""

    @abstractmethod
    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The actions to take.

        Args:
            greedy: int [N] or float [N, D], the actions that the model would take.
            timestep: how many actions were taken before this one, over all environments.
            scores: float [N, A], what the model thinks of each discrete action.
            masks: bool [N, A], which discrete actions are legal.
        """

    def restart(self, ended: np.ndarray) -> None:
        """Episodes have ended where `ended`, bool [N], says so."""


class Memory(Stateful, Seedable):
    """Where transitions are kept until they are learnt from.

    `size` is how many are kept, `batch_size` how many make a batch. `discount` weighs the rewards of several steps where a
    transition reaches over them; an agent sets it to its model's where it is None.
    """

    size: int
    batch_size: int
    discount: float | None = None
    n_step: int = 1
    """Over how many steps a transition reaches."""
    is_cleared_by_sample: bool = False
    """Whether a sample hands over all that there is, in the order in which it happened, as on-policy models need it."""
    holds_demonstrations: bool = False
    """Whether a sample says in `demonstration`, bool, which transitions are an expert's."""

    def check_spaces(self, observation_space: Any, action_space: Any) -> None:
        """Called before the first step: raise where what is held already comes from an environment of other spaces."""

    @abstractmethod
    def step(self, **transition: Any) -> None:
        """Add one transition for each of N environments: arrays with a leading axis of N.

        Args:
            transition: `state` and `next_state` (arrays, or mappings of arrays), `action`, `reward`, `terminated`,
                `truncated` and what else is to be kept; `env`, int [N], says which environments these are, where they are
                not all of them in order.
        """

    @abstractmethod
    def can_sample(self, count: int | None = None) -> bool:
        """Whether there are `count` transitions, or enough for a batch."""

    @abstractmethod
    def sample(self, batches: int = 1) -> Mapping[str, Any]:
        """Draw `batches` batches at once: arrays of shape [batches, batch_size, …], named and nested as they were added."""

    @abstractmethod
    def get_by_index(self, index: int) -> Mapping[str, Any]:
        """One transition: 0 is the oldest, -1 the newest."""

    def update_priorities(self, indices: np.ndarray, errors: np.ndarray) -> None:
        """Say with what error transitions were learnt, where a sample has `indices`."""

    def interrupt(self) -> None:
        """The environments were reset amid an episode: what comes next does not follow what came before."""

    @abstractmethod
    def clear(self) -> None:
        """Forget everything."""

    @abstractmethod
    def __len__(self) -> int:
        """How many transitions are kept."""


class Policy(Stateful):
    """How an agent acts. It reads the weights that a learner changes, and may keep a copy of them for acting quickly."""

    @abstractmethod
    def act(self, observations: Any, timestep: int, masks: np.ndarray | None = None) -> np.ndarray:
        """The actions to take while learning, int [N] or [N, K], or float [N, D].

        Args:
            observations: of N environments: an array [N, …], or a mapping of names to such.
            timestep: how many actions were taken before, over all environments.
            masks: bool [N, A], which discrete actions are legal.
        """

    @abstractmethod
    def greedy(self, observations: Any, masks: np.ndarray | None = None) -> np.ndarray:
        """The actions that are thought best."""

    def refresh(self) -> None:
        """The weights have changed."""

    def restart(self, ended: np.ndarray) -> None:
        """Episodes have ended where `ended`, bool [N], says so."""

    def metrics(self, timestep: int) -> Mapping[str, float]:
        """What is worth logging, such as `exploration_rate`."""
        return {}

    def state(self) -> State:
        """What acting needs besides the weights, such as generators."""
        return {}

    def restore(self, state: State) -> None:
        """Go on from a state."""


@frozen
class UpdateResult:
    """What came of some updates.

    Args:
        metrics: numbers by name, `loss` among them; means over the updates.
        errors: how wrong each transition of the batches was, [K, B], for a memory that draws by error.
    """

    metrics: Mapping[str, float]
    errors: np.ndarray | None = None


class FusedProgram(ABC):
    """Acting, remembering and learning in one program, where an environment is a program itself."""

    @abstractmethod
    def run(self) -> tuple[UpdateResult, Sequence[Step], Any]:
        """Act until there is a batch, and learn from it.

        Returns:
            What came of it; the steps, without observations; and the observations to act on next.
        """


class Learner(Stateful):
    """Changes weights by what a memory holds."""

    @property
    @abstractmethod
    def global_step(self) -> int:
        """How many updates there have been."""

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
        """Called between updates, before the first at least: whether programs are to be compiled with XLA from now on."""

    def check(self, memory: Memory) -> None:
        """Called before the first step: raise where what this memory samples cannot be learnt from."""

    def begin_from_weights(self) -> None:
        """The weights have been taken from elsewhere: what follows them is to be made equal."""

    def fuse(self, env: Environment, batch_size: int) -> FusedProgram | None:
        """One program that acts in this environment and learns; None where there is none, and each is called in turn.

        Args:
            env: may be a program itself.
            batch_size: how many transitions are learnt from at once.
        """
        return None

    @abstractmethod
    def update(self, batches: Mapping[str, Any], num_envs: int) -> UpdateResult:
        """Make one update for each of K batches, or as many as the algorithm makes of one.

        Args:
            batches: what `Memory.sample` gave: arrays [K, B, …] by name.
            num_envs: over how many environments; a batch that was taken in order has their transitions in turn.
        """

    @abstractmethod
    def find_non_finite(self) -> str:
        """The name of a weight that holds a number that is not finite; an empty text when there is none."""
