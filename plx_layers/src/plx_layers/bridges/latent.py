"""The bridge of a variational autoencoder."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from plx_core import Bridge, BridgeOutput, Modes, SampleFn
from plx_core.annotations import NonNegativeFloat, PositiveInt
from plx_core.errors import ComponentError
from plx_core.types import Nested, Tensor


class LatentBridge(Bridge):
    """Encode each example as a normal distribution, and pass a sample of it to the decoder.

    An encoding, float [batch, …], is flattened. Two dense layers compute the mean of the
    distribution and the logarithm of its variance, both float [batch, latent_dim]. The decoder gets
    a sample in training and evaluation, and the mean in prediction. The KL divergence from the
    prior N(0, I) is added to the loss as `kl_divergence`. Latents of new examples are drawn from
    the prior.

    Source: Kingma and Welling 2014, "Auto-Encoding Variational Bayes"; `kl_weight`: Higgins et al.
        2017,
    "beta-VAE".

    Args:
        mode: one of `Modes`.
        latent_dim: the size of a latent.
        mean: the mean of the noise that is scaled and added to the mean.
        stddev: the standard deviation of that noise.
        kl_weight: β, the factor of the divergence.
        seed: the seed of the noise; derived from the run's seed when omitted.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        latent_dim: PositiveInt = 1,
        mean: float = 0.0,
        stddev: NonNegativeFloat = 1.0,
        kl_weight: NonNegativeFloat = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(mode)
        self._latent_dim = latent_dim
        self._kl_weight = kl_weight
        self._noise: dict[str, Any] = {"noise_mean": mean, "noise_stddev": stddev, "seed": seed}

    def cross(self, encoding: Nested) -> BridgeOutput:
        """Return the mean of the distribution, a sample, and its divergence from the prior."""
        if isinstance(encoding, dict):
            raise ComponentError(
                f"a LatentBridge takes one encoding; the encoder has {', '.join(encoding)}"
            )
        if len(encoding.shape) != 2:
            encoding = keras.layers.Flatten(name="encoding")(encoding)
        mean = keras.layers.Dense(self._latent_dim, name="z_mean")(encoding)
        log_variance = keras.layers.Dense(self._latent_dim, name="z_log_variance")(encoding)
        is_random = self.mode in (Modes.TRAIN, Modes.EVAL)
        sample = NormalSample(is_random=is_random, **self._noise, name="z")([mean, log_variance])
        divergence = NormalDivergence(name="kl_divergence", dtype="float32")([mean, log_variance])
        return BridgeOutput(
            latent=mean, code=sample, losses={"kl_divergence": self._kl_weight * divergence}
        )

    def sample_fn(self, latent: Nested) -> SampleFn:
        """Return a function that draws from N(0, I)."""
        return lambda count, generator: generator.standard_normal(
            (count, self._latent_dim), np.float32
        )


@keras.saving.register_keras_serializable("plx_layers")
class NormalSample(keras.layers.Layer):
    """Sample normal distributions, or return their means.

    Means and logarithms of variances, each float [batch, n], to float [batch, n].

    Args:
        is_random: whether to sample.
        noise_mean: the mean of the noise that is scaled and added.
        noise_stddev: the standard deviation of that noise.
        seed: the seed of the noise.
        name: the layer's name.
    """

    def __init__(
        self,
        is_random: bool = True,
        noise_mean: float = 0.0,
        noise_stddev: float = 1.0,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._config = {
            "is_random": is_random,
            "noise_mean": noise_mean,
            "noise_stddev": noise_stddev,
            "seed": seed,
        }
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return the samples."""
        mean, log_variance = inputs
        config = self._config
        if not config["is_random"]:
            return mean
        noise = keras.random.normal(
            ops.shape(mean),
            config["noise_mean"],
            config["noise_stddev"],
            dtype=mean.dtype,
            seed=self.seed_generator,
        )
        return mean + ops.exp(0.5 * log_variance) * noise

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return [batch, n]."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**self._config, "name": self.name}


@keras.saving.register_keras_serializable("plx_layers")
class NormalDivergence(keras.layers.Layer):
    """Compute the KL divergence of normal distributions from N(0, I).

    Means and logarithms of variances, each float [batch, n], to float [batch].
    """

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return the divergence of each example, in nats."""
        return normal_divergence(*inputs)

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return [batch]."""
        return input_shape[0][:-1]


def normal_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_variance)) ‖ N(0, I)): [batch, n] to [batch].

    Source: Kingma and Welling 2014, appendix B.
    """
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=-1)
