"""The check of memories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from plx_core.annotations import MemoryLike
from plx_core.errors import PlxError
from plx_core.reinforcement.interfaces import Memory
from plx_core.testing.failures import CheckFailed, describe, expecting, require
from plx_core.testing.isolation import no_global_randomness
from plx_core.testing.part import Params, Part, part_of
from plx_core.testing.seeding import check_seeding
from plx_core.testing.values import plain, same, saved_and_loaded, short
from plx_core.types import Array, Batch

SMALL = {"size": 48, "batch_size": 8}
DISCOUNT = 0.9
FIELDS = ("action", "next_state", "reward", "state", "terminated", "truncated")
ONE_STEP_FIELDS = ("reward", "next_state", "terminated", "truncated")
"""Fields that an n-step memory changes."""
RESTORE_REMEDY = (
    "return all that changes from state(), including random generators, and set all of it in "
    "restore()"
)


def check_memory(memory: MemoryLike, params: Params | None = None, *, num_envs: int = 2) -> None:
    """Check a memory against what was added: counts, samples, ends, seed, state, and copies.

    Which transitions a full memory keeps is its own choice.

    Args:
        memory: a class, a function that returns one, or a name.
        params: its parameters; `size` and `batch_size` are small unless they are among these.
        num_envs: the number of environments.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("memories", memory, params)
    part = part.varied(**{**SMALL, **(params or {})})
    instance = part.build(seed=1)
    require(
        isinstance(instance, Memory),
        part.about,
        "built it",
        f"a {type(instance).__name__}",
        "a Memory",
        "derive it from plx_core.Memory",
    )
    if instance.discount is None:
        instance.discount = DISCOUNT
    if not instance.holds_demonstrations:
        _check_empty(part.about, instance)
    count = _fill(part.about, instance, num_envs)
    if not instance.holds_demonstrations:
        _check_ends(part.about, instance, count)
    _check_state(part, instance)
    check_seeding(part, "sampled both", lambda memory: _sample_new(memory, num_envs))
    _check_samples(part.about, instance, count)
    instance.clear()
    require(
        instance.holds_demonstrations or len(instance) == 0,
        part.about,
        "called clear()",
        f"len() is {len(instance)}",
        "0",
        "remove all transitions",
    )


def _check_empty(about: str, memory: Memory) -> None:
    require(
        len(memory) == 0 and not memory.can_sample(),
        about,
        "built it",
        f"len() is {len(memory)}, can_sample() is {memory.can_sample()}",
        "an empty memory, which cannot be sampled",
        "start without transitions",
    )
    try:
        memory.sample()
    except PlxError:
        return
    except Exception as error:  # any other error would reach the user as a traceback
        result = describe(error)
    else:
        result = "a batch"
    raise CheckFailed(
        about,
        "sampled it when it was empty",
        result,
        "a PlxError",
        "raise a plx_core.errors.DataError that says what is missing",
    )


def _fill(about: str, memory: Memory, num_envs: int) -> int:
    """Add twice what the memory holds, or a batch to clear; return the number of transitions."""
    count = 0
    while not memory.can_sample() or (
        count < 2 * memory.size + num_envs and not memory.is_cleared_by_sample
    ):
        require(
            count <= 3 * memory.size + memory.batch_size,
            about,
            f"added {count} transitions",
            "can_sample() is false",
            "a batch",
            "return true from can_sample() when there are batch_size transitions",
        )
        with no_global_randomness(about, "added transitions"):
            _add(memory, count, num_envs)
        count += num_envs
        require(
            len(memory) <= memory.size,
            about,
            f"added {count} transitions",
            f"len() is {len(memory)}",
            f"at most size, {memory.size}",
            "remove a transition for each that is added to a full memory",
        )
    return count


def _sample_new(memory: Memory, num_envs: int) -> object:
    """Add transitions to a new memory until it can be sampled, and sample it."""
    if memory.discount is None:
        memory.discount = DISCOUNT
    count = 0
    while not memory.can_sample() or count < memory.batch_size:
        _add(memory, count, num_envs)
        count += num_envs
    return plain(dict(memory.sample()))


def _add(memory: Memory, index: int, num_envs: int) -> None:
    """Add transitions, then overwrite the arrays: a memory must copy them."""
    arrays = _transitions(index, num_envs)
    memory.step(**arrays)
    for array in arrays.values():
        array[...] = 1 if array.dtype == bool else -77


