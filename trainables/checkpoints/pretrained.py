"""Where a model's weights come from: a bundled name, a folder, or a Hub id; one message where they cannot be loaded."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from data.errors import near_names
from data.files import expand, parse_json, read_small
from data.samples.bundled import PRETRAINED
from trainables.errors import CheckpointError

T = TypeVar("T")


@dataclass(frozen=True)
class Family:
    """What messages say about a model's checkpoints: its name, one of its Hub ids, what works without a network."""

    name: str
    example: str
    bundled: str


ANY_FAMILY = Family("model", "Salesforce/moirai-1.1-R-small", ", ".join(PRETRAINED))


def load_pretrained(pretrained: str, load: Callable[[str], T], family: Family) -> T:
    """Load weights with load(folder or Hub id).

    Raises CheckpointError whatever goes wrong in `load`: the Hub client, safetensors and each model have their own.
    """
    source = locate(pretrained, family)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the Hub client prints where it loads from
            return load(source)
    except Exception as error:
        if Path(source).is_dir():
            raise CheckpointError(f"{source}: cannot be loaded as a {family.name} checkpoint: {error}") from error
        raise _unreachable(pretrained, error, family) from error


def locate(pretrained: str, family: Family = ANY_FAMILY) -> str:
    """Return the folder or Hub id to load from; CheckpointError if it is neither, nor a bundled name."""
    where = PRETRAINED.get(pretrained, expand(pretrained))
    if where.is_dir():
        if not (where / "config.json").is_file():
            raise CheckpointError(
                f"{where}: a {family.name} checkpoint holds config.json; give another folder or a Hub id"
            )
        return str(where)
    if pretrained.count("/") == 1 and not pretrained.startswith((".", "/", "~")):
        return pretrained
    raise CheckpointError(
        f"a checkpoint must be a folder, a Hub id like {family.example}, or one of {', '.join(PRETRAINED)}; got "
        f"{pretrained!r}, and there is no such folder{near_names(pretrained, PRETRAINED)}"
    )


def read_config(pretrained: str) -> dict[str, Any]:
    """Return a checkpoint's config.json; CheckpointError if it cannot be had."""
    source = locate(pretrained)
    path = Path(source) / "config.json"
    try:
        if not path.is_file():
            from huggingface_hub import hf_hub_download

            path = Path(hf_hub_download(source, "config.json"))
        config = parse_json(read_small(path))
    except (OSError, ValueError) as error:
        if Path(source).is_dir():
            raise CheckpointError(f"{path}: cannot be read as a checkpoint's configuration: {error}") from error
        raise _unreachable(pretrained, error, ANY_FAMILY) from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: a checkpoint's configuration must be a JSON object, got {config!r}")
    return config


def _unreachable(pretrained: str, error: Exception, family: Family) -> CheckpointError:
    mirror = os.environ.get("HF_ENDPOINT")
    where = f" at {mirror}, which HF_ENDPOINT names" if mirror else ""
    other = (
        "where that mirror is out of reach, name another"
        if mirror
        else ("where the Hub is out of reach, HF_ENDPOINT names a mirror of it")
    )
    return CheckpointError(
        f"{pretrained} cannot be had from the Hub{where} ({type(error).__name__}: {str(error).splitlines()[0]}); give "
        f"a folder with a downloaded copy, or what is bundled: {family.bundled}; {other}"
    )
