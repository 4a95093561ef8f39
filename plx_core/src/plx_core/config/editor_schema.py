"""The JSON Schema (draft-07) of experiment files with every installed component, for editors."""

from __future__ import annotations

from typing import cast

from plx_core.components.json_schema import Schema, class_schema
from plx_core.components.schema_cache import Signatures, add_older_names
from plx_core.config.sections import ExperimentConfig
from plx_core.errors import PlxError
from plx_core.hookspecs import KINDS
from plx_core.plugins.registry import SINGULAR, Entry, Registry, snake_case

OWN_KEYWORDS = ("x-exists", "x-python", "x-class", "x-alias", "x-component", "x-params")


def editor_schema(registry: Registry, signatures: Signatures) -> Schema:
    """Return the schema of experiment files; components that cannot be loaded are left out."""
    root = _portable(class_schema(ExperimentConfig))
    root["properties"]["extends"] = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "the files that this one is merged over",
    }
    for entry in registry.sections():
        try:
            root["properties"][entry.name] = _portable(class_schema(cast("type", entry.load())))
        except PlxError:
            continue
    root["required"] = []  # required keys may be in a file that this one extends
    definitions = {kind: _kind_schema(kind, registry, signatures) for kind in KINDS}
    signatures.save()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "plx experiment",
        **root,
        "definitions": definitions,
    }


def _kind_schema(kind: str, registry: Registry, signatures: Signatures) -> Schema:
    properties: Schema = {}
    for entry in registry.entries(kind):
        try:
            parameters = signatures.parameters(entry)
        except PlxError:
            continue
        schema = _portable(add_older_names(parameters, registry.older_parameters(entry)))
        component: Schema = {"anyOf": [{"type": "null"}, schema]}
        if "description" in schema:
            component["description"] = schema["description"]
        for name in _spellings(entry, registry):
            properties[name] = component
    by_name = {"type": "string", "anyOf": [{"enum": sorted(properties)}, {"pattern": "/"}]}
    with_parameters = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": properties,
        "patternProperties": {"/": {}},
        "additionalProperties": False,
    }
    return {"title": f"a {SINGULAR[kind]}", "anyOf": [by_name, with_parameters]}


def _spellings(entry: Entry, registry: Registry) -> list[str]:
    return [
        entry.name,
        entry.qualified_name,
        entry.name.lower(),
        snake_case(entry.name),
        *registry.aliases(entry),
    ]


def _portable(schema: Schema) -> Schema:
    """Return the schema in draft-07, with components as references to their kind."""
    if "x-component" in schema:
        rest = {key: value for key, value in schema.items() if key in ("default", "description")}
        return {"allOf": [{"$ref": f"#/definitions/{schema['x-component']}"}], **rest}
    if "x-python" in schema:
        return {"not": {}}
    result: Schema = {
        key: _portable_value(value)
        for key, value in schema.items()
        if key not in OWN_KEYWORDS and key != "properties"
    }
    if "properties" in schema:
        children = schema["properties"]
        result["properties"] = {name: _portable(child) for name, child in children.items()}
        for name, child in children.items():
            if "x-alias" in child:
                result["properties"][child["x-alias"]] = result["properties"][name]
        # Editors offer no completions for "this key or that one", so neither name is required.
        result["required"] = [
            name for name in schema.get("required", ()) if "x-alias" not in children[name]
        ]
    return result


def _portable_value(value: object) -> object:
    if isinstance(value, list):
        return [_portable_value(item) for item in value]
    return _portable(value) if isinstance(value, dict) else value