def _transitions(index: int, num_envs: int) -> dict[str, Array]:
    """Return a transition of each environment; its numbers identify it by its index."""
    indices = np.arange(index, index + num_envs)
    return {
        "state": _observations(indices),
        "action": (indices % 3).astype("int64"),
        "reward": (indices * 0.5).astype("float32"),
        "next_state": _observations(indices + num_envs),
        "terminated": np.zeros(num_envs, bool),
        "truncated": np.full(num_envs, (index // num_envs) % 7 == 6),
    }


def _observations(indices: Array) -> Array:
    return np.stack([indices, indices + 0.25], axis=1).astype("float32")


def _check_ends(about: str, memory: Memory, count: int) -> None:
    with expecting(about, "asked for each transition", "all of them", "fix get_by_index()"):
        numbers = [_first_number(memory.get_by_index(index)) for index in range(len(memory))]
        newest = _first_number(memory.get_by_index(-1))
    did = f"added {count} transitions and called get_by_index() with 0 to {len(memory) - 1}"
    require(
        set(numbers) <= set(range(count)) and len(set(numbers)) == len(numbers),
        about,
        did,
        f"transitions {short(np.array(numbers))}",
        "different ones of those that were added",
        "copy the arrays that step() receives, and return each stored transition once",
    )
    require(
        numbers[0] == min(numbers) and newest == max(numbers),
        about,
        f"{did}, and with -1",
        f"{numbers[0]:g} for 0, {newest:g} for -1, and others from {min(numbers):g} to "
        f"{max(numbers):g}",
        "the oldest stored transition for 0, the newest for -1",
        "count from the oldest that is still stored",
    )
    require(
        memory.is_cleared_by_sample or newest >= memory.size,
        about,
        did,
        f"none added after the first {memory.size}",
        "some that were added when it was full",
        "make room for new transitions",
    )


def _first_number(transition: Mapping[str, Any]) -> float:
    return float(np.asarray(transition["state"]).ravel()[0])


def _check_state(part: Part, memory: Memory) -> None:
    state = saved_and_loaded(part.about, memory.state())
    samples = []
    for seed in (1, 2):
        other = part.build(seed=seed)
        if other.discount is None:
            other.discount = memory.discount
        other.restore(state)
        require(
            len(other) == len(memory),
            part.about,
            "restored its state in another one",
            f"len() is {len(other)}",
            str(len(memory)),
            RESTORE_REMEDY,
        )
        samples.append(plain(dict(other.sample())))
    require(
        same(*samples),
        part.about,
        "restored its state in two others and sampled both",
        "other batches",
        "the same batches",
        RESTORE_REMEDY,
    )


def _check_samples(about: str, memory: Memory, count: int) -> None:
    batches = 1 if memory.is_cleared_by_sample else 2
    did = f"sampled {batches} of {memory.batch_size}"
    with (
        no_global_randomness(about, did),
        expecting(about, did, "batches", "fix sample()"),
    ):
        sample = memory.sample(batches)
    require(
        all(name in sample for name in FIELDS),
        about,
        did,
        ", ".join(sample),
        f"at least {', '.join(FIELDS)}",
        "return all that step() received",
    )
    for name in FIELDS:
        shape = np.shape(sample[name])
        require(
            shape[:2] == (batches, memory.batch_size),
            about,
            did,
            f"{name} has the shape {shape}",
            f"({batches}, {memory.batch_size}, …)",
            "stack whole batches",
        )
    if memory.holds_demonstrations:
        return
    _check_fields(about, did, memory, sample, count)
    if "indices" in sample:
        indices = np.asarray(sample["indices"])
        with expecting(about, "called update_priorities()", "nothing", "fix update_priorities()"):
            memory.update_priorities(indices, np.ones(indices.shape, "float32"))
    require(
        not memory.is_cleared_by_sample or len(memory) == 0,
        about,
        did,
        f"len() is {len(memory)}",
        "0, because is_cleared_by_sample is true",
        "clear it in sample()",
    )


def _check_fields(about: str, did: str, memory: Memory, sample: Batch, count: int) -> None:
    """Fail the check if a sampled transition mixes the fields of different ones."""
    indices = np.asarray(sample["state"])[..., 0].ravel().astype(int)
    names = ("state", "action", *(ONE_STEP_FIELDS if memory.n_step == 1 else ()))
    for name in names:
        values = np.asarray(sample[name])
        rows = values.reshape((len(indices), *values.shape[2:]))
        for index, row in zip(indices, rows, strict=True):
            # next_state and truncated also depend on the number of environments.
            is_known = name in ("next_state", "truncated") or (
                0 <= index < count and same(row, _transitions(index, 1)[name][0])
            )
            require(
                is_known,
                about,
                did,
                f"{name} {short(row)} with state {index}",
                "the fields of one transition",
                "keep the fields of a transition together, and copy the arrays of step()",
            )
