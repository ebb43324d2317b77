"""The format of a search space as a JSON Schema, with which an editor completes and checks a file as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.domain import KINDS
from search_spaces.initial_points import NAME, NAME_TEXT
from search_spaces.reader import SCALES, TASK_COUNTS, TASK_KEYS
from trainables.hyper import Hyper
from tune.registry import find_hyper_type, shipped_trainables

DRAFT = "http://json-schema.org/draft-07/schema#"  # which editors know best
Schema = dict[str, Any]

_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
_DOMAIN: Schema = {"$ref": "#/definitions/domain"}
_BOUNDS: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_DOMAINS: dict[str, tuple[str, Schema]] = {
    "log": ("[low, high], log-uniform; both above 0", _BOUNDS),
    "uniform": ("[low, high], uniform", _BOUNDS),
    "int": ("[low, high] or [low, high, step], whole numbers", {**_BOUNDS, "maxItems": 3}),
    "logint": ("[low, high], whole numbers, small ones as likely as large", _BOUNDS),
    "choice": ("one of those listed", {"type": "array", "items": _SCALAR, "minItems": 1, "uniqueItems": True}),
}


def space_schema() -> Schema:
    """Return the JSON Schema (draft 7) of a space's file: its sections, and the parameters of every model of ours.

    What a schema cannot say (an initial point in its ranges, a branch for each choice) is left to `foretune spaces
    check`. A model of the user's own may have any parameter.
    """
    models = {name: find_hyper_type(name) for name in shipped_trainables()}
    return {
        "$schema": DRAFT,
        "title": "A search space of foretune",
        "type": "object",
        "required": ["trainable"],
        "additionalProperties": False,
        "properties": _sections(_section(_SCALAR), _section(_DOMAIN), {"type": "object"}),
        "allOf": [_model(name) for name in models],
        "definitions": {
            "domain": _domain(),
            **{f"{name}-values": _values_of(hyper_type) for name, hyper_type in models.items()},
            **{f"{name}-domains": _domains_of(hyper_type) for name, hyper_type in models.items()},
            **{f"{name}-point": _point_of(hyper_type) for name, hyper_type in models.items()},
        },
    }


def parameters_of(hyper_type: type[Hyper]) -> dict[str, Schema]:
    """Return the schema of each hyperparameter of a model: its type, its limits, its default."""
    properties: dict[str, Schema] = hyper_type.model_json_schema()["properties"]
    return {name: {k: v for k, v in field.items() if k != "title"} for name, field in properties.items()}


def _sections(fixed: Schema, search: Schema, point: Schema) -> Schema:
    """Describe the keys of a file, with what may be fixed, searched and tried first."""
    branch = {"type": "object", "additionalProperties": False, "properties": {"fixed": fixed, "search": search}}
    branches = {"type": "object", "additionalProperties": branch}
    counts: Schema = {name: {"type": "integer", "minimum": 1} for name in TASK_COUNTS}
    texts: Schema = {name: {"type": "string"} for name in TASK_KEYS if name not in TASK_COUNTS}
    task = {**texts, **counts, "scale": {"enum": list(SCALES)}}
    return {
        "description": _described("One sentence, shown by foretune spaces.", {"type": "string"}),
        "trainable": _described(
            "The model: one of ours, an installed package's, or a file of your own such as my_model.py.",
            {"type": "string", "minLength": 1, "examples": shipped_trainables()},
        ),
        "trials": _described("Default of --trials; 20 without it.", {"type": "integer", "minimum": 1}),
        "fixed": _described("The same in every trial.", fixed),
        "search": _described("One domain a parameter.", search),
        "conditional": _described(
            "One searched choice whose value decides the rest: a branch for each of its values.",
            {"type": "object", "maxProperties": 1, "additionalProperties": branches},
        ),
        "first": _described("Configurations that are tried first, complete.", {"type": "array", "items": point}),
        "task": _described(
            "Defaults of the options with the same names.",
            {"type": "object", "additionalProperties": False, "properties": task},
        ),
        "recommended_space": _described(
            "Where task names bundled data: the space for data of your own.", {"type": "string"}
        ),
    }


def _values_of(hyper_type: type[Hyper]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": parameters_of(hyper_type)}


def _point_of(hyper_type: type[Hyper]) -> Schema:
    called = _described("What its trial is called.", {"type": "string", "pattern": f"^{NAME_TEXT.pattern}$"})
    values = _values_of(hyper_type)
    return {**values, "properties": {NAME: called, **values["properties"]}}


def _domains_of(hyper_type: type[Hyper]) -> Schema:
    domains = dict.fromkeys(hyper_type.model_fields, _DOMAIN)
    return {"type": "object", "additionalProperties": False, "properties": domains}


def _model(name: str) -> Schema:
    """Say that a file of one of our models holds this model's parameters alone."""
    values, domains, point = ({"$ref": f"#/definitions/{name}-{what}"} for what in ("values", "domains", "point"))
    sections = _sections(values, domains, point)
    kept = ("fixed", "search", "conditional", "first")
    return {
        "if": {"properties": {"trainable": {"const": name}}, "required": ["trainable"]},
        "then": {"properties": {key: sections[key] for key in kept}},
    }


def _domain() -> Schema:
    assert tuple(_DOMAINS) == KINDS
    return {
        "oneOf": [
            {
                "type": "object",
                "required": [kind],
                "additionalProperties": False,
                "properties": {kind: _described(text, arguments)},
            }
            for kind, (text, arguments) in _DOMAINS.items()
        ]
    }


def _section(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _described(text: str, schema: Mapping[str, Any]) -> Schema:
    return {"description": text, **schema}
