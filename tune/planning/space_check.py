"""Checks a space against its model's hyperparameters: what was set by flags, names, values, whole configurations."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from data.errors import UserError, near_names
from data.files import expand
from search_spaces.library import read_space
from search_spaces.mistakes import SpaceError, in_lines
from search_spaces.override import override_space
from search_spaces.parameter_names import COMMON_NAMES, check_parameter_names, unknown_parameter
from search_spaces.reader import KEYS
from search_spaces.space import SearchSpace
from trainables.hyper import Hyper
from tune.registry import TrainableError, absolute_name, find_hyper_type
from tune.validation_messages import MISSING, validation_messages

HyperType = type[Hyper]
SECTIONS = {"fixed", "search", "conditional"}


@dataclass(frozen=True)
class Setting:
    """A value that a flag gives a parameter, and how it was typed, such as '--set lr=1e-5'."""

    value: str
    typed: str


def find_hyper(space: SearchSpace, source: str) -> tuple[str, HyperType]:
    """Return the space's trainable, its name made absolute, and the class of its hyperparameters.

    source: the space's name or file, as the user gave it. Raises TrainableError if there is no such model.
    """
    trainable = absolute_name(space.trainable, expand(source).resolve().parent)
    try:
        return trainable, find_hyper_type(trainable)
    except TrainableError as error:
        raise TrainableError(f"{Path(source).name}: {error}") from error


def load_fitting_space(source: str, settings: Mapping[str, Setting]) -> tuple[str, HyperType, SearchSpace]:
    """Read a space and fit it to its model; return the trainable's name, its hyperparameters' class, and the space.

    Raises SpaceError with all mistakes, in the file and against the model, or TrainableError.
    """
    reading = read_space(source)
    if not reading.mistakes:
        trainable, hyper_type = find_hyper(reading.space, source)
        return trainable, hyper_type, fit_space(reading.space, hyper_type, source=source, settings=settings)
    mistakes = list(reading.mistakes)
    if reading.space.trainable:
        try:
            _, hyper_type = find_hyper(reading.space, source)
            fit_space(reading.space, hyper_type, source=source, settings=settings, unread=reading.unread)
        except UserError as error:
            mistakes += str(error).splitlines()
    raise SpaceError(in_lines(mistakes))


def fit_space(
    space: SearchSpace,
    hyper_type: HyperType,
    *,
    source: str,
    settings: Mapping[str, Setting],
    unread: Collection[str] = (),
) -> SearchSpace:
    """Return the space with the settings applied, checked by the model; raises SpaceError with all mistakes.

    unread: parameters and sections of its file that could not be read; they are not missing.
    """
    known = list(hyper_type.model_fields)
    mistakes = _unknown_settings(space, settings, known)
    try:
        check_parameter_names(space, known)
    except SpaceError as error:
        mistakes += [f"{Path(source).name}: {line.removeprefix(f'{space.name}: ')}" for line in str(error).splitlines()]
    mistakes += [
        f"{Path(source).name}: {unknown_parameter(space.trainable, name, known)}"
        for name in sorted({*unread} - {*known, *KEYS})
    ]
    usable: dict[str, str] = {}
    for key, setting in settings.items():
        try:
            override_space(space, {**usable, key: setting.value})
        except SpaceError as error:
            mistakes.append(str(error).removeprefix(f"{space.name}: "))
        else:
            usable |= {key: setting.value} if key in known else {}
    space = override_space(space, usable)
    mistakes += _value_mistakes(space, hyper_type, source=Path(source).name, settings=settings, unread=unread)
    mistakes += [
        _place(name, "must be one value, the same for all trials", Path(source).name, settings)
        for name in hyper_type.shared_by_all_trials
        if name in space.parameters()
    ]
    if mistakes:
        raise SpaceError(in_lines(mistakes))
    return space


def _unknown_settings(space: SearchSpace, settings: Mapping[str, Setting], known: list[str]) -> list[str]:
    mistakes = []
    for key, setting in settings.items():
        if key not in known:
            mistakes.append(f"{setting.typed}: {unknown_parameter(space.trainable, key, known)}")
    return mistakes


def _value_mistakes(
    space: SearchSpace,
    hyper_type: HyperType,
    *,
    source: str,
    settings: Mapping[str, Setting],
    unread: Collection[str],
) -> list[str]:
    """Say which values of the space the model rejects, each once, where it was written.

    Of values between those that the file names, and of values together, only what breaks another rule.
    """
    named = [found for config in space.corners() for found in _findings(hyper_type, config, unread)]
    rules = {(name, _rule(message)) for name, message in named}
    between: dict[tuple[str, str], tuple[str, str]] = {}
    for config in space.extremes(hyper_type.model_fields):
        for name, message in _findings(hyper_type, config, unread):
            if (name, _rule(message)) not in rules:
                between.setdefault((name, _rule(message)), (name, message))
    order = [*settings, *hyper_type.model_fields, ""]
    found = sorted([*named, *between.values()], key=lambda each: order.index(each[0]))
    lines = (
        _place(name, f"{message}{_whole_remedy(space, name, message)}", source, settings) for name, message in found
    )
    return list(dict.fromkeys(lines))


def _findings(
    hyper_type: HyperType, configuration: Mapping[str, object], unread: Collection[str]
) -> list[tuple[str, str]]:
    """Say which parameters of a configuration the model rejects and why; those that it does not know are others'."""
    known = hyper_type.model_fields
    unknown = [key for key in configuration if key not in known]
    try:
        hyper_type.model_validate({key: value for key, value in configuration.items() if key in known})
    except ValidationError as error:
        return [
            (name, message)
            for name, message in validation_messages(error).items()
            if message != MISSING
            or not (_is_unread(name, unread) or any(_means(key, name) for key in (*unknown, *unread)))
        ]
    return []


def _rule(message: str) -> str:
    """Return a message without the value that broke the rule."""
    return message.partition(", got ")[0]


def _is_unread(name: str, unread: Collection[str]) -> bool:
    """Whether a parameter may be in what could not be read of a file."""
    return name in unread or not SECTIONS.isdisjoint(unread)


@functools.cache
def _means(key: str, name: str) -> bool:
    """Whether a name that the model does not know may have meant this parameter."""
    return COMMON_NAMES.get(key) == name or bool(near_names(key, [name]))


def _whole_remedy(space: SearchSpace, name: str, message: str) -> str:
    """Name the domain of whole numbers to take instead of one with fractions."""
    domain = next((path.search[name] for path in space.paths().values() if name in path.search), None)
    if domain is None or domain.is_finite or not message.startswith("must be a whole number"):
        return ""
    kind = "logint" if domain.kind == "log" and domain.low >= 1 else "int"
    return f", which {domain.to_text()} may propose; take {kind}:{math.ceil(domain.low)}:{math.floor(domain.high)}"


def _place(name: str, message: str, source: str, settings: Mapping[str, Setting]) -> str:
    if name in settings:
        return f"{settings[name].typed}: {message}"
    if message == MISSING:
        return f"{source}: {name} {MISSING}; give it under fixed or search, or with --set {name}=VALUE"
    return ": ".join(part for part in (source, name, message) if part)
