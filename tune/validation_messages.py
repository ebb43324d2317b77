"""How a wrong value is reported: pydantic's findings as a rule and the value that broke it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search_spaces.domain import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError

MISSING = "is missing"
_RULES = {
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "below {lt:g}",
    "less_than_equal": "{le:g} or less",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "an object",
    "model_attributes_type": "an object",
    "too_short": "{min_length} long or longer",
}


def validation_messages(error: ValidationError) -> dict[str, str]:
    """Say of each wrong field, by its name, which rule it breaks with which value; '' means the whole."""
    by_field: dict[str, list[Mapping[str, Any]]] = {}
    for item in error.errors(include_url=False):
        by_field.setdefault(str(item["loc"][0]) if item["loc"] else "", []).append(item)
    return {field: _message(items) for field, items in by_field.items()}


def _message(items: Sequence[Mapping[str, Any]]) -> str:
    """One field's findings; of a union's members, each has its own."""
    first = items[0]
    if first["type"] == "missing":
        return MISSING
    if first["type"] == "value_error":  # a check of ours: its message is whole
        return str(first["ctx"]["error"])
    rules = " or ".join(dict.fromkeys(rule_of(item) for item in items))
    return f"must be {rules}, got {show(first['input'])}"


def rule_of(item: Mapping[str, Any]) -> str:
    """Say which rule one of pydantic's findings is about, to follow 'must be'."""
    if item["type"] == "literal_error":
        return str(item["ctx"]["expected"])
    known = _RULES.get(item["type"])
    return str(item["msg"]).removeprefix("Input should be ") if known is None else known.format(**item.get("ctx", {}))


def flag_messages(error: ValidationError) -> list[str]:
    """Say what is wrong with each flag, by the flags' names as they are typed."""
    found = validation_messages(error).items()
    return [text if text.startswith("--") else f"--{name.replace('_', '-')} {text}" for name, text in found]
