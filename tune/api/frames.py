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
    frame = frame.rename(columns=str)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.rename_axis(index=str(frame.index.name or TIME)).reset_index()
    try:
        return bytes(frame.to_parquet(index=False))
    except (ValueError, TypeError, OSError) as error:  # pyarrow's errors are ValueErrors and TypeErrors
        raise DataError(f"data: the frame cannot be written as Parquet ({str(error).splitlines()[0]})") from error
