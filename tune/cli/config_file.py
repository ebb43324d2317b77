"""A file with a command's options: what is typed comes before what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from data.errors import UserError, near_names
from data.files import expand

OWN = ("config", "help")  # that a file cannot have


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
