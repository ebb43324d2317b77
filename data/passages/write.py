"""The files that counts become: series as JSON Lines, whole and split, and their scales."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, UserError
from data.files import flush_folder, replace_text
from data.passages.counts import MINUTES_A_DAY, Counts
from data.passages.period import bucket_minutes, read_moment

_TRAIN_DAYS = 24  # of a calendar month: validation begins on the 25th
_TRAIN_SHARE = 0.8


@dataclass(frozen=True)
class _Part:
    """One file of series: buckets [first, last) of each; target: where validation begins within them."""

    first: int
    last: int
    target: int | None = None


@dataclass(frozen=True)
class CountsSplit:
    """Where written counts are split, in buckets of the whole period.

    train_end: the first moment of validation, ISO; train_end_idx: its bucket. val_start_idx: val.jsonl's first bucket.
    target_start_idx: the buckets of context in val.jsonl.
    """

    train_end: str
    train_end_idx: int
    val_start_idx: int
    target_start_idx: int


def write_counts(counts: Counts, out: Path, *, train_end: str | None = None, val_context: int = 512) -> CountsSplit:
    """Write full.jsonl, train.jsonl, val.jsonl and scales.json, each whole or not at all; return where they are split.

    train_end: the first moment that is validation, ISO; by default the 25th of a calendar month, and 80 % of any other
    period, at midnight. val.jsonl begins val_context buckets before it, or at the start.
    mean and std in a line's meta are of that line's sequence, population; those named val are of all of val.jsonl, its
    context included. Missing scales.json = unfinished: it is removed first and written last.
    Raises UserError if train_end is not a bucket inside the period, DataError if the folder cannot be written.
    """
    check_split(f"{counts.bucket_minutes}min", train_end, val_context)
    cut = _default_cut(counts) if train_end is None else _given_cut(counts, train_end)
    context = min(val_context, cut)
    parts = {
        "full": _Part(0, counts.n_buckets),
        "train": _Part(0, cut),
        "val": _Part(cut - context, counts.n_buckets, context),
    }
    split = CountsSplit(counts.time_of(cut).isoformat(), cut, cut - context, context)
    scales = json.dumps(_scales(counts, parts, split), ensure_ascii=False, indent=1)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "scales.json").unlink(missing_ok=True)
        for name, part in parts.items():
            replace_text(out / f"{name}.jsonl", _lines(counts, part))
        replace_text(out / "scales.json", scales + "\n")
        flush_folder(out)
    except OSError as error:
        raise DataError(f"{out}: the folder cannot be written ({error.strerror}); give another with --out") from error
    return split


def check_split(bucket: str, train_end: str | None, val_context: int) -> None:
    """Raise UserError for what `write_counts` would reject in any period, before a month is read."""
    if val_context < 0:
        raise UserError(f"--val-context must be 0 or more buckets, got {val_context}; change it")
    if train_end is not None:
        read_moment(train_end, "--train-end", bucket_minutes(bucket))


def _lines(counts: Counts, part: _Part) -> str:
    """One JSON object a series."""
    start = counts.time_of(part.first).isoformat()
    lines = []
    for name, values in zip(counts.ids, counts.values[:, part.first : part.last], strict=True):
        meta = {**_normalization(values), "start": start, "freq_min": counts.bucket_minutes}
        if part.target is not None:
            meta["target_start_idx"] = part.target
        line = {"id": name, "start": start, "freq": counts.freq, "meta": meta, "sequence": values.tolist()}
        lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(lines)


def _normalization(values: NDArray[np.int64]) -> dict[str, float]:
    return {"mean": float(values.mean()), "std": float(values.std())}


def _scales(counts: Counts, parts: dict[str, _Part], split: CountsSplit) -> dict[str, object]:
    """What a reader of the three files needs to know of them."""
    return {
        "start": counts.start,
        "end": counts.end,
        "freq_min": counts.bucket_minutes,
        "n_series": len(counts.ids),
        "n_buckets": counts.n_buckets,
        **asdict(split),
        "rows": {**asdict(counts.rows), "mapped": counts.rows.mapped},
        "files": [{"path": file.path, **asdict(file.rows)} for file in counts.files],
        "warnings": list(counts.warnings),
        "notes": list(counts.notes),
        "series": {
            name: {key: _normalization(values[part.first : part.last]) for key, part in parts.items()}
            for name, values in zip(counts.ids, counts.values, strict=True)
        },
    }


def _default_cut(counts: Counts) -> int:
    """The bucket at which validation begins: the 25th of a calendar month, else 80 %, at midnight if there is one."""
    start, a_day = datetime.fromisoformat(counts.start), MINUTES_A_DAY // counts.bucket_minutes
    before_midnight = (start.hour * 60 + start.minute) // counts.bucket_minutes
    next_month = datetime(start.year + start.month // 12, start.month % 12 + 1, 1)
    if start.day == 1 and not before_midnight and next_month.isoformat() == counts.end:
        return _TRAIN_DAYS * a_day
    if counts.n_buckets < 2:
        raise UserError(f"--start and --end must hold two buckets to be split, got {counts.n_buckets}; widen them")
    share = int(counts.n_buckets * _TRAIN_SHARE)
    midnight = (share + before_midnight) // a_day * a_day - before_midnight
    return midnight if midnight > 0 else max(1, share)


def _given_cut(counts: Counts, train_end: str) -> int:
    """The bucket that begins at train_end."""
    moment = read_moment(train_end, "--train-end", counts.bucket_minutes)
    start = read_moment(counts.start, "start", counts.bucket_minutes)
    cut = (moment - start) // (counts.bucket_minutes * 60)
    if not 0 < cut < counts.n_buckets:
        raise UserError(
            f"--train-end must be after {counts.start} and before {counts.end}, the period, got {train_end}; change it"
        )
    return cut
