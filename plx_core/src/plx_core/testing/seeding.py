"""The seeds of explorations and memories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plx_core.testing.failures import require
from plx_core.testing.part import Part
from plx_core.testing.values import same


def check_seeding(part: Part, did: str, use: Callable[[Any], object]) -> None:
    """Fail the check if a part that is seeded after its construction is not reproducible.

    Args:
        part: an exploration or a memory.
        did: what `use` does, for the message.
        use: uses a new part, and returns what came of it.

    Raises:
        CheckFailed: two parts with one seed differ, or a part conceals its seed.
    """
    has_own = "seed" in part.component.params
    if part.takes("seed") and not has_own:
        seed = part.build(seed=1).seed
        require(
            seed == 1,
            part.about,
            "built it with seed: 1",
            f"its seed is {seed}",
            "1",
            "set self.seed, or an agent replaces the seed that its user chose",
        )
    if part.build().seed is not None:
        return
    results = []
    for _ in range(2):
        instance = part.build()
        instance.reseed(1)
        results.append(use(instance))
    require(
        same(*results),
        part.about,
        f"built two without a seed, called reseed(1), and {did}",
        "two results",
        "the same result, as two runs with one seed need it",
        "replace your generator in reseed(): self._rng = np.random.default_rng(seed)",
    )
