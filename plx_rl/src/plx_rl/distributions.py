"""Distributions over actions, parameterised by the outputs of a policy network.

Each class is a family. It holds no tensors: each method takes `parameters` [B, num_parameters], the
outputs of a network or of its NumPy copy. Most methods take tensors, `mode` and `masked` symbolic
ones too; `sample`, `mode_on_host` and `masked_on_host` take NumPy arrays, for acting. Actions are
int [B] (`Categorical`), int [B, K] (`MultiCategorical`), int [B, K] of zeros and ones (`Bernoulli`)
or float [B, D] (`DiagonalGaussian`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import gymnasium
import numpy as np
import tensorflow as tf
from attrs import frozen
from keras import ops

from plx_core.types import Array, Space, Tensor
from plx_rl.masks import best_action, mask_values, mask_values_on_host


class Distribution(ABC):
    """A family of distributions over actions."""

    @property
    @abstractmethod
    def num_parameters(self) -> int:
        """The number of parameters of one distribution."""

    @property
    def num_outputs(self) -> int:
        """The number of parameters that a network computes; the others are free variables."""
        return self.num_parameters

    @abstractmethod
    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Return log π(a|s), [B]."""

    @abstractmethod
    def entropy(self, parameters: Tensor) -> Tensor:
        """Return the entropy in nats, [B]."""

    @abstractmethod
    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """Return KL(old ‖ new) in nats, [B]."""

    @abstractmethod
    def mode(self, parameters: Tensor) -> Tensor:
        """Return the most likely actions."""

    @abstractmethod
    def mode_on_host(self, parameters: Array) -> Array:
        """Return the most likely actions."""

    @abstractmethod
    def sample(self, parameters: Array, rng: np.random.Generator) -> Array:
        """Draw actions."""

    @abstractmethod
    def draw(self, parameters: Tensor, seed: Tensor) -> Tensor:
        """Draw actions within a compiled program, from a seed, int32 [2]."""

    def masked(self, parameters: Tensor, mask: Tensor | None) -> Tensor:
        """Return the parameters of the distributions without illegal actions.

        Raises:
            ValueError: this family has no action masks.
        """
        if mask is not None:
            raise ValueError(
                f"{type(self).__name__} policies have no action masks; "
                "masks need a Discrete or MultiDiscrete action space"
            )
        return parameters

    def masked_on_host(self, parameters: Array, mask: Array | None) -> Array:
        """Return `masked` of NumPy arrays."""
        masked: Array = self.masked(parameters, mask)
        return masked


