"""Checks a space against its model: what was set on the command line, names, values, whole configurations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from data.errors import near_names
from search_spaces.mistakes import SpaceError
from search_spaces.override import override_space
from search_spaces.parameter_names import check_parameter_names
from search_spaces.space import SearchSpace
from trainables.sweep_trainable import SweepModel
from tune.registry import TrainableError, absolute_name, find_trainable
from tune.validation_messages import MISSING, validation_messages

Model = type[SweepModel]


@dataclass(frozen=True)
class Setting:
    """A value that a flag gives a parameter, and how it was typed, such as '--set lr=1e-5'."""

    value: str
    typed: str


def find_model(space: SearchSpace, source: str) -> tuple[str, Model]:
    """Return the space's trainable, its name made absolute, and its class.

    source: the space's name or file, as the user gave it. Raises TrainableError if there is no such model.
    """
    trainable = absolute_name(space.trainable, Path(source).expanduser().resolve().parent)
    try:
        return trainable, find_trainable(trainable)
    except TrainableError as error:
        raise TrainableError(f"{Path(source).name}: {error}") from error


def fit_space(space: SearchSpace, model: Model, *, source: str, settings: Mapping[str, Setting]) -> SearchSpace:
    """Return the space with the settings applied, checked by the model; raises SpaceError with all mistakes."""
    known = list(model.hyper_type.model_fields)
    mistakes = _unknown_settings(space, settings, known)
    try:
        check_parameter_names(space, known)
    except SpaceError as error:
        mistakes += [f"{Path(source).name}: {line.removeprefix(f'{space.name}: ')}" for line in str(error).splitlines()]
    usable: dict[str, str] = {}
    for key, setting in settings.items():
        try:
            override_space(space, {**usable, key: setting.value})
        except SpaceError as error:
            mistakes.append(str(error).removeprefix(f"{space.name}: "))
        else:
            usable |= {key: setting.value} if key in known else {}
    space = override_space(space, usable)
    mistakes += _value_mistakes(space, model, source=Path(source).name, settings=settings)
    mistakes += [
        _place(name, "must be one value, the same for all trials", Path(source).name, settings)
        for name in model.hyper_type.shared_by_all_trials
        if name in space.parameters()
    ]
    if mistakes:
        raise SpaceError("\n".join(mistakes))
    return space


def _unknown_settings(space: SearchSpace, settings: Mapping[str, Setting], known: list[str]) -> list[str]:
    mistakes = []
    for key, setting in settings.items():
        if key not in known:
            hint = near_names(key, known) or f"; it knows {', '.join(known)}"
            mistakes.append(f"{setting.typed}: {space.trainable!r} has no parameter {key!r}{hint}")
    return mistakes


def _value_mistakes(space: SearchSpace, model: Model, *, source: str, settings: Mapping[str, Setting]) -> list[str]:
    """Say which values of the space the model rejects, each once, where it was written."""
    known = model.hyper_type.model_fields
    mistakes: dict[str, str] = {}
    for configuration in itertools.chain(space.corners(), space.extremes()):
        unknown = [key for key in configuration if key not in known]
        try:
            model.hyper_type.model_validate({key: value for key, value in configuration.items() if key in known})
        except ValidationError as error:
            for name, message in validation_messages(error).items():
                if message != MISSING or not any(near_names(key, [name]) for key in unknown):
                    mistakes[_place(name, message, source, settings)] = name
    order = [*settings, *known, ""]
    return sorted(mistakes, key=lambda line: order.index(mistakes[line]))


def _place(name: str, message: str, source: str, settings: Mapping[str, Setting]) -> str:
    if name in settings:
        return f"{settings[name].typed}: {message}"
    if message == MISSING:
        return f"{source}: {name} {MISSING}; give it under fixed or search, or with --set {name}=VALUE"
    return ": ".join(part for part in (source, name, message) if part)
