"""The bridge of a variational autoencoder."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from plx_core import Bridge, BridgeOutput, Modes, SampleFn
from plx_core.annotations import NonNegativeFloat, PositiveInt
from plx_core.errors import ComponentError


class LatentBridge(Bridge):
    """Encodes each example as a normal distribution, and hands the decoder a draw from it.

    An encoding, float [batch, …], is flattened; two dense layers give the distribution's mean and the logarithm of its variance, both
    float [batch, latent_dim]. The decoder takes a draw in training and evaluation, and the mean in prediction. The distance from
    N(0, I), the prior, is added to the loss as `kl_divergence`. Latents for new examples are drawn from that prior.

    Source: Kingma and Welling 2014, "Auto-Encoding Variational Bayes"; `kl_weight`: Higgins et al. 2017, "beta-VAE".

    Args:
        mode: one of `Modes`.
        latent_dim: how many numbers a latent has.
        mean: of the noise that is scaled and added to the mean.
        stddev: of the same noise.
        kl_weight: β, what the divergence is multiplied by.
        seed: of the noise; what follows from the run's when left out.
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
        self._latent_dim, self._kl_weight = latent_dim, kl_weight
        self._noise: dict[str, Any] = {"noise_mean": mean, "noise_stddev": stddev, "seed": seed}

    def cross(self, encoding: Any) -> BridgeOutput:
        """The distribution's mean, a draw from it, and its divergence from the prior."""
        if isinstance(encoding, dict):
            raise ComponentError(
                f"a LatentBridge takes one encoding; the encoder gives {', '.join(encoding)}"
            )
        flat = (
            encoding
            if len(encoding.shape) == 2
            else keras.layers.Flatten(name="encoding")(encoding)
        )
        mean = keras.layers.Dense(self._latent_dim, name="z_mean")(flat)
        log_variance = keras.layers.Dense(self._latent_dim, name="z_log_variance")(flat)
        is_random = self.mode in (Modes.TRAIN, Modes.EVAL)
        draw = NormalSample(is_random=is_random, **self._noise, name="z")([mean, log_variance])
        divergence = NormalDivergence(name="kl_divergence", dtype="float32")([mean, log_variance])
        return BridgeOutput(
            latent=mean, code=draw, losses={"kl_divergence": self._kl_weight * divergence}
        )

    def sample_fn(self, latent: Any) -> SampleFn:
        """Draws from N(0, I)."""
        return lambda count, generator: generator.standard_normal(
            (count, self._latent_dim), np.float32
        )


@keras.saving.register_keras_serializable("plx_layers")
class NormalSample(keras.layers.Layer):
    """A draw from normal distributions, or their means: means and logarithms of variances, each float [batch, n], to float [batch, n].

    Args:
        is_random: whether it draws.
        noise_mean: the mean of the noise that is scaled and added.
        noise_stddev: its standard deviation.
        seed: of the noise.
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

    def call(self, inputs: Any) -> Any:
        """The draws."""
        mean, log_variance = inputs
        settings = self._config
        if not settings["is_random"]:
            return mean
        noise = keras.random.normal(
            ops.shape(mean),
            settings["noise_mean"],
            settings["noise_stddev"],
            dtype=mean.dtype,
            seed=self.seed_generator,
        )
        return mean + ops.exp(0.5 * log_variance) * noise

    def compute_output_shape(self, input_shape: Any) -> Any:
        """[batch, n]."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**self._config, "name": self.name}


@keras.saving.register_keras_serializable("plx_layers")
class NormalDivergence(keras.layers.Layer):
    """The divergence of normal distributions from N(0, I): means and logarithms of variances, each float [batch, n], to float [batch]."""

    def call(self, inputs: Any) -> Any:
        """The divergence of each example, in nats."""
        return normal_divergence(*inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """[batch]."""
        return input_shape[0][:-1]


def normal_divergence(mean: Any, log_variance: Any) -> Any:
    """KL(N(mean, exp(log_variance)) ‖ N(0, I)) of normal distributions whose dimensions are independent: [batch, n] to [batch].

    Source: Kingma and Welling 2014, appendix B.
    """
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=-1)
