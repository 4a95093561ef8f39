"""The memories against a twin that keeps a list of episodes, and what each promises beyond that."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plx_core.errors import DataError
from plx_rl.memories.batch_memory import BatchMemory
from plx_rl.memories.memory import Memory
from plx_rl.memories.prioritized_memory import PrioritizedMemory
from plx_rl.memories.transitions import Transitions

GAMMA = 0.9


class World:
    """N environments whose observations are numbered, so that every stored value says where it belongs."""

    def __init__(self, envs, seed=0, end=0.25, frames=1, nested=False, dtype=np.float32):
        self.rng = np.random.default_rng(seed)
        self.envs, self.end, self.frames, self.nested, self.dtype = envs, end, frames, nested, dtype
        self.counter = 0
        self.now = [self.first() for _ in range(envs)]
        self.log = []

    def number(self):
        self.counter += 1
        return self.counter

    def first(self):
        return [self.number()] * self.frames

    def observe(self, stacks):
        image = np.array(stacks, self.dtype).reshape(len(stacks), 1, self.frames)
        return {"image": image, "more": {"twice": 2 * image}} if self.nested else image

    def step(self):
        following = [[*stack[1:], self.number()] for stack in self.now]
        kinds = self.rng.random(self.envs)
        terminated, truncated = kinds < self.end / 2, (kinds > self.end / 4) & (kinds < self.end)
        transition = {
            "state": self.observe(self.now),
            "action": self.rng.integers(5, size=self.envs),
            "reward": self.rng.integers(-9, 9, size=self.envs).astype("f4"),
            "terminated": terminated,
            "truncated": truncated,
            "next_state": self.observe(following),
        }
        ended = terminated | truncated
        for env in range(self.envs):
            self.log.append(
                (
                    env,
                    self.now[env],
                    following[env],
                    {
                        name: transition[name][env]
                        for name in ("action", "reward", "terminated", "truncated")
                    },
                )
            )
        self.now = [
            self.first() if over else stack for stack, over in zip(following, ended, strict=True)
        ]
        return transition

    def reset(self):
        self.now = [self.first() for _ in range(self.envs)]
        self.log.append(None)

    def expected(self, number, n_step):
        """What a memory should give for transition `number`, by walking the log."""
        rows = [row for row in self.log if row is not None]
        position = [index for index, row in enumerate(self.log) if row is not None][number]
        env, state, following, facts = self.log[position]
        reward, steps, last = facts["reward"], 1, facts
        for row in self.log[position + 1 :]:
            if steps == n_step or last["terminated"] or last["truncated"] or row is None:
                break
            if row[0] == env:
                reward += GAMMA**steps * row[3]["reward"]
                steps, following, last = steps + 1, row[2], row[3]
        assert rows
        return {
            "state": state, "next_state": following, "reward": reward, "steps": steps, "action": facts["action"],
            "terminated": last["terminated"], "truncated": last["truncated"],
        }  # fmt: skip


def image(batch, name, nested):
    return batch[name]["image"] if nested else batch[name]


@settings(max_examples=80, deadline=None)
@given(
    envs=st.integers(1, 3), size=st.integers(6, 40), steps=st.integers(1, 40), n_step=st.integers(1, 4), frames=st.integers(1, 3),
    nested=st.booleans(), seed=st.integers(0, 2**31), end=st.sampled_from([0.0, 0.1, 0.5, 1.0]), resets=st.booleans(),
)  # fmt: skip
def test_whatever_is_kept_is_what_happened(
    envs, size, steps, n_step, frames, nested, seed, end, resets
):
    world = World(envs, seed, end, frames, nested)
    transitions = Transitions(size, n_step, frames)
    for step in range(steps):
        transitions.add(world.step())
        if resets and step % 7 == 3:
            world.reset()
            transitions.interrupt()
    numbers = np.arange(transitions.first, transitions.num_written)
    assert transitions.num_written == envs * steps
    assert len(transitions) <= size
    if frames == 1:
        assert len(transitions) == min(size, envs * steps)
    batch = transitions.gather(numbers, GAMMA)
    for row, number in enumerate(numbers.tolist()):
        expected = world.expected(number, n_step)
        np.testing.assert_array_equal(image(batch, "state", nested)[row].ravel(), expected["state"])
        np.testing.assert_array_equal(
            image(batch, "next_state", nested)[row].ravel(), expected["next_state"]
        )
        np.testing.assert_allclose(batch["reward"][row], expected["reward"], rtol=1e-5, atol=1e-5)
        for name in ("action", "terminated", "truncated"):
            assert batch[name][row] == expected[name]
        if n_step > 1:
            assert batch["steps"][row] == expected["steps"]
        if nested:
            np.testing.assert_array_equal(
                batch["next_state"]["more"]["twice"][row], 2 * batch["next_state"]["image"][row]
            )


def test_a_full_memory_of_frames_loses_few_transitions_while_episodes_are_not_tiny():
    world = World(2, end=0.05, frames=4)
    transitions = Transitions(1000, frames=4)
    for _ in range(2000):
        transitions.add(world.step())
    assert len(transitions) > 990


def fill(memory, world, steps):
    for _ in range(steps):
        memory.step(**world.step())


def make(kind, **parameters):
    defaults = {BatchMemory: {"batch_size": 12}}.get(kind, {"size": 20, "batch_size": 4, "seed": 3})
    return kind(**(defaults | parameters))


ALL = [Memory, PrioritizedMemory, BatchMemory]
REPLAY = [Memory, PrioritizedMemory]


@pytest.mark.parametrize("kind", REPLAY)
def test_every_transition_kept_is_drawn_and_no_other(kind):
    memory, world = make(kind), World(2)
    fill(memory, world, 17)
    states = memory.sample(500)["state"]
    assert states.shape == (500, 4, 1, 1)
    newest = {row[1][0] for row in world.log[-20:]}
    assert set(states.ravel().astype(int)) == newest


def test_uniform_draws_are_uniform():
    memory, world = make(Memory), World(1)
    fill(memory, world, 20)
    counts = np.unique(memory.sample(12_500)["state"], return_counts=True)[1] / 50_000
    np.testing.assert_allclose(counts, np.full(20, 0.05), atol=0.005)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("frames", [1, 2])
def test_state_goes_through_json_and_arrays_and_continues_exactly(kind, frames):
    memory, world = make(kind, frames=frames, n_step=2, discount=GAMMA), World(2, frames=frames)
    fill(memory, world, 5)
    state = memory.state()
    assert json.loads(json.dumps(state.get("generator"))) == state.get("generator")
    twin = make(
        kind,
        frames=frames,
        n_step=2,
        discount=GAMMA,
        **({} if kind is BatchMemory else {"seed": 99}),
    )
    twin.restore(state)
    transition = world.step()
    for each in (memory, twin):
        each.step(**transition)
    assert len(memory) == len(twin) == 12
    first, second = memory.sample(), twin.sample()
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("kind", ALL)
def test_a_state_does_not_change_with_the_memory(kind):
    memory, world = make(kind, n_step=2, discount=GAMMA), World(2)
    fill(memory, world, 2)
    state = memory.state()
    before = [memory.get_by_index(index) for index in range(4)]
    memory.clear()
    fill(memory, world, 6)
    memory.restore(state)
    assert len(memory) == 4
    for index in range(4):
        assert memory.get_by_index(index) == before[index]


@pytest.mark.parametrize("kind", ALL)
def test_a_state_of_another_size_is_refused(kind):
    memory = make(kind, **({"batch_size": 12} if kind is BatchMemory else {"size": 12}))
    fill(memory, World(2), 6)
    other = make(kind, **({"batch_size": 10} if kind is BatchMemory else {"size": 10}))
    with pytest.raises(DataError, match="another size"):
        other.restore(memory.state())


@pytest.mark.parametrize("kind", ALL)
def test_get_by_index_counts_from_the_oldest_and_from_the_newest(kind):
    memory, world = make(kind), World(1)
    fill(memory, world, 12)
    assert memory.get_by_index(0)["state"] == world.log[0][1]
    assert memory.get_by_index(-1)["state"] == world.log[-1][1]
    assert memory.get_by_index(11)["reward"] == world.log[11][3]["reward"]
    for index in (12, -13):
        with pytest.raises(IndexError, match="holds 12"):
            memory.get_by_index(index)


@pytest.mark.parametrize("kind", ALL)
def test_can_sample_and_clear(kind):
    memory = make(kind)
    assert not memory.can_sample()
    with pytest.raises(DataError, match="holds 0"):
        memory.sample()
    fill(memory, World(2), 6)
    assert memory.can_sample()
    assert memory.can_sample(12)
    assert not memory.can_sample(13)
    memory.clear()
    assert len(memory) == 0
    assert not memory.can_sample()
    fill(memory, World(2), 6)
    assert memory.can_sample()


@pytest.mark.parametrize("kind", REPLAY)
def test_a_batch_larger_than_the_memory_is_refused_at_once(kind):
    with pytest.raises(ValueError, match="size at least batch_size"):
        kind(size=10, batch_size=11)


@pytest.mark.parametrize("kind", ALL)
def test_what_does_not_fit_is_named(kind):
    memory, world = make(kind), World(2)
    transition = world.step()
    memory.step(**transition)
    with pytest.raises(DataError, match=r"state of shape \(2, 5\)"):
        memory.step(**(world.step() | {"state": np.zeros((2, 5), "f4")}))
    with pytest.raises(DataError, match="extra"):
        memory.step(**world.step(), extra=np.zeros(2))
    with pytest.raises(DataError, match="extra"):
        memory.step(
            extra=np.zeros(2),
            **{name: value for name, value in world.step().items() if name != "state"},
        )
    with pytest.raises(DataError, match="action of dtype float"):
        memory.step(**(world.step() | {"action": np.full(2, 0.5)}))
    with pytest.raises(DataError, match="terminated"):
        memory.step(**{name: value for name, value in world.step().items() if name != "terminated"})
    assert len(memory) == 2


def test_text_cannot_be_kept():
    with pytest.raises(DataError, match="stores only numbers"):
        Memory().step(**(World(1).step() | {"note": np.array(["a"])}))


def test_double_precision_is_kept_as_single_and_bytes_as_bytes():
    memory = make(Memory)
    fill(memory, World(1, dtype=np.float64), 4)
    assert memory.sample()["state"].dtype == np.float32
    memory = make(Memory, frames=2)
    fill(memory, World(1, dtype=np.uint8, frames=2), 4)
    assert memory.sample()["state"].dtype == np.uint8


def test_extra_columns_are_kept_and_those_about_what_follows_go_with_it():
    memory = make(Memory, n_step=3, discount=1.0, batch_size=1)
    for step in range(3):
        before, after = np.full((1, 1), step), np.full((1, 1), step + 1)
        flags = {"terminated": np.array([step == 2]), "truncated": np.array([False])}
        memory.step(
            state=before,
            action=np.array([0]),
            reward=np.ones(1, "f4"),
            next_state=after,
            mask=before,
            next_mask=after,
            **flags,
        )
    first = memory.get_by_index(0)
    assert (
        first["mask"],
        first["next_mask"],
        first["next_state"],
        first["terminated"],
        first["reward"],
    ) == (0, 3, 3, True, 3.0)


def test_some_of_the_environments_at_a_time():
    transitions = Transitions(10, n_step=2)

    def add(envs, numbers):
        numbers = np.array(numbers, "f4")[:, None]
        off = np.zeros(len(envs), bool)
        facts = {"action": off, "reward": numbers[:, 0], "terminated": off, "truncated": off}
        transitions.add(
            {"state": numbers, "next_state": numbers + 1, "env": np.array(envs), **facts}
        )

    add([0, 1], [10, 20])
    add([1], [21])
    add([0, 1], [11, 22])
    batch = transitions.gather(np.arange(3), 1.0)
    np.testing.assert_array_equal(batch["reward"], [10 + 11, 20 + 21, 21 + 22])
    assert "env" not in batch


def test_several_steps_need_a_discount():
    memory = make(Memory, n_step=2)
    fill(memory, World(1), 5)
    with pytest.raises(DataError, match="discount"):
        memory.sample()


def test_stacks_that_are_none_are_refused():
    memory, world = make(Memory, frames=3), World(1, frames=3, end=0.0)
    with pytest.raises(DataError, match="state has shape .* not a multiple of the 3 frames"):
        memory.step(**World(1, frames=2).step())
    with pytest.raises(DataError, match="not shifted by one frame"):
        memory.step(**(world.step() | {"next_state": np.zeros((1, 1, 3), "f4")}))


@pytest.mark.parametrize("end", [0.0, 0.3, 1.0])
def test_batches_of_frames_begin_amid_episodes_and_are_always_whole(end):
    memory, world = BatchMemory(batch_size=200, frames=4), World(5, end=end, frames=4)
    for number in range(3):
        fill(memory, world, 40)
        assert memory.can_sample()
        batch = memory.sample()
        for row in range(200):
            expected = world.expected(200 * number + row, 1)
            np.testing.assert_array_equal(batch["state"][0, row].ravel(), expected["state"])
            np.testing.assert_array_equal(
                batch["next_state"][0, row].ravel(), expected["next_state"]
            )


def test_an_episode_may_begin_with_frames_that_differ():
    memory, world = make(Memory, frames=3), World(2, frames=3, end=0.0)
    world.step()
    fill(memory, world, 4)
    for number in range(8):
        row = memory.get_by_index(number)
        np.testing.assert_array_equal(row["state"].ravel(), world.expected(number + 2, 1)["state"])
        np.testing.assert_array_equal(
            row["next_state"].ravel(), world.expected(number + 2, 1)["next_state"]
        )


@pytest.mark.parametrize("kind", ALL)
def test_a_memory_in_files_gives_what_one_in_memory_gives(kind, tmp_path):
    in_files, in_memory = make(kind, path=str(tmp_path / "store"), frames=2), make(kind, frames=2)
    for memory in (in_files, in_memory):
        fill(memory, World(2, frames=2, nested=True), 6)
    first, second = in_files.sample(), in_memory.sample()
    np.testing.assert_array_equal(first["state"]["more"]["twice"], second["state"]["more"]["twice"])
    files = list((tmp_path / "store").glob("*.npy"))
    assert {"action.npy", "reward.npy"} <= {path.name for path in files}
    assert all(path.suffix == ".npy" for path in files)


def test_batch_memory_keeps_the_order_and_is_cleared_by_a_sample():
    memory, world = make(BatchMemory), World(3)
    fill(memory, world, 4)
    batch = memory.sample()
    np.testing.assert_array_equal(batch["state"].ravel(), [row[1][0] for row in world.log])
    assert len(memory) == 0
    fill(memory, world, 4)
    np.testing.assert_array_equal(
        memory.sample()["state"].ravel(), [row[1][0] for row in world.log[12:]]
    )


def test_batch_memory_refuses_what_would_overflow_it():
    memory, world = make(BatchMemory, batch_size=8), World(3)
    fill(memory, world, 2)
    with pytest.raises(DataError, match="multiple of the number of environments"):
        fill(memory, world, 1)


def test_priorities_are_the_frequencies():
    memory, world = make(PrioritizedMemory, size=4, alpha=1.0, epsilon=1e-12), World(1)
    fill(memory, world, 4)
    batch = memory.sample()
    np.testing.assert_array_equal(np.sort(batch["indices"][0]), np.arange(4))
    memory.update_priorities(np.arange(4), np.array([1.0, -2.0, 0.0, 5.0]))
    counts = np.bincount(memory.sample(12_500)["indices"].ravel(), minlength=4) / 50_000
    np.testing.assert_allclose(counts, [0.125, 0.25, 0.0, 0.625], atol=0.01)


def test_weights_undo_the_bias_of_the_draw():
    memory, world = make(PrioritizedMemory, size=4, batch_size=4, alpha=1.0, beta=1.0), World(1)
    fill(memory, world, 4)
    memory.sample()
    memory.update_priorities(np.arange(4), np.array([1.0, 2.0, 3.0, 10.0]))
    batch = memory.sample(1000)
    np.testing.assert_allclose(batch["weights"].max(axis=-1), np.ones(1000))
    priority = np.array([1.0, 2.0, 3.0, 10.0])[batch["indices"]]
    np.testing.assert_allclose(
        batch["weights"], priority.min(axis=-1, keepdims=True) / priority, rtol=1e-4
    )
    assert batch["weights"].dtype == np.float32


def test_alpha_zero_is_uniform():
    memory, world = make(PrioritizedMemory, size=4, alpha=0.0), World(1)
    fill(memory, world, 4)
    memory.update_priorities(np.arange(4), np.array([1.0, 2.0, 3.0, 100.0]))
    counts = np.bincount(memory.sample(12_500)["indices"].ravel(), minlength=4) / 50_000
    np.testing.assert_allclose(counts, np.full(4, 0.25), atol=0.01)


def test_a_new_transition_has_the_highest_priority_so_far():
    memory, world = make(PrioritizedMemory, size=3, batch_size=1, alpha=1.0), World(1)
    fill(memory, world, 2)
    memory.update_priorities(np.array([0, 1]), np.array([7.0, 1.0]))
    fill(memory, world, 1)
    counts = np.bincount(memory.sample(50_000)["indices"].ravel(), minlength=3) / 50_000
    np.testing.assert_allclose(counts, np.array([7, 1, 7]) / 15, atol=0.01)


def test_a_priority_of_what_is_no_longer_kept_changes_nothing():
    memory, world = make(PrioritizedMemory, size=2, batch_size=1, alpha=1.0), World(1)
    fill(memory, world, 2)
    fill(memory, world, 1)
    memory.update_priorities(np.array([0, 1]), np.array([1000.0, 1.0]))
    counts = np.bincount(memory.sample(50_000)["indices"].ravel(), minlength=3) / 50_000
    np.testing.assert_allclose(counts, [0.0, 0.5, 0.5], atol=0.01)


def test_beta_grows_to_one_with_the_transitions():
    memory, world = make(PrioritizedMemory, beta=0.4, beta_steps=100), World(1)
    assert memory.beta == pytest.approx(0.4)
    fill(memory, world, 50)
    assert memory.beta == pytest.approx(0.7)
    fill(memory, world, 100)
    assert memory.beta == pytest.approx(1.0)


def test_an_error_that_is_not_finite_is_refused():
    memory = make(PrioritizedMemory)
    fill(memory, World(1), 4)
    with pytest.raises(DataError, match="not finite"):
        memory.update_priorities(np.array([0]), np.array([np.nan]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3), st.sampled_from([1, 3]))
def test_prioritized_memory_draws_only_what_it_keeps_whole(seed, envs, frames):
    memory = PrioritizedMemory(
        size=30, batch_size=4, frames=frames, n_step=2, discount=GAMMA, seed=seed
    )
    world, rng = World(envs, seed, end=1.0, frames=frames), np.random.default_rng(seed)
    for step in range(120):
        memory.step(**world.step())
        if step % 5 == 4 and memory.can_sample():
            batch = memory.sample(3)
            numbers = batch["indices"]
            for index in np.ndindex(numbers.shape):
                np.testing.assert_array_equal(
                    batch["state"][index].ravel(), world.expected(numbers[index], 2)["state"]
                )
            memory.update_priorities(numbers, rng.normal(size=numbers.shape))
