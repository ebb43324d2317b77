"""Folders of models in a space, made absolute: a resume, and a trial's process, may be in another folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from data.files import expand
from data.samples.bundled import PRETRAINED
from search_spaces.branch import Branch
from search_spaces.domain import Domain, Scalar
from search_spaces.space import SearchSpace

MODEL_FOLDERS = {"pretrained", "teacher", "llm"}  # hyperparameters that may name one


def with_absolute_folders(space: SearchSpace) -> SearchSpace:
    """Return the space with the models' folders absolute, where they are fixed, searched or tried first."""
    return replace(
        space,
        fixed=_values(space.fixed),
        search=_domains(space.search),
        conditional={
            decider: {name: Branch(name, _values(b.fixed), _domains(b.search)) for name, b in branches.items()}
            for decider, branches in space.conditional.items()
        },
        initial_points=tuple(map(_values, space.initial_points)),
    )


def _values(values: Mapping[str, object]) -> dict[str, object]:
    return {k: _absolute(v) if k in MODEL_FOLDERS and isinstance(v, str) else v for k, v in values.items()}


def _domains(domains: Mapping[str, Domain]) -> dict[str, Domain]:
    return {name: _domain(domain) if name in MODEL_FOLDERS else domain for name, domain in domains.items()}


def _domain(domain: Domain) -> Domain:
    values: list[Scalar] = [_absolute(value) if isinstance(value, str) else value for value in domain.values]
    return replace(domain, values=tuple(values))


def _absolute(name: str) -> str:
    """Return the absolute path of a folder; a bundled name, a Hub id and what is no folder as they are."""
    folder = expand(name)
    return str(folder.resolve()) if name not in PRETRAINED and folder.is_dir() else name
