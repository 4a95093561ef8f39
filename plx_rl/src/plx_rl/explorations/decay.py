"""A decaying rate of exploration: that of DQN."""

from __future__ import annotations

from typing import final

from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from plx_rl.explorations.decays import NEVER, DecayingRate, DecayType
from plx_rl.explorations.random_exploration import RandomExploration


@final
class Decay(RandomExploration):
    """Act at random at a rate that decays with the number of actions.

    In continuous spaces, add normal noise of that scale.

    Args:
        exploration_rate: the initial rate, or one for each environment.
        decay_type: the formula. `polynomial_decay` reaches `min_exploration_rate` after
            `decay_steps`, on a straight line if `power` is 1.
        start_decay_at: the number of actions after which the decay starts.
        stop_decay_at: the number of actions after which the decay stops.
        decay_rate: the rate of `exponential_decay`, `natural_exp_decay` and `inverse_time_decay`.
        staircase: whether these three decay once every `decay_steps`, not at every action.
        decay_steps: the number of actions over which `decay_rate` applies once.
        min_exploration_rate: the lowest rate.
        power: the power of `polynomial_decay`.
        boundaries: the numbers of actions, since the decay started, after which the rate of
            `piecewise_constant` changes.
        values: the rates of `piecewise_constant`, one more than there are boundaries.
        seed: seed of the random numbers.
    """

    def __init__(
        self,
        exploration_rate: NonNegativeFloat | list[NonNegativeFloat] = 0.15,
        decay_type: DecayType = "polynomial_decay",
        start_decay_at: NonNegativeInt = 0,
        stop_decay_at: NonNegativeInt = NEVER,
        decay_rate: NonNegativeFloat = 0.96,
        staircase: bool = False,
        decay_steps: PositiveInt = 100_000,
        min_exploration_rate: NonNegativeFloat = 0.0,
        power: PositiveFloat = 1.0,
        boundaries: list[NonNegativeInt] | None = None,
        values: list[NonNegativeFloat] | None = None,
        seed: int | None = None,
    ) -> None:
        rate = DecayingRate(
            exploration_rate, decay_type, start_decay_at, stop_decay_at, decay_rate, staircase,
            decay_steps, min_exploration_rate, power, boundaries, values,
        )  # fmt: skip
        super().__init__(rate, seed)
