"""What joins a generator's encoder to its decoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from attrs import field, frozen

from plx_core.networks.graph import call_graph_fn
from plx_core.state import Modes

SampleFn: TypeAlias = Callable[[int, np.random.Generator], np.ndarray]
"""How many, and a generator of random numbers, to latents: float32 [n, …]."""


@frozen(kw_only=True)
class BridgeOutput:
    """What a bridge makes of an encoding; all of it symbolic.

    Args:
        latent: what an example is encoded to, [batch, …]; a mapping of names to such, if the encoder has several outputs.
        code: what the decoder takes: the latent itself, or one drawn around it.
        losses: what the bridge adds to the loss of each example, float [batch], by name.
    """

    latent: Any
    code: Any
    losses: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class BridgeSpec(BridgeOutput):
    """What a bridge makes of features: a crossing, and what the decoder gave.

    Args:
        results: the decoder's output.
        sample_fn: draws latents for the decoder; None where the bridge knows no distribution of them.
    """

    results: Any
    sample_fn: SampleFn | None = None


class Bridge(ABC):
    """Joins an encoder to a decoder.

    Args:
        mode: one of `Modes`.
    """

    def __init__(self, mode: str = Modes.TRAIN) -> None:
        self.mode = mode

    def __call__(
        self,
        features: Any,
        labels: Any = None,
        loss: Any = None,
        encoder_fn: Callable[..., Any] | None = None,
        decoder_fn: Callable[..., Any] | None = None,
    ) -> BridgeSpec:
        """Encode features, cross, and decode.

        Args:
            features: symbolic; what the encoder takes.
            labels: handed to functions that take labels.
            loss: unused; a function of polyaxon-lib's form hands it on.
            encoder_fn: a function of (mode, features); the identity when None.
            decoder_fn: the same, of what the bridge made.
        """
        encoding = (
            features
            if encoder_fn is None
            else call_graph_fn(encoder_fn, self.mode, features, labels)
        )
        crossing = self.cross(encoding)
        results = (
            crossing.code
            if decoder_fn is None
            else call_graph_fn(decoder_fn, self.mode, crossing.code, labels)
        )
        return BridgeSpec(
            latent=crossing.latent,
            code=crossing.code,
            losses=crossing.losses,
            results=results,
            sample_fn=self.sample_fn(crossing.latent),
        )

    @abstractmethod
    def cross(self, encoding: Any) -> BridgeOutput:
        """What the decoder takes, made of a symbolic encoding, [batch, …]."""

    def sample_fn(self, latent: Any) -> SampleFn | None:
        """What draws latents like this symbolic one, if their distribution is known."""
        return None
