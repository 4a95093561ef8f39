"""What an agent keeps in memory between two calls of `train`."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from plx_core.callbacks.callback import Callback
from plx_core.config.sections import WarmStartConfig
from plx_core.engine.loop import restore_callbacks
from plx_core.engine.warm_start import warm_start
from plx_core.engine.xla_trial import best_rate, is_faster
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
from plx_core.reinforcement.observation_statistics import follow
from plx_core.state import State
from plx_core.types import Array, Batch, Observations

logger = logging.getLogger(__name__)


class Means:
    """Running means by name, since they were last cleared."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float] = {}

    def add(self, numbers: Mapping[str, float], weight: float = 1.0) -> None:
        """Add a value to each mean, with a weight."""
        for name, value in numbers.items():
            self._sums[name] = self._sums.get(name, 0.0) + weight * value
            self._counts[name] = self._counts.get(name, 0.0) + weight

    def results(self) -> dict[str, float]:
        """Return the means."""
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    def clear(self) -> None:
        """Start new means."""
        self._sums.clear()
        self._counts.clear()

    def state(self) -> State:
        """Return the sums and counts."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        self._sums = dict(state["sums"])
        self._counts = dict(state["counts"])


class AgentState:
    """An environment, a model's policy and learner, a memory, and their progress."""

    def __init__(self, env: Environment, spec: AgentSpec, memory: Memory) -> None:
        if spec.learner is None:
            raise ComponentError("training needs a learner; the AgentSpec has none")
        self.env = env
        self.spec = spec
        self.memory = memory
        self.learner: Learner = spec.learner
        self.global_step = self.learner.global_step
        """The number of updates; cached, as reading a tf.Variable is too slow for each action."""
        self.episodes = Episodes(env.num_envs)
        self.means = Means()
        self.timestep = 0
        self.observations: Observations = None
        self.masks: Array | None = None
        self.unnormalized: Observations = None
        """The observations as a replay memory stores them, where statistics normalise them."""
        self.trial: Path | None = None
        """The run directory if a trial of XLA is due before the first update, or else None."""
        self.rest: Batch = {}
        """Sampled batches that have not been used: training stopped within a block of updates."""
        if memory.discount is None:
            memory.discount = spec.discount

    @functools.cached_property
    def fused(self) -> FusedProgram | None:
        """The program that acts and learns, where the environment and the learner allow it."""
        return self.learner.fuse(self.env, self.memory.batch_size)

    @property
    def normalizes_samples(self) -> bool:
        """Whether observations are stored as they were before running statistics.

        A replay memory holds observations of a time when the statistics were others. A rollout
        holds what its policy acted on.
        """
        return not self.spec.on_policy and bool(self.env.observation_statistics)

    def check(self) -> None:
        """Raise a `ComponentError` where the memory does not fit the model or the environments."""
        memory, on_policy = self.memory, self.spec.on_policy
        if memory.is_cleared_by_sample is not on_policy:
            expected = "an on-policy memory" if on_policy else "a replay memory"
            raise ComponentError(
                f"the model learns from {expected}; it was given a {type(memory).__name__}",
                about="agent.memory",
            )
        memory.attach(self.env)
        if on_policy and memory.batch_size % self.env.num_envs:
            raise ComponentError(
                f"a batch of {memory.batch_size} cannot be divided among {self.env.num_envs} "
                "environments; choose a batch_size that is a multiple of num_envs",
                about="agent.memory",
            )
        self.learner.check(memory)

    def observe(self, observations: Observations, masks: Array | None) -> None:
        """Set the observations and masks to act on next."""
        self.observations, self.masks = observations, masks
        if self.normalizes_samples:
            self.unnormalized = self.env.unnormalized[0]

    def transition(self, actions: Array, step: Step) -> dict[str, Observations]:
        """Return what a memory stores of a step, before `observe` is called with its result."""
        transition = step.transition(self.observations, actions, self.masks)
        if self.normalizes_samples:
            transition["state"] = self.unnormalized
            transition["next_state"] = self.env.unnormalized[1]
        return transition

    def sample(self, count: int) -> Batch:
        """Draw batches from the memory, with observations normalised by the statistics of now."""
        batches = self.memory.sample(count)
        if not self.normalizes_samples:
            return batches
        is_own = ~batches["demonstration"] if "demonstration" in batches else None
        return {
            **batches,
            **{name: self._normalized(batches[name], is_own) for name in ("state", "next_state")},
        }

    def _normalized(self, observations: Observations, is_own: Array | None) -> Observations:
        """Normalise sampled observations, [K, B, …]; those of demonstrations are already."""
        if isinstance(observations, Mapping):
            rows = {name: _as_rows(part) for name, part in observations.items()}
            normalized = self.env.normalize(rows)
            return {
                name: _like(part, normalized[name], is_own) for name, part in observations.items()
            }
        return _like(observations, self.env.normalize(_as_rows(observations)), is_own)

    def learn(self, batches: Batch) -> UpdateResult:
        """Make one update for each batch."""
        if self.trial is not None:
            self._try_xla(self.trial, lambda: self.learner.update(batches, self.env.num_envs))
        return self._record(self.learner.update(batches, self.env.num_envs))

    def advance(self) -> tuple[UpdateResult, Sequence[Step]]:
        """Collect a rollout and update from it, in one program; return the result and the steps."""
        if self.trial is not None:
            self._try_xla(self.trial, self._run_fused)
        result, steps, self.observations = self._run_fused()
        return self._record(result), steps

    def _run_fused(self) -> tuple[UpdateResult, Sequence[Step], Observations]:
        if self.fused is None:
            raise ComponentError("the learner has no program that acts in these environments")
        return self.fused.run()

    def _try_xla(self, directory: Path, learn: Callable[[], object]) -> None:
        """Try whether XLA makes updates faster; everything but the program is left unchanged."""
        learner_state = self.learner.state()
        env_state = self.env.state() if self.fused else None

        def recompile(xla: bool) -> None:
            self.learner.compile(xla=xla)
            self.__dict__.pop("fused", None)

        def rate(xla: bool, rival: float) -> float:
            recompile(xla)
            result = best_rate(learn)
            self.learner.restore(learner_state)
            if env_state is not None:
                self.env.restore(env_state)
            return result

        if not is_faster(directory, rate):  # the trial leaves the compiled program
            recompile(False)
        self.trial = None

    def _record(self, result: UpdateResult) -> UpdateResult:
        before = self.global_step
        self.global_step = self.learner.global_step
        self.spec.policy.refresh()
        self.means.add(result.metrics, self.global_step - before)
        return result

    def begin(self, seed: int) -> None:
        """Reset the environments for the first time."""
        observations = self.env.reset(seed=seed if self.env.seed is None else self.env.seed)
        self.observe(observations, self.env.action_masks)

    def warm_start(self, source: WarmStartConfig) -> None:
        """Load the weights of another run and, with all of them, its environments' statistics.

        Raises:
            ComponentError: the environments have other observation statistics.
        """
        variables = variables_by_name(self.spec.network)
        content = warm_start(variables, source)
        if "environment" in content:  # a run of an agent
            if all(re.fullmatch(source.variables, name) for name in variables):
                follow(self.env, content, freeze=False)
            elif content.get("observation_statistics"):
                logger.warning(
                    "the statistics of observations start afresh, as some variables do: %s",
                    ", ".join(content["observation_statistics"]),
                )
        self.learner.begin_from_weights()
        self.spec.policy.refresh()

    def state(self) -> dict[str, Any]:
        """Return everything that a checkpoint holds of the training."""
        return {
            "program": self.learner.state(),
            "policy": self.spec.policy.state(),
            "memory": self.memory.state(),
            "environment": self.env.state(),
            "observation_statistics": list(self.env.observation_statistics),
            "observations": self.observations,
            "masks": self.masks,
            "unnormalized": self.unnormalized,
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
        """Resume from a checkpoint.

        Args:
            state: the content of the checkpoint.
            callbacks: their states are restored too.
            is_new_env: whether the environment is not the one that the checkpoint was written with.
            seed: the seed of a reset, where the environments' states cannot be restored.

        Raises:
            CheckpointError: the network, memory, policy or environments are not the checkpoint's.
        """
        count = len(state["episodes"]["returns"])
        if count != self.env.num_envs:
            raise CheckpointError(
                f"the checkpoint has {count} environments, and the run has {self.env.num_envs}: "
                "use the same number, or start a new run from its weights (warm_start)"
            )
        self.learner.restore(state["program"])
        self.global_step = self.learner.global_step
        with _named_in_errors("policy"):
            self.spec.policy.restore(state["policy"])
        self.spec.policy.refresh()
        with _named_in_errors("memory"):
            self.memory.restore(state["memory"])
        self.episodes.restore(state["episodes"])
        self.means.restore(state["means"])
        self.timestep = state["counters"]["timestep"]
        self.rest = state["rest"]
        restore_callbacks(callbacks, state)
        if is_new_env:
            follow(self.env, state, freeze=False)
            self._restart(seed)
        else:
            self.observations, self.masks = state["observations"], state["masks"]
            self.unnormalized = state["unnormalized"]
            with _named_in_errors("environment"):
                self.give_back(state["environment"], seed)

    def give_back(self, state: State, seed: int) -> None:
        """Restore the environments after other use; reset them if that is inexact."""
        self.env.restore(state)
        if self.env.inexact_because:
            self._restart(seed)

    def _restart(self, seed: int) -> None:
        if self.env.inexact_because:
            logger.warning(
                "the environments start new episodes: their state cannot be restored (%s)",
                self.env.inexact_because,
            )
        self.observe(self.env.reset(seed=seed + self.timestep), self.env.action_masks)
        self.memory.interrupt()
        self.episodes.interrupt()


def _as_rows(part: Array) -> Array:
    return part.reshape(-1, *part.shape[2:])


def _like(part: Array, rows: Array, is_own: Array | None) -> Array:
    """Return rows in the shape of samples [K, B, …]; samples that are not own stay as they are."""
    normalized = rows.reshape(part.shape)
    if is_own is None:
        return normalized
    return np.where(is_own.reshape(*is_own.shape, *[1] * (part.ndim - 2)), normalized, part)


@contextmanager
def _named_in_errors(part: str) -> Iterator[None]:
    """Turn an error of restoring a part into one that names the part."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the {part} does not fit the checkpoint ({type(error).__name__}: {error}): use the "
            "one that it was written with, or start a new run from its weights (warm_start)"
        ) from error
