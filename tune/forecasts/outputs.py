"""The files that a forecast writes: none of them may be one that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from data.files import expand
from tune.forecasts.forecaster import RECORD_FILE, ExportRecord
from tune.forecasts.request import ForecastRequest, recorded_path
from tune.forecasts.scales import RequestError
from tune.records.sweep_folder import SweepFolder


def check_outputs(outputs: Mapping[str, Path | None], request: ForecastRequest, checkpoints: Sequence[str]) -> None:
    """Reject, before any work, a file that is read, one of a checkpoint's, and one that two flags name; RequestError.

    outputs: absolute, by flag; None where it was left out.
    """
    named = {flag: path.resolve() for flag, path in outputs.items() if path is not None and path != Path("-")}
    for flag, path in named.items():
        for read in _inputs(request, checkpoints):
            if path.exists() and (_is_same(path, read) or (read.is_dir() and path.is_relative_to(read))):
                what = "the file that is read" if _is_same(path, read) else f"a file of {read}, which is read"
                raise RequestError(f"{flag} must not be {what}, {path}; name another")
        same = [other for other, its in named.items() if other != flag and its == path and path.suffix]
        if same:
            raise RequestError(f"{flag} and {same[0]} must be two files, got {path} for both; name another")


def _inputs(request: ForecastRequest, checkpoints: Sequence[str]) -> list[Path]:
    """Return what is read, resolved: data, as typed and as exports record them, checkpoints, the user's own model."""
    trust = request.trust or ""
    found = [expand(text) for text in (request.data, trust, trust.rpartition(":")[0]) if text]
    for folder in (expand(name).absolute() for name in checkpoints):
        found.append(folder)
        if (folder / RECORD_FILE).is_file():
            recorded = ExportRecord.read(folder / RECORD_FILE).data
            found += [recorded_path(folder, recorded), SweepFolder(folder.parent).data]
    return [path.resolve() for path in found]


def _is_same(path: Path, other: Path) -> bool:
    """Return whether two paths are of one file, also by another name."""
    return path == other or (other.exists() and path.samefile(other))