@final
@frozen
class Categorical(Distribution):
    """One of `size` actions; the parameters are logits."""

    size: int

    @property
    def num_parameters(self) -> int:
        """One logit per action."""
        return self.size

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Return log π(a|s), [B]."""
        return tf.gather(tf.nn.log_softmax(parameters), actions, batch_dims=1)

    def entropy(self, parameters: Tensor) -> Tensor:
        """Return -Σ p log p, [B]."""
        logs = tf.nn.log_softmax(parameters)
        return -tf.reduce_sum(tf.exp(logs) * logs, axis=-1)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """Return Σ p_old (log p_old - log p_new), [B]."""
        logs = tf.nn.log_softmax(old)
        return tf.reduce_sum(tf.exp(logs) * (logs - tf.nn.log_softmax(new)), axis=-1)

    def mode(self, parameters: Tensor) -> Tensor:
        """Return the action with the highest logit, int [B]."""
        return best_action(parameters)

    def mode_on_host(self, parameters: Array) -> Array:
        """Return the action with the highest logit, int [B]."""
        actions: Array = parameters.argmax(axis=-1)
        return actions

    def sample(self, parameters: Array, rng: np.random.Generator) -> Array:
        """Draw actions by the Gumbel-max trick, int [B]."""
        noise = np.log(rng.standard_exponential(parameters.shape, dtype=np.float32))
        return self.mode_on_host(parameters - noise)

    def draw(self, parameters: Tensor, seed: Tensor) -> Tensor:
        """Draw actions by the Gumbel-max trick, int [B]."""
        return tf.argmax(parameters + _gumbel(parameters, seed), axis=-1)

    def masked(self, parameters: Tensor, mask: Tensor | None) -> Tensor:
        """Return logits that give illegal actions probability 0."""
        return mask_values(parameters, mask)

    def masked_on_host(self, parameters: Array, mask: Array | None) -> Array:
        """Return `masked` of NumPy arrays."""
        return mask_values_on_host(parameters, mask)


@final
@frozen
class MultiCategorical(Distribution):
    """One of `sizes[k]` actions for each k, independently; the parameters are their logits."""

    sizes: tuple[int, ...]

    @property
    def num_parameters(self) -> int:
        """One logit per action of each part."""
        return sum(self.sizes)

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Return Σ_k log π_k(a_k|s), [B]."""
        return tf.add_n(
            [
                Categorical(size).log_prob(part, actions[:, k])
                for k, (size, part) in enumerate(self._parts(parameters))
            ]
        )

    def entropy(self, parameters: Tensor) -> Tensor:
        """Return the sum of the entropies of the parts, [B]."""
        return tf.add_n([Categorical(size).entropy(part) for size, part in self._parts(parameters)])

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """Return the sum of the divergences of the parts, [B]."""
        pairs = zip(self._parts(old), self._parts(new), strict=True)
        return tf.add_n([Categorical(size).kl(part, other) for (size, part), (_, other) in pairs])

    def mode(self, parameters: Tensor) -> Tensor:
        """Return the most likely action of each part, int [B, K]."""
        return ops.stack(
            [best_action(part) for part in ops.split(parameters, self._cuts, axis=-1)], axis=-1
        )

    def mode_on_host(self, parameters: Array) -> Array:
        """Return the most likely action of each part, int [B, K]."""
        return np.stack(
            [part.argmax(axis=-1) for part in np.split(parameters, self._cuts, axis=-1)], axis=-1
        )

    def sample(self, parameters: Array, rng: np.random.Generator) -> Array:
        """Draw an action of each part, int [B, K]."""
        noisy = parameters - np.log(rng.standard_exponential(parameters.shape, dtype=np.float32))
        return self.mode_on_host(noisy)

    def draw(self, parameters: Tensor, seed: Tensor) -> Tensor:
        """Draw an action of each part, int [B, K]."""
        return self.mode(parameters + _gumbel(parameters, seed))

    def masked(self, parameters: Tensor, mask: Tensor | None) -> Tensor:
        """Return logits that give illegal actions probability 0; the mask is bool [B, ΣK]."""
        if mask is None:
            return parameters
        pairs = zip(
            ops.split(parameters, self._cuts, axis=-1),
            ops.split(mask, self._cuts, axis=-1),
            strict=True,
        )
        return ops.concatenate([mask_values(part, legal) for part, legal in pairs], axis=-1)

    def masked_on_host(self, parameters: Array, mask: Array | None) -> Array:
        """Return `masked` of NumPy arrays."""
        if mask is None:
            return parameters
        pairs = zip(
            np.split(parameters, self._cuts, axis=-1),
            np.split(mask, self._cuts, axis=-1),
            strict=True,
        )
        return np.concatenate([mask_values_on_host(part, legal) for part, legal in pairs], axis=-1)

    @property
    def _cuts(self) -> list[int]:
        return [int(cut) for cut in np.cumsum(self.sizes)[:-1]]

    def _parts(self, parameters: Tensor) -> list[tuple[int, Tensor]]:
        return list(zip(self.sizes, tf.split(parameters, self.sizes, axis=-1), strict=True))


