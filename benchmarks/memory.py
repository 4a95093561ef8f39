"""Replay memories: pairs of one added transition and one sampled batch of 64 per second.

A state has four numbers. `uniform` is plx's Memory, `sb3` is Stable-Baselines3's ReplayBuffer.
`blocks` samples 32 batches at once, as plx's agents do when updates come in blocks. `prioritized`
also updates the priorities; `numba` does the same with a sum tree compiled by numba.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from sides import run

SIZE, BATCH, WARM = 100_000, 64, 5_000


def pairs(add, sample, quick, batches=1):
    """Return the pairs per second, where `sample` draws some batches at once."""
    count = 5_000 if quick else 30_000
    for _ in range(WARM):
        add()
    sample()
    start = time.perf_counter()
    for index in range(count):
        add()
        if index % batches == 0:
            sample()
    return {"rate": count / (time.perf_counter() - start)}


def transition():
    state, flag = np.zeros((1, 4), np.float32), np.zeros(1, bool)
    return {
        "state": state,
        "action": np.zeros(1, int),
        "reward": np.zeros(1, np.float32),
        "next_state": state,
        "terminated": flag,
        "truncated": flag,
    }


def uniform(quick):
    from plx_rl.memories.memory import Memory

    memory, row = Memory(SIZE, BATCH, seed=0), transition()
    return pairs(lambda: memory.step(**row), memory.sample, quick)


def blocks(quick):
    from plx_rl.memories.memory import Memory

    memory, row = Memory(SIZE, BATCH, seed=0), transition()
    return pairs(lambda: memory.step(**row), lambda: memory.sample(32), quick, 32)


def prioritized(quick):
    from plx_rl.memories.prioritized_memory import PrioritizedMemory

    memory, row = PrioritizedMemory(SIZE, BATCH, seed=0), transition()
    errors = np.random.default_rng(0).random((1, BATCH))
    return pairs(
        lambda: memory.step(**row),
        lambda: memory.update_priorities(memory.sample()["indices"], errors),
        quick,
    )


def sb3(quick):
    import gymnasium
    from stable_baselines3.common.buffers import ReplayBuffer

    states = gymnasium.spaces.Box(-1, 1, (4,), np.float32)
    buffer = ReplayBuffer(SIZE, states, gymnasium.spaces.Discrete(2), n_envs=1)
    state, action = np.zeros((1, 4), np.float32), np.zeros((1, 1), int)
    reward, done = np.zeros(1, np.float32), np.zeros(1, bool)
    return pairs(
        lambda: buffer.add(state, state, action, reward, done, [{}]),
        lambda: buffer.sample(BATCH),
        quick,
    )


def numba(quick):
    """Measure Schaul et al. 2016 in compiled loops over one array, without n-step and checks."""
    import numba as nb

    leaves = 1 << (SIZE - 1).bit_length()

    @nb.njit
    def assign(tree, places, values):
        for place, value in zip(places, values):  # noqa: B905 - numba knows no strict
            node = place + tree.size // 2
            change = value - tree[node]
            while node:
                tree[node] += change
                node //= 2

    @nb.njit
    def find(tree, masses):
        places = np.empty(masses.size, np.int64)
        for index, mass in enumerate(masses):
            node = 1
            while node < tree.size // 2:
                node *= 2
                if mass >= tree[node]:
                    mass -= tree[node]
                    node += 1
            places[index] = node - tree.size // 2
        return places

    rng, tree = np.random.default_rng(0), np.zeros(2 * leaves)
    columns = [np.zeros((SIZE, 4), np.float32) for _ in ("state", "next_state")]
    columns += [np.zeros(SIZE, dtype) for dtype in (np.int64, np.float32, bool, bool)]
    errors, written = rng.random(BATCH), 0

    def add():
        nonlocal written
        place = written % SIZE
        for column in columns:
            column[place] = 0
        assign(tree, np.array([place]), np.array([1.0]))
        written += 1

    def sample():
        masses = (rng.random(BATCH) + np.arange(BATCH)) * (tree[1] / BATCH)
        places = np.minimum(find(tree, masses), min(written, SIZE) - 1)
        weights = (min(written, SIZE) * tree[leaves + places] / tree[1]) ** -0.4
        batch = [column[places] for column in columns]
        assign(tree, places, (errors + 1e-6) ** 0.6)
        return batch, weights / weights.max()

    return pairs(add, sample, quick)


SIDES = {
    "uniform": uniform,
    "blocks": blocks,
    "prioritized": prioritized,
    "sb3": sb3,
    "numba": numba,
}

if __name__ == "__main__":
    run(SIDES, __doc__)
