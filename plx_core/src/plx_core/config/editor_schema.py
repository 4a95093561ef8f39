"""One JSON Schema (draft-07) of experiment files with every installed component, for editors."""

from __future__ import annotations

import re
from typing import Any

from plx_core.components.json_schema import Schema, class_schema
from plx_core.components.schema_cache import Signatures, with_older_names
from plx_core.config.sections import ExperimentConfig
from plx_core.errors import PlxError
from plx_core.hookspecs import KINDS
from plx_core.plugins.registry import SINGULAR, Entry, Registry

OWN_KEYWORDS = ("x-exists", "x-python", "x-class", "x-alias", "x-component", "x-params")


def editor_schema(registry: Registry, signatures: Signatures) -> Schema:
    """The schema of experiment files, version 1; a component that cannot be loaded is left out."""
    root = _portable(class_schema(ExperimentConfig))
    root["properties"]["extends"] = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "files that this one is laid on",
    }
    root["required"] = []  # what a file leaves out may be in one that it extends
    definitions = {kind: _kind_schema(kind, registry, signatures) for kind in KINDS}
    signatures.save()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "plx experiment",
        **root,
        "definitions": definitions,
    }


def _kind_schema(kind: str, registry: Registry, signatures: Signatures) -> Schema:
    names: list[str] = []
    properties: Schema = {}
    for entry in registry.entries(kind):
        try:
            parameters = _portable(
                with_older_names(signatures.parameters(entry), registry.older_parameters(entry))
            )
        except PlxError:
            continue
        for name in _spellings(entry, registry):
            names.append(name)
            properties[name] = {"anyOf": [{"type": "null"}, parameters]} | (
                {"description": parameters["description"]} if "description" in parameters else {}
            )
    by_name = {"type": "string", "anyOf": [{"enum": sorted(set(names))}, {"pattern": "/"}]}
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
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", entry.name).lower()
    return list(
        dict.fromkeys(
            [entry.name, entry.qualified_name, entry.name.lower(), snake, *registry.aliases(entry)]
        )
    )


def _portable(schema: Any) -> Any:
    """The schema without our own keywords, components as references to their kind."""
    if isinstance(schema, list):
        return [_portable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "x-component" in schema:
        rest = {key: value for key, value in schema.items() if key in ("default", "description")}
        return {"allOf": [{"$ref": f"#/definitions/{schema['x-component']}"}], **rest}
    if "x-python" in schema:
        return {"not": {}}
    portable = {
        key: _portable(value)
        for key, value in schema.items()
        if key not in OWN_KEYWORDS and key != "properties"
    }
    if "properties" in schema:
        portable["properties"] = {
            name: _portable(child) for name, child in schema["properties"].items()
        }
        aliases = {
            child["x-alias"]: _portable(child)
            for child in schema["properties"].values()
            if "x-alias" in child
        }
        portable["properties"] |= aliases
        # Draft-07 has no word for "this or that key" that an editor would complete from.
        portable["required"] = [
            name
            for name in schema.get("required", ())
            if "x-alias" not in schema["properties"][name]
        ]
    return portable
