"""The parameter names of a space, checked against those that its trainable has."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from data.errors import near_names
from search_spaces.initial_points import values_of
from search_spaces.mistakes import Mistakes
from search_spaces.space import SearchSpace

# What other tools call a parameter of ours.
COMMON_NAMES = {
    "learning_rate": "lr",
    "max_lr": "lr",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "max_epochs": "epochs",
    "train_batch_size": "batch_size",
    "per_device_train_batch_size": "batch_size",
    "num_warmup_steps": "warmup_steps",
    "warmup_ratio": "warmup_fraction",
    "wd": "weight_decay",
    "early_stopping_patience": "patience",
}


def check_parameter_names(space: SearchSpace, known: Iterable[str]) -> None:
    """Raise SpaceError, with near names, for every parameter that the trainable does not have."""
    known = list(known)
    mistakes = Mistakes(space.name)
    for place, names in _places(space):
        for name in names:
            if name not in known:
                mistakes.add(place, unknown_parameter(space.trainable, name, known))
    mistakes.raise_if_any()


def unknown_parameter(trainable: str, name: str, known: Collection[str]) -> str:
    """Say that a trainable has no such parameter, and which was meant or which it has."""
    usual = COMMON_NAMES.get(name)
    meant = f"; did you mean {usual!r}?" if usual in known else near_names(name, known)
    return f"{trainable!r} has no parameter {name!r}{meant or '; it knows ' + ', '.join(known)}"


def _places(space: SearchSpace) -> list[tuple[str, Iterable[str]]]:
    """List the places that name parameters, each with its names."""
    places: list[tuple[str, Iterable[str]]] = [("fixed", space.fixed), ("search", space.search)]
    for decider, branches in space.conditional.items():
        for name, branch in branches.items():
            places.append((f"conditional.{decider}.{name}.fixed", branch.fixed))
            places.append((f"conditional.{decider}.{name}.search", branch.search))
    if space.is_points:
        places.append(("first", values_of(space.initial_points[0]) if space.initial_points else ()))
    return places
