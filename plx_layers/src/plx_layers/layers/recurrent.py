"""Recurrent cells of polyaxon-lib, and a recurrent layer that reads both ways."""

from __future__ import annotations

import keras

from plx_core import Modes
from plx_core.annotations import ActivationLike, InitializerLike, Layer, PositiveInt
from plx_layers.layers.polyaxon_2017 import fresh


def BasicRNNCell(  # noqa: N802 (a layer's name)
    mode: str = Modes.TRAIN,
    *,
    num_units: PositiveInt,
    activation: ActivationLike = "tanh",
    bias: bool = True,
    weights_init: InitializerLike = "glorot_uniform",
    trainable: bool = True,
    name: str | None = None,
) -> keras.layers.Layer:
    """Make the cell of a simple recurrent network, for `BidirectionalRNN` or Keras's `RNN`.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_units: the number of outputs.
        activation: the activation of the outputs.
        bias: whether to add a bias.
        weights_init: the initial weights.
        trainable: whether to update the weights.
        name: the layer's name.
    """
    return keras.layers.SimpleRNNCell(
        num_units,
        activation,
        bias,
        kernel_initializer=fresh(weights_init),
        trainable=trainable,
        name=name,
    )


def BasicLSTMCell(  # noqa: N802 (a layer's name)
    mode: str = Modes.TRAIN,
    *,
    num_units: PositiveInt,
    forget_bias: float = 1.0,
    activation: ActivationLike = "tanh",
    inner_activation: ActivationLike = "sigmoid",
    bias: bool = True,
    weights_init: InitializerLike = "glorot_uniform",
    trainable: bool = True,
    name: str | None = None,
) -> keras.layers.Layer:
    """Make the cell of a long short-term memory, for `BidirectionalRNN` or Keras's `RNN`.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_units: the number of outputs.
        forget_bias: the initial bias of the forget gate, 1 or 0.
        activation: the activation of the outputs.
        inner_activation: the activation of the gates.
        bias: whether to add a bias.
        weights_init: the initial weights.
        trainable: whether to update the weights.
        name: the layer's name.
    """
    if forget_bias not in (0.0, 1.0):
        raise ValueError(f"forget_bias is 1 or 0; got {forget_bias}")
    return keras.layers.LSTMCell(
        num_units,
        activation,
        inner_activation,
        bias,
        kernel_initializer=fresh(weights_init),
        unit_forget_bias=forget_bias == 1.0,
        trainable=trainable,
        name=name,
    )


def BidirectionalRNN(  # noqa: N802 (a layer's name)
    mode: str = Modes.TRAIN,
    *,
    rnncell_fw: Layer,
    rnncell_bw: Layer,
    return_seq: bool = False,
    dynamic: bool = False,
    name: str | None = None,
) -> keras.layers.Layer:
    """Read sequences both ways: [batch, time, features] to [batch, 2 · units].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        rnncell_fw: the cell that reads forwards.
        rnncell_bw: the cell that reads backwards, with as many units.
        return_seq: whether to return the outputs of each step, [batch, time, 2 · units], rather
            than the last output of each direction.
        dynamic: whether to skip the steps whose features are all 0, as padding has them.
        name: the layer's name.

    Raises:
        ValueError: the cells differ in their number of units.
    """
    sizes = [cell.output_size for cell in (rnncell_fw, rnncell_bw)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"the cells have as many units as each other; these have {sizes[0]} and {sizes[1]}"
        )
    layer = keras.layers.Bidirectional(
        keras.layers.RNN(rnncell_fw, return_sequences=return_seq, name="forwards"),
        backward_layer=keras.layers.RNN(
            rnncell_bw, return_sequences=return_seq, go_backwards=True, name="backwards"
        ),
        name="both_ways" if dynamic else name,
    )
    if not dynamic:
        return layer
    return keras.Sequential([keras.layers.Masking(0.0, name="masking"), layer], name=name)
