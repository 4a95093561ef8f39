"""What an agent's training holds: an environment, a model, a memory, and how far they have come."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from plx_core.callbacks.callback import Callback
from plx_core.config.sections import WarmStartConfig
from plx_core.engine.loop import restore_callbacks
from plx_core.engine.warm_start import warm_start
from plx_core.engine.xla_trial import best_rate, is_quicker
from plx_core.errors import CheckpointError, ComponentError
from plx_core.networks.variable_names import variables_by_name
from plx_core.reinforcement.agent_spec import AgentSpec
from plx_core.reinforcement.episodes import Episodes
from plx_core.reinforcement.interfaces import (
    Environment,
    FusedProgram,
    Learner,
    Memory,
    Step,
    UpdateResult,
)
from plx_core.state import State

logger = logging.getLogger(__name__)


class Means:
    """Means of numbers by name since they were last cleared."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float] = {}

    def add(self, numbers: Mapping[str, float], weight: float = 1.0) -> None:
        """Count numbers, each as much as its weight."""
        for name, value in numbers.items():
            self._sums[name] = self._sums.get(name, 0.0) + weight * value
            self._counts[name] = self._counts.get(name, 0.0) + weight

    def results(self) -> dict[str, float]:
        """The means."""
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    def clear(self) -> None:
        """Count afresh."""
        self._sums.clear()
        self._counts.clear()

    def state(self) -> State:
        """Sums and counts."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


class AgentState:
    """What is trained: an environment, a model's policy and learner, a memory, and how far they have come."""

    def __init__(self, env: Environment, spec: AgentSpec, memory: Memory) -> None:
        if spec.learner is None:
            raise ComponentError("training needs a learner; the AgentSpec has none")
        self.env = env
        self.spec = spec
        self.memory = memory
        self.learner: Learner = spec.learner
        self.global_step = self.learner.global_step
        """How many updates there have been. The learner's own count is TensorFlow's, and too slow to be asked at each action."""
        self.episodes = Episodes(env.num_envs)
        self.means = Means()
        self.timestep = 0
        self.observations: Any = None
        self.masks: np.ndarray | None = None
        self.trial: Path | None = None
        """The directory of a run of which it is to be found out, before its first update, whether XLA is quicker."""
        self.rest: Mapping[str, Any] = {}
        """Batches that were drawn and are still to be learnt from: training stopped at a step within its block of updates."""
        if memory.discount is None:
            memory.discount = spec.discount

    @functools.cached_property
    def fused(self) -> FusedProgram | None:
        """Acting and learning in one program, where the environment is one and the learner can."""
        return self.learner.fuse(self.env, self.memory.batch_size)

    def check(self) -> None:
        """Refuse a memory that does not fit the model or the environments."""
        memory, on_policy = self.memory, self.spec.on_policy
        if memory.is_cleared_by_sample is not on_policy:
            expected = (
                "an on-policy memory, such as BatchMemory"
                if on_policy
                else "a replay memory, such as Memory"
            )
            raise ComponentError(
                f"the model learns from {expected}; it was given a {type(memory).__name__}",
                about="agent.memory",
            )
        memory.check_spaces(self.env.observation_space, self.env.action_space)
        if on_policy and memory.batch_size % self.env.num_envs:
            raise ComponentError(
                f"a batch of {memory.batch_size} cannot be divided among {self.env.num_envs} environments; "
                "let num_envs divide the memory's batch_size",
                about="agent.memory",
            )
        self.learner.check(memory)

    def learn(self, batches: Mapping[str, Any]) -> UpdateResult:
        """One update for each batch."""
        if self.trial is not None:
            self._try_xla(self.trial, lambda: self.learner.update(batches, self.env.num_envs))
        return self._learnt(self.learner.update(batches, self.env.num_envs))

    def advance(self) -> tuple[UpdateResult, Sequence[Step]]:
        """A batch of actions in all environments, and the updates that are learnt of it, in one program."""
        if self.trial is not None:
            self._try_xla(self.trial, self._run_fused)
        learnt, steps, self.observations = self._run_fused()
        return self._learnt(learnt), steps

    def _run_fused(self) -> tuple[UpdateResult, Sequence[Step], Any]:
        if self.fused is None:
            raise ComponentError("the learner has no program that acts in these environments")
        return self.fused.run()

    def _try_xla(self, directory: Path, learn: Callable[[], object]) -> None:
        """Find out whether XLA makes learning quicker; all but the program is left as it was."""
        learnt, lived = self.learner.state(), self.env.state() if self.fused else None

        def compile(xla: bool) -> None:
            self.learner.compile(xla=xla)
            self.__dict__.pop("fused", None)

        def rate(xla: bool, rival: float) -> float:
            compile(xla)
            found = best_rate(learn)
            self.learner.restore(learnt)
            if lived is not None:
                self.env.restore(lived)
            return found

        if not is_quicker(directory, rate):  # the trial leaves the compiled program
            compile(False)
        self.trial = None

    def _learnt(self, learnt: UpdateResult) -> UpdateResult:
        before, self.global_step = self.global_step, self.learner.global_step
        self.spec.policy.refresh()
        self.means.add(learnt.metrics, self.global_step - before)
        return learnt

    def begin(self, seed: int) -> None:
        """Reset the environments for the first time."""
        self.observations = self.env.reset(seed=seed if self.env.seed is None else self.env.seed)
        self.masks = self.env.action_masks

    def warm_start(self, source: WarmStartConfig) -> None:
        """Take the weights of another run."""
        warm_start(variables_by_name(self.spec.network), source)
        self.learner.begin_from_weights()
        self.spec.policy.refresh()

    def state(self) -> dict[str, Any]:
        """All of it."""
        return {
            "program": self.learner.state(),
            "policy": self.spec.policy.state(),
            "memory": self.memory.state(),
            "environment": self.env.state(),
            "observations": self.observations,
            "masks": self.masks,
            "rest": self.rest,
            "episodes": self.episodes.state(),
            "means": self.means.state(),
            "counters": {"timestep": self.timestep, "episode": self.episodes.ended},
        }

    def restore(
        self,
        state: Mapping[str, Any],
        callbacks: Sequence[Callback],
        *,
        is_new_env: bool,
        seed: int,
    ) -> None:
        """Go on from a checkpoint.

        Args:
            state: the checkpoint's.
            callbacks: get their own states back.
            is_new_env: whether the environment is another than the one the checkpoint was written with.
            seed: of a reset, where the environments cannot go on where they were.

        Raises:
            CheckpointError: it is that of another network, memory or policy, or of other environments.
        """
        count = len(state["episodes"]["returns"])
        if count != self.env.num_envs:
            raise CheckpointError(
                f"the run went on in {count} environments, and these are {self.env.num_envs}: take as many, "
                "or begin another run with this one's weights (warm_start)"
            )
        self.learner.restore(state["program"])
        self.global_step = self.learner.global_step
        with _explained("policy"):
            self.spec.policy.restore(state["policy"])
        self.spec.policy.refresh()
        with _explained("memory"):
            self.memory.restore(state["memory"])
        self.episodes.restore(state["episodes"])
        self.means.restore(state["means"])
        self.timestep = state["counters"]["timestep"]
        self.rest = state["rest"]
        restore_callbacks(callbacks, state)
        if is_new_env:
            self._restart(seed)
        else:
            self.observations, self.masks = state["observations"], state["masks"]
            with _explained("environment"):
                self.give_back(state["environment"], seed)

    def give_back(self, state: State, seed: int) -> None:
        """Go on in environments that have been somewhere else; where that cannot be exact, they are reset."""
        self.env.restore(state)
        if self.env.inexact_because:
            self._restart(seed)

    def _restart(self, seed: int) -> None:
        if self.env.inexact_because:
            logger.warning(
                "the environments begin new episodes: their state cannot be kept (%s)",
                self.env.inexact_because,
            )
        self.observations, self.masks = (
            self.env.reset(seed=seed + self.timestep),
            self.env.action_masks,
        )
        self.memory.interrupt()
        self.episodes.interrupt()


@contextmanager
def _explained(part: str) -> Iterator[None]:
    """Say of which part a checkpoint's state is another's."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the {part} of the checkpoint is another than this run's ({type(error).__name__}: {error}): take the one that it was "
            "written with, or begin another run with its weights (warm_start)"
        ) from error
