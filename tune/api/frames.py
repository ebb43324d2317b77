"""Series as pandas has them, written where a sweep can read them again when it is resumed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from data.errors import DataError
from data.files import replace_bytes

Data = pd.DataFrame | pd.Series | str | Path
FOLDER = ".frames"  # of a storage folder
TIME = "time"  # the name of an index without one


def data_path(data: Data, folder: Path) -> str:
    """Return what --data takes: a path or a bundled name as it is, a frame as a Parquet file in a folder.

    A frame is wide, a column a series and a DatetimeIndex; or long, with columns that say whose and when. A file is
    named by its content, so that one frame is written once. Raises DataError for a frame that no file can hold.
    """
    if isinstance(data, str | Path):
        return str(data)
    frame = data.to_frame() if isinstance(data, pd.Series) else data
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"data must be a DataFrame, a Series, a path or a name, got {type(data).__name__}")
    if frame.empty:
        raise DataError(f"data must have rows and columns, got a frame of shape {frame.shape}")
    content = _parquet(frame)
    path = folder / FOLDER / f"{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, content)
    return str(path)


def _parquet(frame: pd.DataFrame) -> bytes:
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    index: list[str] = []
    if isinstance(frame.index, pd.MultiIndex):
        index = [f"level {i}" if name is None else str(name) for i, name in enumerate(frame.index.names)]
    elif not isinstance(frame.index, pd.RangeIndex):
        index = [TIME if frame.index.name is None else str(frame.index.name)]
    names = pd.Index([*index, *frame.columns])
    if names.has_duplicates:
        twice = names[names.duplicated()][0]
        raise DataError(f"data: columns and index must have different names, and {twice!r} is there twice; rename one")
    frame = frame.rename_axis(index=index).reset_index() if index else frame
    try:
        return bytes(frame.to_parquet(index=False))
    except (ValueError, TypeError, OSError, NotImplementedError) as error:  # pyarrow's errors are of these
        raise DataError(f"data: the frame cannot be written as Parquet ({str(error).splitlines()[0]})") from error
