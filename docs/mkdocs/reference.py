"""The parts of the reference that are made of the code: commands, options, hyperparameters, spaces, schemas."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from search_spaces.domain import scalar_text
from search_spaces.library import list_spaces
from tune.cli.config_file import OWN, config_schema
from tune.cli.main import app
from tune.planning.space_schema import parameters_of, space_schema
from tune.registry import find_hyper_type, shipped_trainables

NO_VALUE = (None, False, ())
MOST = 1e9  # a limit that keeps out what was mistyped is not worth a word
TYPES = {str: "text", int: "whole number", float: "number", Path: "path", list[str]: "text, again for more"}


def commands() -> str:
    """Every command: what it does, its arguments, and its options by panel."""
    return "\n\n".join(_command(words, command) for words, command in leaves(app))


def options() -> str:
    """The keys of foretune.yaml: the options of a sweep by panel."""
    params = [param for param in app.get_command(None, "sweep").params if param.name not in (*OWN, "dry_run")]
    rows = [(f"`{str(p.name).rstrip('_')}`", _type_name(p), p.help or "") for p in params]
    return _table(("key", "value", "what it is"), rows)


def parameters() -> str:
    """The hyperparameters of every model, those of all of them first."""
    return "\n\n".join(f"## `{name}`\n\n{_model(name)}" for name in shipped_trainables())


def spaces() -> str:
    """The spaces that come with foretune."""
    rows = [(f"`{s.name}`", f"`{s.trainable}`", str(s.trials), s.description) for s in list_spaces()]
    return _table(("space", "model", "trials", "what it is"), rows)


def schemas() -> dict[str, Any]:
    """The JSON Schemas by the names of their files."""
    return {"space.json": space_schema(), "foretune.json": config_schema()}


def leaves(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it; a group that does something itself before its own."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if not hasattr(command, "list_commands"):
            yield (*words, name), command
            continue
        if command.invoke_without_command:
            yield (*words, name), command
        yield from leaves(command, (*words, name))


def _command(words: Sequence[str], command: Any) -> str:
    title = " ".join(words)
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    named = [param for param in command.params if param.param_type_name == "option"]
    shown = [p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments]
    usage = " ".join(["foretune", title, *shown, *(["[OPTIONS]"] if named else [])])
    parts = [f"## {title}", inspect.cleandoc(command.help or ""), f"```text\n{usage}\n```"]
    if arguments:
        rows = [(f"`{p.name.upper()}`", _type_name(p), _meaning(p)) for p in arguments]
        parts.append(_table(("argument", "type", "what it is"), rows))
    panels = dict.fromkeys(param.rich_help_panel for param in named)
    for panel in panels:
        rows = [(_names(p), _type_name(p), _meaning(p)) for p in named if p.rich_help_panel == panel]
        parts.append(_table((panel or "option", "type", "what it is"), rows))
    return "\n\n".join(parts)


def _names(param: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))


def _meaning(param: Any) -> str:
    text = (param.help or "").strip()
    return text if param.default in NO_VALUE or param.required else f"{text} Default: `{param.default}`."


def _type_name(param: Any) -> str:
    if getattr(param, "is_flag", False):
        return "flag"
    kind = param.type_descriptor.annotation
    return TYPES[kind] if kind in TYPES else str(kind)


def _model(name: str) -> str:
    hyper_type = find_hyper_type(name)
    rows = [
        (
            f"`{key}`",
            _kind(schema),
            _limits(schema),
            f"`{scalar_text(schema['default'])}`" if "default" in schema else "required",
        )
        for key, schema in parameters_of(hyper_type).items()
    ]
    text = " ".join(inspect.getdoc(hyper_type).split("\n")) if hyper_type.__doc__ else ""
    return "\n\n".join((text, _table(("parameter", "value", "limits", "default"), rows)))


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return ", ".join(f"`{scalar_text(value)}`" for value in values) if values else str(schema["type"])


def _limits(schema: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": "above", "minimum": "from", "maximum": "to", "exclusiveMaximum": "below"}
    inside = next((each for each in schema.get("anyOf", ()) if signs.keys() & each.keys()), schema)
    return " ".join(f"{word} {inside[key]:g}" for key, word in signs.items() if inside.get(key, MOST) < MOST)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
