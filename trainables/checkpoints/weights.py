"""Weights that are put into a model only if all of them fit: every name, every shape, every number."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from data.files import check_readable
from trainables.errors import CheckpointError

logger = logging.getLogger(__name__)

# What wrappers put before every name: DataParallel, torch.compile, Lightning modules by the usual names of their model.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
NAMED = 3  # of the names that are wrong, a message gives this many

Shapes = Mapping[str, Sequence[int]]


def read_fitting(file: Path, expected: Shapes) -> dict[str, Tensor]:
    """Read a safetensors file whose tensors fit; nothing is read before names and shapes are known to.

    expected: the shape of each tensor. Names that all bear a prefix of a wrapper lose it, with a note. Raises
    CheckpointError for a name that is missing or too many, another shape, and numbers that are none or infinite.
    """
    check_readable(file)
    with safe_open(file, framework="pt") as stored:
        prefix = wrapper_prefix(stored.keys(), expected)
        check_shapes({k.removeprefix(prefix): stored.get_slice(k).get_shape() for k in stored.keys()}, expected)  # noqa: SIM118
        tensors = {k.removeprefix(prefix): stored.get_tensor(k) for k in stored.keys()}  # noqa: SIM118
    if prefix:
        logger.warning("%s: all names begin with %s, which is left out", file, prefix)
    check_numbers(tensors)
    return tensors


def wrapper_prefix(names: Iterable[str], expected: Iterable[str]) -> str:
    """Return what a wrapper has put before all names, '' if nothing, or if the names fit as they are."""
    names, expected = set(names), set(expected)
    prefix = ""
    while names and not names & expected:
        found = next((p for p in PREFIXES if all(name.startswith(p) for name in names)), None)
        if found is None:
            return ""
        prefix += found
        names = {name.removeprefix(found) for name in names}
    return prefix


def check_shapes(shapes: Shapes, expected: Shapes) -> None:
    """Raise CheckpointError if a tensor is missing, too many, or of another shape than expected."""
    shared = sorted(shapes.keys() & expected.keys())
    reject_misfits(
        missing=expected.keys() - shapes.keys(),
        unexpected=shapes.keys() - expected.keys(),
        misshapen=[(name, shapes[name], expected[name]) for name in shared if [*shapes[name]] != [*expected[name]]],
    )


def reject_misfits(
    *,
    missing: Iterable[str],
    unexpected: Iterable[str] = (),
    misshapen: Iterable[tuple[str, Sequence[int], Sequence[int]]] = (),
) -> None:
    """Raise CheckpointError if there is any. misshapen: name, the shape that is stored, the model's own."""
    _reject(
        {
            "missing": sorted(missing),
            "unexpected": sorted(unexpected),
            "of another shape": [f"{name} is {tuple(stored)} for {tuple(own)}" for name, stored, own in misshapen],
        }
    )


def reject_beyond(skeleton: nn.Module, files: Iterable[Path]) -> None:
    """Raise CheckpointError if a model has more weights than its files have bytes.

    skeleton: the model on the device 'meta', which allocates nothing.
    """
    weights, stored = sum(p.numel() for p in skeleton.parameters()), sum(file.stat().st_size for file in files)
    if weights > stored:
        raise CheckpointError(f"its configuration asks for {weights:,} weights, and its files hold {stored:,} bytes")


def shapes_of(tensors: Mapping[str, Tensor]) -> Shapes:
    """Return the shape of each tensor."""
    return {name: tensor.shape for name, tensor in tensors.items()}


def check_numbers(tensors: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError if a tensor holds no real numbers, or a NaN or an infinite one."""
    other = [f"{name} ({t.dtype})" for name, t in sorted(tensors.items()) if not t.is_floating_point()]
    broken = [n for n, t in sorted(tensors.items()) if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    _reject({"of another type": other, "with NaN or infinite numbers": broken})


def _reject(faults: Mapping[str, list[str]]) -> None:
    """Raise CheckpointError that names a few of the tensors that each fault has; nothing where no fault has any."""
    found = [
        f"{len(names)} {fault} ({', '.join(names[:NAMED])}{', …' if len(names) > NAMED else ''})"
        for fault, names in faults.items()
        if names
    ]
    if found:
        raise CheckpointError(f"its weights must fit its configuration: {'; '.join(found)}")
