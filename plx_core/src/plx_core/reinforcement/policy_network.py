"""The whole greedy policy as one network, for exports and predictions."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from plx_core.errors import ComponentError
from plx_core.networks.subclasses import as_functional
from plx_core.reinforcement.agent_spec import AgentSpec
from plx_core.reinforcement.interfaces import Environment
from plx_core.types import Array, Features, Nested, Tensor

ACTION, ACTION_MASK = "action", "action_mask"


def with_policy_network(
    spec: AgentSpec,
    observations: Features,
    env: Environment | None = None,
    masks: Array | None = None,
) -> AgentSpec:
    """Return the specification with a network of the whole policy, which shares the weights.

    The network converts an environment's raw observations, and `action_mask` if there are masks, to
    the predictions: raw actions as `action`, and what the model adds.

    Args:
        spec: the model's own specification.
        observations: the `tf.TensorSpec`s of what the model's network reads, by name.
        env: the environment; None for what the model's network itself reads and returns.
        masks: the environment's masks at some step, bool [N, A]; None without masks.

    Raises:
        ComponentError: the model cannot be converted, or knows no masks.
    """
    import keras

    network = as_functional(spec.network, observations)
    processing = env.processing_network() if env is not None else None
    if processing is None:
        inputs = features = {tensor.name: tensor for tensor in network.inputs}
        outputs = network.output
    else:
        inputs = {tensor.name: tensor for tensor in processing.inputs}
        features = {tensor.name: processing.output[tensor.name] for tensor in network.inputs}
        outputs = network(features)
    mask = None
    if masks is not None:
        mask = keras.Input((masks.shape[-1],), dtype="bool", name=ACTION_MASK)
        inputs = _with_mask(inputs, mask)
    predictions = _predictions(spec, features, outputs, mask)
    actions = env.action_network() if env is not None else None
    if actions is not None:
        predictions[ACTION] = actions(predictions[ACTION])
    return evolve(
        spec,
        network=keras.Model(inputs, predictions, name=network.name),
        predict_fn=lambda features, outputs: outputs,
    )


def _with_mask(inputs: Mapping[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
    if ACTION_MASK in inputs:
        raise ComponentError(
            f"the environment has masks, and observations with a part called {ACTION_MASK}, which "
            "is the name of an exported policy's mask; rename the part"
        )
    return {**inputs, ACTION_MASK: mask}


def _predictions(
    spec: AgentSpec, features: Features, outputs: Nested, mask: Tensor | None
) -> dict[str, Nested]:
    if spec.action_fn is None and mask is not None:
        raise ComponentError(
            "the environment has masks, which the model leaves out of account in exports and "
            "predictions: its AgentSpec has no action_fn"
        )
    try:
        chosen = {} if spec.action_fn is None else {ACTION: spec.action_fn(outputs, mask)}
        return {**chosen, **spec.predict_fn(features, outputs)}
    except ValueError as error:
        if "KerasTensor" not in str(error):
            raise
        raise ComponentError(
            "the action_fn and predict_fn of an agent's model become part of a Keras network: call "
            f"keras.ops instead of TensorFlow's functions there ({error})"
        ) from error
