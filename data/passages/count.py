"""Files of passages, each once, counted several at a time."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pyarrow as pa

from data.errors import DataError
from data.passages.counts import Counts, PassageFormat
from data.passages.file import FileCount, Progress, Reading, count_file
from data.passages.layout import Layout, read_layouts
from data.passages.period import bucket_minutes, given_period
from data.passages.sum import PassageSum

_CSV = re.compile(r"\.csv(\.(gz|bz2|zst))?$", re.IGNORECASE)


def count_passages(
    files: Sequence[Path],
    format: PassageFormat,
    *,
    bucket: str = "5min",
    start: str | None = None,
    end: str | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Count the passages of CSV files per bucket, site and direction; a bucket without one is 0.

    bucket: whole minutes that divide a day, such as 5min, 15min or 1h. start, end: the period as ISO dates or times,
    end not included; without them it is the calendar month in which most passages lie.
    Every site that was seen, or that the site map names, has a series for each wanted direction.
    Memory depends on sites, days and files, not on rows.
    Raises UserError for a bucket or period that does not fit, DataError for files that cannot be read or given twice.
    """
    minutes = bucket_minutes(bucket)
    period = given_period(start, end, minutes)
    layouts = read_layouts([Path(path) for path in files], format)
    if not layouts:
        raise DataError("passages need at least one file, and none was given; name some")
    _reject_duplicates([layout.path for layout in layouts])
    # A core for each file; fewer files than cores are each read ahead of the counting.
    reading = Reading(format, minutes * 60, period, progress, use_threads=len(layouts) < pa.cpu_count())
    total = PassageSum(format, minutes)
    for place, count in _count_files(layouts, reading):
        total.add(place, count)
    return total.result(period)


def find_csv_files(folder: Path) -> list[Path]:
    """List a folder's CSV files (.csv, also packed as .gz, .bz2 or .zst), sorted by name.

    Raises DataError if it has none, and names the folders in it that have.
    """
    if not folder.is_dir():
        raise DataError(f"--csv-dir must be a folder of CSV files, got {folder}, which is none; check the path")
    files = [path for path in sorted(folder.iterdir()) if _CSV.search(path.name) and not path.name.startswith(".")]
    files = [path for path in files if path.is_file()]
    if not files:
        inner = [path.name for path in sorted(folder.iterdir()) if path.is_dir() and any(path.glob("*.[cC][sS][vV]*"))]
        there = f"; it has folders with some: {', '.join(inner[:5])}" if inner else "; check the path"
        raise DataError(f"{folder}: --csv-dir must hold .csv files, and has none{there}")
    return files


def _count_files(layouts: list[Layout], reading: Reading) -> Iterator[tuple[int, FileCount]]:
    """Count the files, several at once; yields each with its place, as they come."""
    with ThreadPoolExecutor(min(len(layouts), pa.cpu_count()), thread_name_prefix="passages") as pool:
        tasks = {pool.submit(count_file, layout, reading): place for place, layout in enumerate(layouts)}
        try:
            for task in as_completed(tasks):
                yield tasks.pop(task), task.result()
        finally:
            reading.stop.set()
            pool.shutdown(cancel_futures=True)


def _reject_duplicates(paths: list[Path]) -> None:
    """Reject two paths of one file, and two files of the same bytes."""
    seen: dict[Path | tuple[int, str], Path] = {}
    sizes = [path.stat().st_size for path in paths]
    shared = Counter(sizes)
    for path, size in zip(paths, sizes, strict=True):
        if (known := path.resolve()) in seen:
            raise DataError(_duplicate_message(path, f"is {seen[known]}"))
        seen[known] = path
        if shared[size] > 1:
            with path.open("rb") as file:
                digest = size, hashlib.file_digest(file, "sha256").hexdigest()
            if digest in seen:
                raise DataError(_duplicate_message(path, f"has the same bytes as {seen[digest]}"))
            seen[digest] = path


def _duplicate_message(path: Path, what: str) -> str:
    return f"{path}: a file must be given once, or its passages count twice, and this one {what}; leave one out"
