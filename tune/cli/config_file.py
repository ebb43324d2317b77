"""A file with a command's options: what is typed comes before what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from data.errors import UserError, near_names
from data.files import expand

OWN = ("config", "help")  # that a file cannot have
_NUMBERS = {int: "integer", float: "number", bool: "boolean"}  # in a JSON Schema


def from_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take the options of a YAML file for those that are not typed; UserError for a file that has others."""
    if path is None:
        return None
    from search_spaces.document import read_document
    from search_spaces.mistakes import Mistakes

    mistakes = Mistakes(str(path))
    document = read_document(expand(path), mistakes)
    mistakes.raise_if_any()
    known = {str(param.name): param for param in ctx.command.params if param.name not in OWN}
    by_flag = {flag.lstrip("-").replace("-", "_"): name for name, param in known.items() for flag in param.opts}
    values: dict[str, Any] = {}
    for key, value in document.items():
        name = by_flag.get(str(key).replace("-", "_"))
        if name is None:
            mistakes.add(str(key), f"is no option of foretune {ctx.info_name}{near_names(str(key), by_flag)}")
        elif value is not None:
            values[name] = _typed(value, is_repeated=bool(getattr(known[name], "multiple", False)))
    mistakes.raise_if_any()
    ctx.default_map = values
    return path


def _typed(value: object, *, is_repeated: bool) -> object:
    """Return a value as the command line would have it: a mapping as KEY=VALUE pairs, a list as text with commas."""
    if isinstance(value, Mapping):
        return [f"{key}={_text(each)}" for key, each in value.items()]
    if isinstance(value, list):
        return [_text(each) for each in value] if is_repeated else ",".join(map(_text, value))
    if isinstance(value, bool):
        return value
    return [_text(value)] if is_repeated else _text(value)


def _text(value: object) -> str:
    if isinstance(value, list | dict):
        raise UserError(f"a value of a file of options is a number or text, got {value!r}; write it as it is typed")
    return str(value).lower() if isinstance(value, bool) else str(value)


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of a file of options for `foretune sweep`, of the command's own parameters."""
    from tune.cli.group import command_of
    from tune.cli.sweeps import sweep

    params = {
        str(param.name).rstrip("_"): param for param in command_of("sweep", sweep).params if param.name not in OWN
    }
    options = {name: _option_schema(param) for name, param in params.items()}
    hyphens = {name.replace("_", "-"): schema for name, schema in options.items() if "_" in name}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Options of foretune sweep",
        "type": "object",
        "additionalProperties": False,
        "properties": options,
        "patternProperties": {f"^{name}$": schema for name, schema in hyphens.items()},
    }


def _option_schema(param: Any) -> dict[str, Any]:
    """Describe an option: a number where it takes one; else also a list, and of --set a mapping."""
    kinds = [_NUMBERS.get(param.type_descriptor.annotation, "string"), "null"]
    if kinds[0] == "string":
        kinds += ["number", "boolean", "array", *(["object"] if param.name == "set_" else [])]
    return {"type": kinds, **({"description": str(param.help)} if param.help else {})}
