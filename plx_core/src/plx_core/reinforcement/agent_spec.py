"""A model joins a graph to what it is trained with; calling it gives a specification that an estimator can run."""

from __future__ import annotations

from attrs import frozen

from plx_core.models.spec import EstimatorSpec
from plx_core.reinforcement.interfaces import Learner, Policy


@frozen(kw_only=True)
class AgentSpec(EstimatorSpec):
    """What an agent runs: a network, how to act by it, and how to learn.

    Args:
        policy: acts.
        learner: changes the weights; needed in training only.
        memory: what transitions are kept in where the agent is given no memory.
        discount: γ, for a memory that adds up the rewards of several steps.
    """

    policy: Policy
    learner: Learner | None = None
    memory: str = "Memory"
    discount: float | None = None
