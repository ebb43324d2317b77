"""A checkpoint's files: config.json, checked, beside model.safetensors; in a folder or on the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from safetensors.torch import save_file
from torch import Tensor

from data.files import give_umask_mode, parse_json, read_small, replace_text
from trainables.checkpoints.pretrained import Family, load_pretrained
from trainables.checkpoints.weights import Shapes, read_fitting

CONFIG, WEIGHTS = "config.json", "model.safetensors"
Config = TypeVar("Config", bound=BaseModel)


def write_checkpoint(folder: str | Path, config: BaseModel, tensors: Mapping[str, Tensor]) -> None:
    """Write config.json and model.safetensors; the folder is made."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / WEIGHTS, metadata={"format": "pt"})
    give_umask_mode(folder / WEIGHTS)
    replace_text(folder / CONFIG, config.model_dump_json(indent=1) + "\n")


def read_checkpoint_config(pretrained: str | Path, config_type: type[Config], family: Family) -> Config:
    """Read the config.json that `write_checkpoint` wrote, from a folder or the Hub; raises CheckpointError."""

    def read(source: str) -> Config:
        values = parse_json(read_small(fetch_file(source, (CONFIG,))))
        try:
            return config_type.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            got = "" if first["type"] == "missing" else f", got {first['input']!r}"
            raise ValueError(f"{CONFIG}: {where}: {first['msg']}{got}") from error

    return load_pretrained(str(pretrained), read, family)


def read_checkpoint_weights(pretrained: str | Path, expected: Shapes, family: Family) -> dict[str, Tensor]:
    """Read the weights of these shapes, from a folder or the Hub; CheckpointError if they cannot be had, or don't fit.

    Nothing of their size is allocated before they are known to fit.
    """
    return load_pretrained(
        str(pretrained), lambda source: read_fitting(fetch_file(source, (WEIGHTS,)), expected), family
    )


def fetch_file(source: str, names: tuple[str, ...]) -> Path:
    """Return the first of these files that a folder or a Hub id has.

    Raises OSError, or what the Hub client raises, if it has none.
    """
    if Path(source).is_dir():
        found = [Path(source) / name for name in names if (Path(source) / name).is_file()]
        if not found:
            raise FileNotFoundError(f"it must hold {' or '.join(names)}, and does not")
        return found[0]
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for name in names[:-1]:
        try:
            return Path(hf_hub_download(source, name))
        except EntryNotFoundError:
            continue
    return Path(hf_hub_download(source, names[-1]))
