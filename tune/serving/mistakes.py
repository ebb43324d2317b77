"""What is wrong with a request's JSON, in the words of the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.domain import show
from tune.validation_messages import rule_of

SHOWN = 5
UNREADABLE = "the body must be JSON, and it is nested too deeply or has a number of too many digits; correct it"


def request_mistakes(errors: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """Return the status and a line for each of the first mistakes: where it is, the rule, and the value."""
    if errors and errors[0]["type"] == "json_invalid":
        place = errors[0]["loc"][-1]
        return 400, f"the body must be JSON, and at character {place}: {errors[0]['ctx']['error']}; correct it"
    lines = [_line(error) for error in errors[:SHOWN]]
    if len(errors) > SHOWN:
        lines.append(f"and {len(errors) - SHOWN} more")
    return 422, "\n".join(lines)


def _line(error: Mapping[str, Any]) -> str:
    where = _where(error["loc"][1:])  # the first is always body
    if isinstance(error["input"], bytes):  # not read as JSON
        return "a request must have the header Content-Type: application/json, and this one has another; add it"
    if error["type"] == "missing":
        return f"{where} is missing; see /docs for an example"
    if error["type"] == "extra_forbidden":
        return f"{where} is not known; leave it out, see /docs for what there is"
    return f"{where} must be {rule_of(error)}, got {show(error['input'])}; see /docs for an example"


def _where(loc: Sequence[str | int]) -> str:
    """Return a path such as series 2: values 7, counted from 1."""
    parts: list[str] = []
    for part in loc:
        if isinstance(part, int) and parts:
            parts[-1] += f" {part + 1}"
        else:
            parts.append(str(part))
    return ": ".join(parts) or "the body"
