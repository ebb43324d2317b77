"""Owns where the files of a checkpoint lie: in its folder, or in the Hub's cache."""

from __future__ import annotations

from pathlib import Path


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
