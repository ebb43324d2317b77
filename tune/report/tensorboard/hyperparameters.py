"""Hyperparameters as HPARAMS describes them: a column each with its domain, and a trial's values."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from search_spaces.domain import Domain
from search_spaces.space import SearchSpace
from tune.report.tensorboard.messages import is_number, plain

Columns = Mapping[str, api_pb2.HParamInfo]


def hyperparameter_values(name: str, hyper: Mapping[str, object], columns: Columns) -> plugin_data_pb2.SessionStartInfo:
    """Return what HPARAMS keeps of a run. name: of its row."""
    start = plugin_data_pb2.SessionStartInfo(group_name=name, start_time_secs=time.time())
    for key, value in {plain(key): value for key, value in hyper.items()}.items():
        as_text = key in columns and columns[key].type == api_pb2.DATA_TYPE_STRING
        _set_hyperparameter(start, key, value, as_text=as_text)
    return start


def hyperparameter_columns(space: SearchSpace) -> dict[str, api_pb2.HParamInfo]:
    """Return each hyperparameter that may differ between trials, by its plain name, with its whole domain.

    The domains that branches give one name are joined: ranges to their hull, choices to their union. A value that
    a branch fixes counts as a choice. What is the same for every trial is left out.
    """
    domains: dict[str, list[Domain]] = {}
    for scoped, domain in space.parameters().items():
        domains.setdefault(scoped.rpartition("/")[2], []).append(domain)
    paths = list(space.paths().values())
    for name in dict.fromkeys(name for path in paths for name in path.fixed):
        values = _distinct(path.fixed[name] for path in paths if name in path.fixed)
        is_constant = len(values) == 1 and all(name in path.fixed for path in paths)
        if name in domains or not is_constant:
            domains.setdefault(name, []).append(Domain("choice", values=tuple(values)))
    return {name: _column(name, joined) for name, joined in domains.items()}


def _column(name: str, domains: list[Domain]) -> api_pb2.HParamInfo:
    """Describe joined domains; those of numbers and text together have no domain that HPARAMS can hold."""
    column = api_pb2.HParamInfo(name=plain(name), differs=True)
    choices = _distinct(value for domain in domains for value in domain.values)
    ends = [end for domain in domains if domain.kind != "choice" for end in (domain.low, domain.high)]
    if all(map(is_number, choices)):
        column.type = api_pb2.DATA_TYPE_FLOAT64
        if ends:
            column.domain_interval.min_value = min(ends + choices)
            column.domain_interval.max_value = max(ends + choices)
        else:
            column.domain_discrete.extend(sorted(choices))
        return column
    is_bool = not ends and all(isinstance(value, bool) for value in choices)
    column.type = api_pb2.DATA_TYPE_BOOL if is_bool else api_pb2.DATA_TYPE_STRING
    if not ends:
        column.domain_discrete.extend(choices if is_bool else map(_text, choices))
    return column


def _set_hyperparameter(start: plugin_data_pb2.SessionStartInfo, name: str, value: Any, *, as_text: bool) -> None:
    """Keep a number to its last bit, and as text what is no number, or is in a column of text."""
    if as_text or not (isinstance(value, bool) or is_number(value)):
        start.hparams[name].string_value = _text(value)
    elif isinstance(value, bool):
        start.hparams[name].bool_value = value
    else:
        start.hparams[name].number_value = value


def _text(value: object) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, default=str))


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once, in order; true is not 1, 5.0 is 5."""
    return list({value if is_number(value) else _text(value): value for value in values}.values())
