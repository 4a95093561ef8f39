"""The interface of bridges, which join the encoder of a generator to its decoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from attrs import field, frozen

from plx_core.annotations import GraphFn, LossLike
from plx_core.networks.graph import call_graph_fn
from plx_core.state import Modes
from plx_core.types import Array, Labels, Nested, Tensor

SampleFn: TypeAlias = Callable[[int, np.random.Generator], Array]
"""Draws a number of latents with a random generator: float32 [n, …]."""


@frozen(kw_only=True)
class BridgeOutput:
    """The output of a bridge for an encoding; every tensor is symbolic.

    Args:
        latent: the encoding of each example, [batch, …]; a mapping by name if the encoder has
            several outputs.
        code: the input of the decoder: the latent, or a sample from a distribution around it.
        losses: by name, losses of each example to add to the model's loss, float [batch].
    """

    latent: Nested
    code: Nested
    losses: Mapping[str, Tensor] = field(factory=dict)


@frozen(kw_only=True)
class BridgeSpec(BridgeOutput):
    """The output of a bridge with the output of the decoder.

    Args:
        results: the output of the decoder.
        sample_fn: draws latents for the decoder; None if the bridge has no distribution of them.
    """

    results: Nested
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
        features: Nested,
        labels: Labels = None,
        loss: LossLike = None,
        encoder_fn: GraphFn | None = None,
        decoder_fn: GraphFn | None = None,
    ) -> BridgeSpec:
        """Encode features, convert the encoding to a code, and decode it.

        Args:
            features: the input of the encoder; symbolic.
            labels: passed to functions that take labels.
            loss: unused; an argument of polyaxon-lib's bridges.
            encoder_fn: a function of (mode, features); the identity if None.
            decoder_fn: a function of (mode, code); the identity if None.
        """
        encoding = features
        if encoder_fn is not None:
            encoding = call_graph_fn(encoder_fn, self.mode, features, labels)
        output = self.cross(encoding)
        results = output.code
        if decoder_fn is not None:
            results = call_graph_fn(decoder_fn, self.mode, output.code, labels)
        return BridgeSpec(
            latent=output.latent,
            code=output.code,
            losses=output.losses,
            results=results,
            sample_fn=self.sample_fn(output.latent),
        )

    @abstractmethod
    def cross(self, encoding: Nested) -> BridgeOutput:
        """Convert a symbolic encoding, [batch, …], to the input of the decoder."""

    def sample_fn(self, latent: Nested) -> SampleFn | None:
        """Return a function that draws latents like this symbolic one, if there is one."""
        return None
