"""The specification that an agent runs."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from plx_core.annotations import MemoryLike
from plx_core.models.spec import EstimatorSpec
from plx_core.reinforcement.episodes import EVALUATION_METRICS
from plx_core.reinforcement.interfaces import Learner, Policy
from plx_core.types import Nested, Tensor


@frozen(kw_only=True)
class AgentSpec(EstimatorSpec):
    """A network, how to act by it, and how to learn.

    Args:
        policy: chooses actions.
        learner: updates the weights; needed in training only.
        on_policy: whether the model learns from what its current policy has just done, in order,
            and not from a replay memory.
        memory: the memory to use where the agent is given none.
        discount: the discount γ, for a memory that adds up the rewards of several steps.
        action_fn: converts the network's outputs, and the legal actions, bool [B, A], or None, to
            the actions that `policy.greedy` chooses. Exports and predictions use it as part of a
            Keras network, so it may call only `keras.ops` and layers; the same holds for
            `predict_fn`, whose predictions are added. When None, `predict_fn` returns `action`, and
            actions cannot be masked.
    """

    policy: Policy
    learner: Learner | None = None
    on_policy: bool = False
    memory: MemoryLike | None = None
    discount: float | None = None
    action_fn: Callable[[Nested, Tensor | None], Tensor] | None = None

    @property
    def is_agent(self) -> bool:
        """Whether an agent runs this specification."""
        return True

    @property
    def evaluation_metrics(self) -> tuple[str, ...]:
        """The names of the metrics of an evaluation, which plays episodes."""
        return EVALUATION_METRICS

    @property
    def has_schedule(self) -> bool:
        """Whether the learner's learning rate follows a schedule, so that it cannot be set."""
        return self.learner is not None and self.learner.has_schedule
