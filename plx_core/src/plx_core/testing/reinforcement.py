"""Checks of the parts of reinforcement learning: explorations, memories and environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from plx_core.errors import PlxError
from plx_core.reinforcement.interfaces import Environment, Exploration, Memory, Step
from plx_core.testing.failures import describe, expecting, require
from plx_core.testing.making import (
    Part,
    kept_by_a_checkpoint,
    no_global_randomness,
    part_of,
    plain,
    same,
    short,
)

CALLS, ENVIRONMENTS, ACTIONS = 60, 4, 5
TIMESTEPS = (0, 1, 1_000, 10_000_000)
RESTORE = "return from state() all that changes, generators with it, and set all of it in restore()"


def check_exploration(
    exploration: Any, params: Mapping[str, Any] | None = None, *, num_envs: int = ENVIRONMENTS
) -> None:
    """Check an exploration: legal actions of the greedy ones' shape, its rate, its seed, and its state.

    It is tried with discrete actions and with continuous ones; it may refuse one of the two with a `PlxError`.

    Args:
        exploration: a class, a function that makes one, or a name.
        params: its parameters.
        num_envs: over how many environments.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("explorations", exploration, params)
    made = part.build(seed=1)
    require(
        isinstance(made, Exploration),
        part.about,
        "made it",
        f"a {type(made).__name__}",
        "an Exploration",
        "derive it from plx_core.Exploration",
    )
    for timestep in TIMESTEPS:
        rate = np.asarray(made.rate(timestep))
        require(
            rate.shape in ((), (num_envs,))
            and rate.dtype.kind in "fiu"
            and np.isfinite(rate).all()
            and (rate >= 0).all(),
            part.about,
            f"asked for its rate({timestep})",
            short(rate),
            f"a finite number not below 0, or {num_envs} of them",
            "hold the timestep between the bounds between which the formula is valid",
        )
    refusals = [_check_explored(part, is_discrete, num_envs) for is_discrete in (True, False)]
    require(
        not all(refusals),
        part.about,
        "had it explore discrete actions, then continuous ones",
        " and ".join(refusals),
        "actions for one of the two",
        "raise a PlxError for the kind of action that it cannot explore, and explore the other",
    )


def check_memory(
    memory: Any, params: Mapping[str, Any] | None = None, *, num_envs: int = 2
) -> None:
    """Check a memory against what was added to it: counts, samples, order, state, and that it keeps copies.

    Args:
        memory: a class, a function that makes one, or a name.
        params: its parameters; `size` and `batch_size` are made small where it has them and they are not given.
        num_envs: over how many environments.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("memories", memory, params)
    part = part.varied(**{"size": 48, "batch_size": 8, **(params or {})})
    made = part.build(seed=1)
    require(
        isinstance(made, Memory),
        part.about,
        "made it",
        f"a {type(made).__name__}",
        "a Memory",
        "derive it from plx_core.Memory",
    )
    if made.discount is None:
        made.discount = 0.9
    if not made.holds_demonstrations:
        _check_empty(part.about, made)
    added = 0
    while not made.can_sample() or (added < made.size + num_envs and not made.is_cleared_by_sample):
        require(
            added <= 2 * made.size + made.batch_size,
            part.about,
            f"added {added} transitions",
            "can_sample() is false",
            "a batch",
            "let can_sample() be true once there are batch_size transitions",
        )
        with no_global_randomness(part.about, "added transitions"):
            _add(made, added, num_envs)
        added += num_envs
        require(
            len(made) <= made.size,
            part.about,
            f"added {added} transitions",
            f"len() is {len(made)}",
            f"no more than size, {made.size}",
            "forget the oldest",
        )
    _check_ends(part.about, made, added)
    _check_kept(part, made)
    _check_samples(part.about, made, added)
    made.clear()
    require(
        made.holds_demonstrations or len(made) == 0,
        part.about,
        "called clear()",
        f"len() is {len(made)}",
        "0",
        "forget everything",
    )


def check_environment(
    environment: Any, params: Mapping[str, Any] | None = None, *, steps: int = 200
) -> None:
    """Check a vector of environments: spaces, final observations, automatic resets, seeds, state, and arrays that stay as they were.

    Args:
        environment: a class, a function that makes one, or a name.
        params: its parameters.
        steps: how many random actions are taken.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("environments", environment, params)
    env = part.build(seed=1, mode="train")
    require(
        isinstance(env, Environment),
        part.about,
        "made it",
        f"a {type(env).__name__}",
        "an Environment",
        "derive it from plx_core.Environment",
    )
    try:
        path = _walk(part.about, env, steps)
    finally:
        env.close()
    again = part.build(seed=1, mode="train")
    try:
        with no_global_randomness(part.about, "took steps"):
            other = _walk(part.about, again, steps)
        require(
            same(path, other),
            part.about,
            "took the same actions twice from the same seed",
            "another path",
            "the same",
            "draw from a generator that reset(seed) seeds, and from nothing else",
        )
        if not env.inexact_because:
            _check_environment_state(part, again)
    finally:
        again.close()


