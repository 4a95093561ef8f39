"""A line of YAML for each component, complete unless a parameter has no obvious value."""

from __future__ import annotations

from collections.abc import Mapping

from plx_core.components.json_schema import Schema

UNKNOWN = "…"
BY_NAME: Mapping[str, str] = {
    "axes": "-1", "boundaries": "[1000, 2000]", "cell": "{LSTMCell: {units: 8}}",
    "cells": "[{LSTMCell: {units: 8}}]", "decay_rate": "0.9", "decay_steps": "1000",
    "default_value": "0.0", "dims": "[2, 1]", "equation": "'abc,cd->abd'", "factor": "0.2",
    "filter_size": "3", "first_decay_steps": "1000", "head_dim": "8", "height": "24",
    "height_factor": "0.2", "initial_learning_rate": "0.01", "input_dim": "1000",
    "kernel_size": "3", "key_dim": "8", "layer": "{Dense: {units: 8}}",
    "layers": "[{Dense: {units: 8}}]", "max_number": "10", "n": "3", "num_bins": "10",
    "num_classes": "10", "num_heads": "2", "num_key_value_heads": "2", "num_query_heads": "4",
    "output_dim": "16", "output_shape": "[null, 8]", "output_size": "4", "pool_size": "2",
    "rnncell_bw": "{LSTMCell: {units: 8}}", "rnncell_fw": "{LSTMCell: {units: 8}}",
    "precision": "0.5", "rate": "0.5", "recall": "0.5", "scale": "0.5", "sensitivity": "0.5",
    "specificity": "0.5", "stddev": "0.1",
    "target_class_ids": "[1]", "threshold": "0.5", "units": "8", "values": "[0.1, 0.01, 0.001]",
    "width": "24", "width_factor": "0.2", "filters": "8", "num_tokens": "10",
    "Bidirectional.layer": "{LSTM: {units: 8}}",
    "Merge.modules": "[{Dense: {units: 8}}, {Dense: {units: 8}}]",
    "RandomPosterization.factor": "4",
    "Reshape.target_shape": "[8]", "Shared.layer": "dense",
}  # fmt: skip
"""Values for parameters without annotation, as Keras's, by name or by component and name."""
BY_KIND: Mapping[str, str] = {
    "layers": "{Dense: {units: 8}}", "losses": "MeanSquaredError", "optimizers": "Adam",
    "metrics": "Accuracy", "activations": "relu", "initializers": "glorot_uniform",
    "regularizers": "{L2: {l2: 0.01}}", "constraints": "NonNeg",
}  # fmt: skip
NEEDED: Mapping[str, str] = {"CategoryEncoding": "num_tokens", "Discretization": "num_bins"}
"""Parameters that a component needs although its signature has a default."""
LOWER, UPPER = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
SCALARS: Mapping[str, str] = {"string": "text", "boolean": "true", "null": "null", "object": "{}"}


def yaml_line(name: str, schema: Schema) -> str:
    """Return a line of YAML with a component and its required parameters.

    `…` stands for a value that only the user can know.
    """
    required = list(schema["required"])
    if NEEDED.get(name) in schema["properties"]:
        required.append(NEEDED[name])
    params = [
        f"{parameter}: {_value(f'{name}.{parameter}', schema['properties'][parameter])}"
        for parameter in required
    ]
    return f"- {name}: {{{', '.join(params)}}}" if params else f"- {name}"


def _value(path: str, schema: Schema) -> str:
    if path in BY_NAME:
        return BY_NAME[path]
    parameter = path.rpartition(".")[2]
    if parameter in BY_NAME and _allows_value_by_name(schema):
        return BY_NAME[parameter]
    return _by_type(schema)


def _allows_value_by_name(schema: Schema) -> bool:
    """Return whether a parameter is Keras's, has no schema or several types, or takes layers."""
    return (
        "x-keras" in schema
        or not set(schema) - {"x-alias"}
        or schema.get("x-component") == "layers"
        or "anyOf" in schema
        or schema.get("items", {}).get("x-component") == "layers"
    )


def _by_type(schema: Schema) -> str:
    if "enum" in schema:
        return str(next(choice for choice in schema["enum"] if choice is not None))
    if "x-component" in schema:
        return BY_KIND.get(schema["x-component"], UNKNOWN)
    if "anyOf" in schema:
        choices = schema["anyOf"]
        numbers = [choice for choice in choices if choice.get("type") in ("integer", "number")]
        return _by_type(numbers[-1] if numbers else choices[0])
    kind = schema.get("type", "")
    if kind == "array":
        count = max(schema.get("minItems", 1), 1)
        return f"[{', '.join([_by_type(schema.get('items', {}))] * count)}]"
    if kind in ("integer", "number"):
        return _number(schema, is_integer=kind == "integer")
    return SCALARS.get(kind, UNKNOWN)


def _number(schema: Schema, is_integer: bool) -> str:
    default = 3.0 if is_integer else 0.5
    low = next((schema[name] for name in LOWER if name in schema), default)
    high = next((schema[name] for name in UPPER if name in schema), default)
    value = min(max(default, low), high)
    return str(int(value) if is_integer else value)
