"""The check of explorations."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from plx_core.annotations import ExplorationLike
from plx_core.errors import PlxError
from plx_core.reinforcement.interfaces import Exploration
from plx_core.testing.failures import describe, expecting, require
from plx_core.testing.isolation import no_global_randomness
from plx_core.testing.part import Params, Part, part_of
from plx_core.testing.seeding import check_seeding
from plx_core.testing.values import plain, same, saved_and_loaded, short
from plx_core.types import Array

Arguments: TypeAlias = tuple[Any, ...]
"""Arguments of `explore`: greedy actions and timestep; if discrete, scores and masks too."""

CALLS = 60
ENVIRONMENTS = 4
ACTIONS = 5
TIMESTEPS = (0, 1, 1_000, 10_000_000)
RESTORE_REMEDY = (
    "return all that changes from state(), including random generators, and set all of it in "
    "restore()"
)


def check_exploration(
    exploration: ExplorationLike, params: Params | None = None, *, num_envs: int = ENVIRONMENTS
) -> None:
    """Check an exploration: legal actions of the right shape, rate, seed and state.

    The check tries discrete and continuous actions; an exploration may refuse one of the two with a
    `PlxError`.

    Args:
        exploration: a class, a function that returns one, or a name.
        params: its parameters.
        num_envs: the number of environments.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("explorations", exploration, params)
    instance = part.build(seed=1)
    require(
        isinstance(instance, Exploration),
        part.about,
        "built it",
        f"a {type(instance).__name__}",
        "an Exploration",
        "derive it from plx_core.Exploration",
    )
    for timestep in TIMESTEPS:
        rate = np.asarray(instance.rate(timestep))
        require(
            rate.shape in ((), (num_envs,))
            and rate.dtype.kind in "fiu"
            and np.isfinite(rate).all()
            and (rate >= 0).all(),
            part.about,
            f"called rate({timestep})",
            short(rate),
            f"a finite number not below 0, or {num_envs} of them",
            "clip the timestep to the range in which the formula is valid",
        )
    refusals = [_check_actions(part, is_discrete, num_envs) for is_discrete in (True, False)]
    require(
        not all(refusals),
        part.about,
        "explored discrete actions, then continuous ones",
        " and ".join(refusals),
        "actions for at least one of the two",
        "raise a PlxError only for the kind of action that it does not support",
    )


def _check_actions(part: Part, is_discrete: bool, num_envs: int) -> str:
    """Check actions of one kind; return why the exploration refuses them, or an empty string."""
    try:
        part.build(seed=1).explore(*_arguments(0, is_discrete, num_envs))
    except PlxError as refusal:
        return describe(refusal)
    did = f"explored {'discrete' if is_discrete else 'continuous'} actions"
    instance = part.build(seed=1)
    with (
        expecting(part.about, did, "actions", "fix explore()"),
        no_global_randomness(part.about, did),
    ):
        actions = [
            _checked_actions(part.about, instance, call, is_discrete, num_envs)
            for call in range(CALLS)
        ]
    with expecting(part.about, "called restart() after episodes", "nothing", "fix restart()"):
        instance.restart(np.ones(num_envs, bool))
    _check_seed(part, did, actions, is_discrete)
    check_seeding(part, did, lambda other: _explore(other, range(CALLS), is_discrete, num_envs))
    _check_state(part, actions, is_discrete)
    return ""


def _check_seed(part: Part, did: str, actions: list[Array], is_discrete: bool) -> None:
    num_envs = len(actions[0])
    require(
        same(actions, _explore(part.build(seed=1), range(CALLS), is_discrete, num_envs)),
        part.about,
        f"{did} twice with one seed",
        "other actions",
        "the same actions",
        "draw from your own generator, np.random.default_rng(seed)",
    )
    greedy = [_arguments(call, is_discrete, num_envs)[0] for call in range(CALLS)]
    if same(actions, greedy) or not part.takes("seed") or "seed" in part.component.params:
        return
    others = [
        _explore(part.build(seed=seed), range(CALLS), is_discrete, num_envs) for seed in (2, 3)
    ]
    require(
        any(not same(actions, other) for other in others),
        part.about,
        f"{did} with the seeds 1, 2 and 3",
        "the same actions each time",
        "other actions",
        "use the parameter seed",
    )


def _check_state(part: Part, actions: list[Array], is_discrete: bool) -> None:
    num_envs, half = len(actions[0]), CALLS // 2
    stopped = part.build(seed=1)
    _explore(stopped, range(half), is_discrete, num_envs)
    resumed = part.build(seed=2)
    resumed.restore(saved_and_loaded(part.about, stopped.state()))
    require(
        same(_explore(resumed, range(half, CALLS), is_discrete, num_envs), actions[half:]),
        part.about,
        "restored its state in another one and continued",
        "other actions",
        "the actions of the first one",
        RESTORE_REMEDY,
    )


def _arguments(call: int, is_discrete: bool, num_envs: int) -> Arguments:
    """Return random arguments of one call; every second call has masks."""
    rng = np.random.default_rng(call)
    timestep = call * num_envs
    if not is_discrete:
        return rng.uniform(-1, 1, (num_envs, 2)).astype("float32"), timestep
    scores = rng.normal(size=(num_envs, ACTIONS)).astype("float32")
    greedy, masks = scores.argmax(axis=1), None
    if call % 2:
        masks = rng.random((num_envs, ACTIONS)) < 0.6
        masks[np.arange(num_envs), greedy] = True
    return greedy, timestep, scores, masks


def _explore(
    exploration: Exploration, calls: range, is_discrete: bool, num_envs: int
) -> list[Array]:
    return [
        np.array(exploration.explore(*_arguments(call, is_discrete, num_envs))) for call in calls
    ]


def _checked_actions(
    about: str, exploration: Exploration, call: int, is_discrete: bool, num_envs: int
) -> Array:
    """Call `explore` once and check what it returns."""
    arguments = _arguments(call, is_discrete, num_envs)
    before = plain(arguments[0])
    actions = np.array(exploration.explore(*arguments))
    did = "called explore()"
    require(
        same(arguments[0], before),
        about,
        did,
        "the greedy actions changed",
        "new actions",
        "copy the greedy actions: they belong to the policy",
    )
    require(
        actions.shape == before.shape and (actions.dtype.kind in "iu") is is_discrete,
        about,
        did,
        f"{actions.dtype} {actions.shape}",
        f"{before.dtype} {before.shape}, like the greedy actions",
        "return an action for each environment",
    )
    if not is_discrete:
        is_finite = np.isfinite(actions).all()
        require(is_finite, about, did, short(actions), "finite actions", "keep the noise finite")
        return actions
    require(
        ((actions >= 0) & (actions < ACTIONS)).all(),
        about,
        did,
        short(actions),
        f"actions from 0 to {ACTIONS - 1}",
        "draw only from the actions that have scores",
    )
    masks = arguments[3]
    require(
        masks is None or masks[np.arange(num_envs), actions].all(),
        about,
        f"{did} with some actions masked",
        "an illegal action",
        "legal actions",
        "draw only from the actions that masks allows",
    )
    return actions