def _check_explored(part: Part, is_discrete: bool, num_envs: int) -> str:
    """Fail where actions are wrong; why it explores no actions of this kind, if it says so."""
    kind = "discrete" if is_discrete else "continuous"
    try:
        part.build(seed=1).explore(*_arguments(0, is_discrete, num_envs))
    except PlxError as refusal:
        return describe(refusal)
    did = f"explored {kind} actions"
    made = part.build(seed=1)
    with (
        expecting(part.about, did, "actions", "mend explore()"),
        no_global_randomness(part.about, did),
    ):
        chosen = [_explored(part.about, made, call, is_discrete, num_envs) for call in range(CALLS)]
    with expecting(part.about, "told it that episodes have ended", "nothing", "mend restart()"):
        made.restart(np.ones(num_envs, bool))
    second = _all(part.build(seed=1), range(CALLS), is_discrete, num_envs)
    require(
        same(chosen, second),
        part.about,
        f"{did} twice with one seed",
        "other actions",
        "the same actions",
        "draw from a generator of your own: np.random.default_rng(seed)",
    )
    is_random = any(
        not same(actions, _arguments(call, is_discrete, num_envs)[0])
        for call, actions in enumerate(chosen)
    )
    if is_random and part.takes("seed") and "seed" not in part.component.params:
        others = [
            _all(part.build(seed=seed), range(CALLS), is_discrete, num_envs) for seed in (2, 3)
        ]
        require(
            any(not same(chosen, other) for other in others),
            part.about,
            f"{did} with the seeds 1, 2 and 3",
            "the same actions each time",
            "other actions",
            "use the parameter seed",
        )
    half = part.build(seed=1)
    _all(half, range(CALLS // 2), is_discrete, num_envs)
    state = kept_by_a_checkpoint(part.about, half.state())
    resumed = part.build(seed=2)
    resumed.restore(state)
    require(
        same(_all(resumed, range(CALLS // 2, CALLS), is_discrete, num_envs), chosen[CALLS // 2 :]),
        part.about,
        "restored its state in another one and went on",
        "other actions",
        "those that the first one chose",
        RESTORE,
    )
    return ""


def _arguments(call: int, is_discrete: bool, num_envs: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(call)
    if not is_discrete:
        return rng.uniform(-1, 1, (num_envs, 2)).astype("float32"), call * num_envs
    scores = rng.normal(size=(num_envs, ACTIONS)).astype("float32")
    masks = None
    if call % 2:
        masks = rng.random((num_envs, ACTIONS)) < 0.6
        masks[np.arange(num_envs), scores.argmax(axis=1)] = True
    return scores.argmax(axis=1), call * num_envs, scores, masks


def _all(made: Exploration, calls: range, is_discrete: bool, num_envs: int) -> list[np.ndarray]:
    return [np.array(made.explore(*_arguments(call, is_discrete, num_envs))) for call in calls]


def _explored(
    about: str, made: Exploration, call: int, is_discrete: bool, num_envs: int
) -> np.ndarray:
    arguments = _arguments(call, is_discrete, num_envs)
    before = plain(arguments[0])
    actions = np.array(made.explore(*arguments))
    did = "had it explore"
    require(
        same(arguments[0], before),
        about,
        did,
        "the greedy actions that it was given changed",
        "new actions",
        "make a copy: the greedy actions belong to the policy",
    )
    require(
        actions.shape == before.shape and (actions.dtype.kind in "iu") is is_discrete,
        about,
        did,
        f"{actions.dtype} {actions.shape}",
        f"{before.dtype} {before.shape}, as the greedy actions",
        "return an action for each environment",
    )
    if not is_discrete:
        require(
            np.isfinite(actions).all(),
            about,
            did,
            short(actions),
            "finite actions",
            "keep the noise finite",
        )
        return actions
    require(
        ((actions >= 0) & (actions < ACTIONS)).all(),
        about,
        did,
        short(actions),
        f"actions from 0 to {ACTIONS - 1}",
        "draw from as many actions as there are scores",
    )
    masks = arguments[3]
    require(
        masks is None or masks[np.arange(num_envs), actions].all(),
        about,
        f"{did} where some actions are illegal",
        "an illegal one",
        "legal actions",
        "draw only from the actions that masks allows",
    )
    return actions


def _transition(number: int, num_envs: int) -> dict[str, Any]:
    """A transition for each environment, all of whose numbers say which it is."""
    ids = np.arange(number, number + num_envs)
    return {
        "state": np.stack([ids, ids + 0.25], axis=1).astype("float32"),
        "action": (ids % 3).astype("int64"),
        "reward": (ids * 0.5).astype("float32"),
        "next_state": np.stack([ids + num_envs, ids + num_envs + 0.25], axis=1).astype("float32"),
        "terminated": np.zeros(num_envs, bool),
        "truncated": np.full(num_envs, (number // num_envs) % 7 == 6),
    }


def _add(memory: Memory, number: int, num_envs: int) -> None:
    """Add transitions, and spoil the arrays afterwards: a memory keeps copies."""
    arrays = _transition(number, num_envs)
    memory.step(**arrays)
    for value in arrays.values():
        value[...] = 1 if value.dtype == bool else -77


def _check_empty(about: str, made: Memory) -> None:
    require(
        len(made) == 0 and not made.can_sample(),
        about,
        "made one",
        f"len() is {len(made)}, can_sample() is {made.can_sample()}",
        "an empty memory, which cannot be sampled",
        "start with nothing",
    )
    try:
        made.sample()
    except PlxError:
        return
    except Exception as error:  # any other error would reach a person as a traceback
        require(
            False,
            about,
            "sampled it when it was empty",
            describe(error),
            "a PlxError",
            "raise plx_core.errors.DataError that says what is missing",
        )
    require(
        False,
        about,
        "sampled it when it was empty",
        "a batch",
        "a PlxError",
        "raise plx_core.errors.DataError that says what is missing",
    )


def _check_ends(about: str, made: Memory, added: int) -> None:
    if made.holds_demonstrations:
        return
    newest, oldest = made.get_by_index(-1), made.get_by_index(0)
    first = int(np.asarray(oldest["state"]).ravel()[0])
    require(
        0 <= first <= added - len(made) + (made.n_step - 1) * 2,
        about,
        f"added {added} transitions and asked for get_by_index(0)",
        f"number {first}",
        f"the oldest of {len(made)}",
        "let 0 be the oldest that is kept",
    )
    last = float(np.asarray(newest["state"]).ravel()[0])
    require(
        last < added and last >= added - 2 * made.n_step * 2,
        about,
        f"added {added} transitions and asked for get_by_index(-1)",
        f"number {last:g}",
        f"the newest, number {added - 1}",
        "let -1 be the newest, and keep copies of the arrays that step() is given",
    )


def _check_kept(part: Part, made: Memory) -> None:
    state = kept_by_a_checkpoint(part.about, made.state())
    others = []
    for seed in (1, 2):
        other = part.build(seed=seed)
        if other.discount is None:
            other.discount = made.discount
        other.restore(state)
        require(
            len(other) == len(made),
            part.about,
            "restored its state in another one",
            f"len() is {len(other)}",
            f"{len(made)}",
            RESTORE,
        )
        others.append(plain(dict(other.sample())))
    require(
        same(*others),
        part.about,
        "restored its state in two others and sampled both",
        "other batches",
        "the same batches",
        RESTORE,
    )


def _check_samples(about: str, made: Memory, added: int) -> None:
    batches = 1 if made.is_cleared_by_sample else 2
    with (
        no_global_randomness(about, "sampled it"),
        expecting(about, "sampled it", "batches", "mend sample()"),
    ):
        found = made.sample(batches)
    did = f"sampled {batches} of {made.batch_size}"
    wanted = {"state", "next_state", "action", "reward", "terminated", "truncated"}
    require(
        wanted <= found.keys(),
        about,
        did,
        ", ".join(found),
        f"at least {', '.join(sorted(wanted))}",
        "hand out all that step() was given",
    )
    for name in wanted:
        require(
            np.shape(found[name])[:2] == (batches, made.batch_size),
            about,
            did,
            f"{name} has the shape {np.shape(found[name])}",
            f"({batches}, {made.batch_size}, …)",
            "stack whole batches",
        )
    if made.holds_demonstrations:
        return
    numbers = np.asarray(found["state"])[..., 0].ravel().astype(int)
    for name in ("state", "action") + (
        ("reward", "next_state", "terminated", "truncated") if made.n_step == 1 else ()
    ):
        rows = np.asarray(found[name]).reshape((len(numbers), *np.shape(found[name])[2:]))
        for number, row in zip(numbers, rows, strict=True):
            known = 0 <= number < added and same(row, _transition(number, 1)[name][0])
            known = known or name in (
                "next_state",
                "truncated",
            )  # these depend on how many environments there are
            require(
                known,
                about,
                did,
                f"{name} {short(row)} beside state {number}",
                "what was added in one transition",
                "keep the fields of a transition together, and copies of the arrays that step() is given",
            )
    if "indices" in found:
        with expecting(
            about, "told it how wrong transitions were", "nothing", "mend update_priorities()"
        ):
            made.update_priorities(
                np.asarray(found["indices"]), np.ones(np.shape(found["indices"]), "float32")
            )
    require(
        not made.is_cleared_by_sample or len(made) == 0,
        about,
        did,
        f"len() is {len(made)}",
        "0, for it is cleared by a sample",
        "clear it",
    )


def _actions(env: Environment, step: int) -> np.ndarray:
    rng = np.random.default_rng(step)
    if env.is_continuous:
        space = env.action_space
        low, high = np.maximum(space.low, -1e3), np.minimum(space.high, 1e3)
        return rng.uniform(low, high, (env.num_envs, *space.shape)).astype(space.dtype)
    masks = env.action_masks
    if masks is not None:
        return np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])
    env.action_space.seed(step)
    return np.stack([np.asarray(env.action_space.sample()) for _ in range(env.num_envs)])


def _walk(about: str, env: Environment, steps: int) -> list[Any]:
    """Take random steps; what came of each, after it was looked at."""
    with expecting(about, "called reset(seed=1)", "observations", "mend reset()"):
        observations = env.reset(seed=1)
    _check_observations(about, env, observations, "reset")
    path, answers, ended = [plain(observations)], [], 0
    for number in range(steps):
        with expecting(about, f"took step {number + 1}", "a Step", "mend step()"):
            step = env.step(_actions(env, number))
        _check_step(about, env, step)
        ended += int(np.sum(step.ended))
        path.append(_copied(step))
        answers.append(step)
    require(
        all(same(_copied(step), kept) for step, kept in zip(answers, path[1:], strict=True)),
        about,
        f"took {steps} steps",
        "arrays of earlier steps changed",
        "arrays that are never written to again",
        "return copies of the simulator's own arrays",
    )
    return path


def _copied(step: Step) -> list[Any]:
    return [
        plain(part)
        for part in (
            step.observations,
            step.rewards,
            step.terminated,
            step.truncated,
            step.final_observations,
        )
    ]


def _check_observations(about: str, env: Environment, observations: Any, where: str) -> None:
    space = env.observation_space
    for index in range(env.num_envs):
        one = _row(observations, index)
        require(
            space.contains(one),
            about,
            f"looked at the observations of {where}",
            f"environment {index} shows {short(one)}",
            f"something in {space}",
            "give arrays of the space's shape, dtype and bounds, with a leading axis of num_envs",
        )


def _row(observations: Any, index: int) -> Any:
    if isinstance(observations, Mapping):
        return {name: _row(part, index) for name, part in observations.items()}
    return np.asarray(observations)[index]


def _check_step(about: str, env: Environment, step: Step) -> None:
    for name in ("rewards", "terminated", "truncated"):
        value = np.asarray(getattr(step, name))
        kind = "f" if name == "rewards" else "b"
        require(
            value.shape == (env.num_envs,) and value.dtype.kind == kind,
            about,
            "took a step",
            f"{name} is {value.dtype} {value.shape}",
            f"{'float32' if kind == 'f' else 'bool'} ({env.num_envs},)",
            "give one for each environment",
        )
    require(
        np.isfinite(step.rewards).all(),
        about,
        "took a step",
        f"rewards {short(step.rewards)}",
        "finite rewards",
        "mend the reward",
    )
    _check_observations(about, env, step.observations, "a step")
    _check_observations(about, env, step.final_observations, "final_observations")
    for index in np.flatnonzero(~step.ended).tolist():
        require(
            same(_row(step.observations, index), _row(step.final_observations, index)),
            about,
            "took a step that ended no episode",
            "final_observations differ from observations",
            "the same where nothing ended",
            "differ only where an episode ended",
        )


def _check_environment_state(part: Part, env: Environment) -> None:
    state = kept_by_a_checkpoint(part.about, env.state())
    expected = [_copied(env.step(_actions(env, number))) for number in range(20)]
    other = part.build(seed=2, mode="train")
    try:
        other.restore(state)
        found = [_copied(other.step(_actions(other, number))) for number in range(20)]
    finally:
        other.close()
    require(
        same(found, expected),
        part.about,
        "restored its state in another one and took the same 20 actions",
        "another path",
        "the path of the first",
        f"{RESTORE}; or say in inexact_because why that cannot be",
    )