@final
@frozen
class Bernoulli(Distribution):
    """`size` independent binary actions; the parameters are the logits of 1."""

    size: int

    @property
    def num_parameters(self) -> int:
        """One logit per binary action."""
        return self.size

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Return Σ_k log π_k(a_k|s), [B]."""
        return -tf.reduce_sum(
            tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(actions, parameters.dtype), parameters),
            axis=-1,
        )

    def entropy(self, parameters: Tensor) -> Tensor:
        """Return the sum of the entropies, [B]."""
        return tf.reduce_sum(
            tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(parameters), parameters), axis=-1
        )

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """Return the sum of the divergences, [B]."""
        old_probability = tf.sigmoid(old)
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(old_probability, new)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(old_probability, old)
        return tf.reduce_sum(cross_entropy - entropy, axis=-1)

    def mode(self, parameters: Tensor) -> Tensor:
        """Return 1 where it is more likely than 0, int [B, K]."""
        return ops.cast(parameters > 0.0, "int64")

    def mode_on_host(self, parameters: Array) -> Array:
        """Return 1 where it is more likely than 0, int [B, K]."""
        actions: Array = (parameters > 0.0).astype(np.int64)
        return actions

    def sample(self, parameters: Array, rng: np.random.Generator) -> Array:
        """Draw each binary action, int [B, K]."""
        uniform = rng.random(parameters.shape, dtype=np.float32)
        actions: Array = (uniform < 1.0 / (1.0 + np.exp(-parameters))).astype(np.int64)
        return actions

    def draw(self, parameters: Tensor, seed: Tensor) -> Tensor:
        """Draw each binary action, int [B, K]."""
        return tf.cast(
            tf.random.stateless_uniform(parameters.shape, seed) < tf.sigmoid(parameters), tf.int64
        )


@final
@frozen
class DiagonalGaussian(Distribution):
    """`size` independent normal actions; the parameters are means, then log standard deviations."""

    size: int

    @property
    def num_parameters(self) -> int:
        """A mean and a log standard deviation per dimension."""
        return 2 * self.size

    @property
    def num_outputs(self) -> int:
        """A mean per dimension: the standard deviations do not depend on the state."""
        return self.size

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Return Σ_d log π_d(a_d|s), [B]."""
        mean, log_std = tf.split(parameters, 2, axis=-1)
        scaled = (actions - mean) * tf.exp(-log_std)
        return -tf.reduce_sum(
            0.5 * tf.square(scaled) + log_std, axis=-1
        ) - 0.5 * self.size * math.log(2.0 * math.pi)

    def entropy(self, parameters: Tensor) -> Tensor:
        """Return Σ_d (log σ_d + ½ log 2πe), [B]."""
        _, log_std = tf.split(parameters, 2, axis=-1)
        return tf.reduce_sum(log_std, axis=-1) + 0.5 * self.size * (1.0 + math.log(2.0 * math.pi))

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """Return Σ_d (log σ'_d - log σ_d + (σ_d² + (μ_d - μ'_d)²) / 2σ'_d² - ½), [B]."""
        mean, log_std = tf.split(old, 2, axis=-1)
        new_mean, new_log_std = tf.split(new, 2, axis=-1)
        spread = (
            (tf.exp(2.0 * log_std) + tf.square(mean - new_mean)) * 0.5 * tf.exp(-2.0 * new_log_std)
        )
        return tf.reduce_sum(new_log_std - log_std + spread - 0.5, axis=-1)

    def mode(self, parameters: Tensor) -> Tensor:
        """Return the means, float [B, D]."""
        return parameters[:, : self.size]

    def mode_on_host(self, parameters: Array) -> Array:
        """Return the means, float [B, D]."""
        return parameters[:, : self.size]

    def sample(self, parameters: Array, rng: np.random.Generator) -> Array:
        """Draw normal actions, float [B, D]."""
        mean, log_std = parameters[:, : self.size], parameters[:, self.size :]
        actions: Array = mean + np.exp(log_std) * rng.standard_normal(mean.shape, dtype=np.float32)
        return actions

    def draw(self, parameters: Tensor, seed: Tensor) -> Tensor:
        """Draw normal actions, float [B, D]."""
        mean, log_std = tf.split(parameters, 2, axis=-1)
        return mean + tf.exp(log_std) * tf.random.stateless_normal(mean.shape, seed)


def _gumbel(parameters: Tensor, seed: Tensor) -> Tensor:
    """Draw standard Gumbel numbers of the shape of the parameters."""
    return -tf.math.log(
        -tf.math.log(
            tf.random.stateless_uniform(parameters.shape, seed, np.finfo(np.float32).tiny, 1.0)
        )
    )


def distribution_for(space: Space) -> Distribution:
    """Return the family of distributions over a gymnasium action space.

    Raises:
        ValueError: no family fits the space.
    """
    if isinstance(space, gymnasium.spaces.Discrete):
        return Categorical(int(space.n))
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return MultiCategorical(tuple(int(size) for size in space.nvec.ravel()))
    if isinstance(space, gymnasium.spaces.MultiBinary):
        return Bernoulli(int(np.prod(space.shape)))
    if isinstance(space, gymnasium.spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return DiagonalGaussian(int(np.prod(space.shape)))
    raise ValueError(
        "a stochastic policy needs a Discrete, MultiDiscrete, MultiBinary or float Box action "
        f"space; the environment's actions are {space}"
    )
