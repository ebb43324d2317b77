"""The command line's `data` commands: arguments in, text out; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.errors import UserError
from data.files import expand
from tune.cli.console import make_console
from tune.cli.options import folder, option

if TYPE_CHECKING:
    from rich.console import Console

    from data.passages import Counts, CountsSplit

data_app = typer.Typer(
    name="data", help="Make series out of other records, and samples to try it on.", no_args_is_help=True
)
sample_app = typer.Typer(help="Write made-up records, to try the commands on.")
data_app.add_typer(sample_app, name="sample")

ROWS, SERIES, FORM = "Which rows", "Series", "Form of the files"
SPACE = "time-moe-quickstart"


@data_app.command()
def passages(
    csv_dir: Annotated[Path, typer.Option(help="Folder of the CSV files, one row a passage.")],
    out: Annotated[Path, typer.Option(help="Folder for the series.", callback=folder)],
    bucket: Annotated[str, option("Length of a bucket: 5min, 15min, 1h.", SERIES)] = "5min",
    train_end: Annotated[str | None, option("First moment of validation; else the month's 25th.", SERIES)] = None,
    val_context: Annotated[int, option("Buckets of context before validation in val.jsonl.", SERIES)] = 512,
    sites: Annotated[Path | None, option("Site map: CSV with name,id or JSON; else each name is one.", ROWS)] = None,
    directions: Annotated[str, option("Directions to count, separated by commas.", ROWS)] = "1,2",
    start: Annotated[str | None, option("First moment; else the month with most passages.", ROWS)] = None,
    end: Annotated[str | None, option("First moment after the period.", ROWS)] = None,
    site_column: Annotated[str, option("Column of the site's name.", FORM)] = "KKMC",
    direction_column: Annotated[str, option("Column of the direction.", FORM)] = "FXLX",
    time_column: Annotated[str, option("Column of the time.", FORM)] = "GCSJ",
) -> None:
    """Count passage records per bucket, site and direction: train, validation and full series, and their scales."""
    from data.passages import PassageFormat, check_split, count_passages, find_csv_files, read_site_map, write_counts

    check_split(bucket, train_end, val_context)
    console = make_console()
    format = PassageFormat(
        site_column=site_column,
        direction_column=direction_column,
        time_column=time_column,
        sites=None if sites is None else read_site_map(expand(sites)),
        directions=_numbers(directions),
    )
    files = find_csv_files(expand(csv_dir).absolute())
    with _bytes_read(console, files) as progress:
        counts = count_passages(files, format, bucket=bucket, start=start, end=end, progress=progress)
    split = write_counts(counts, out, train_end=train_end, val_context=val_context)
    _print_counts(console, counts, split, out)


@sample_app.command("passages")
def sample_passages(
    rows: Annotated[int, typer.Option(help="How many passages.")],
    out: Annotated[Path, typer.Option(help="Folder for csv/ and sites.csv.", callback=folder)],
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 20231201,
    sites: Annotated[int, typer.Option(help="How many checkpoints.")] = 19,
    files: Annotated[int, typer.Option(help="How many files.")] = 8,
) -> None:
    """Write a month of made-up passage records, with the oddities of real ones."""
    from data.passages.sample import write_sample_passages

    console = make_console()
    with _rows_written(console, rows) as progress:
        sample = write_sample_passages(out, rows=rows, seed=seed, n_sites=sites, n_files=files, progress=progress)
    console.print(f"{sample.rows:,} passages in {len(sample.files)} files: {out / 'csv'}", soft_wrap=True)
    console.print(f"site map: {sample.site_map}", soft_wrap=True)
    console.print(
        f"next: foretune data passages --csv-dir {_shell(out / 'csv')} --sites {_shell(sample.site_map)} "
        f"--out {_shell(out / 'series')}",
        soft_wrap=True,
    )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--directions must be whole numbers, got {text!r}; write them like 1,2") from error


@contextmanager
def _bytes_read(console: Console, files: list[Path]) -> Iterator[Callable[[Path, int], None] | None]:
    """Show how much of the files is read, on a terminal."""
    sizes = {path: path.stat().st_size for path in files}
    with _bar(console, "reading", sum(sizes.values())) as advance:
        done = dict.fromkeys(sizes, 0)

        def progress(path: Path, bytes_read: int) -> None:
            done[path] = bytes_read
            advance(sum(done.values()))

        yield progress if console.is_terminal else None


@contextmanager
def _rows_written(console: Console, rows: int) -> Iterator[Callable[[int], None]]:
    with _bar(console, "writing", rows) as advance:
        yield advance


@contextmanager
def _bar(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar that is gone when the work is; the call inside says how much of `total` is done."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _print_counts(console: Console, counts: Counts, split: CountsSplit, out: Path) -> None:
    """Print what became of the rows, what to correct, what was written, and what can be done with it."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("rows", "left"), ("number", "right"), ("share", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left")
    rows = counts.rows
    shares = {
        "read": rows.read,
        "mapped to a site": rows.mapped,
        "used": rows.used,
        "malformed": rows.malformed,
        "unmapped site": rows.unmapped_site,
        "bad direction": rows.bad_direction,
        "bad time": rows.bad_time,
        "outside the period": rows.outside_period,
    }
    for name, number in shares.items():
        table.add_row(name, f"{number:,}", f"{number / rows.read:.2%}")
    console.print(table)
    for note in counts.notes:
        console.print(f"note: {note}", soft_wrap=True)
    for warning in counts.warnings:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)
    console.print(
        f"{len(counts.ids)} series of {counts.n_buckets:,} buckets of {counts.bucket_minutes} min from {counts.start}: "
        f"{split.train_end_idx:,} train, {counts.n_buckets - split.val_start_idx:,} val "
        f"({split.target_start_idx:,} of them context)",
        soft_wrap=True,
    )
    console.print(f"written to {out}: full.jsonl, train.jsonl, val.jsonl, scales.json", soft_wrap=True)
    console.print(f"next: {_next_command(counts, split, out)}", soft_wrap=True)


def _next_command(counts: Counts, split: CountsSplit, out: Path) -> str:
    """A sweep on the series, validating on the first half of what is not train, in whole days if there are some."""
    cut, a_day = split.train_end_idx, 24 * 60 // counts.bucket_minutes
    half = (counts.n_buckets - cut) // 2
    val_end = counts.time_of(cut + (half // a_day * a_day or max(1, half))).isoformat()
    dates = ",".join(moment.removesuffix("T00:00:00") for moment in (split.train_end, val_end))
    return f"foretune sweep {SPACE} --data {_shell(out / 'full.jsonl')} --split date:{dates}"


def _shell(path: Path) -> str:
    """Quote a path for the shell, where it needs that."""
    text = str(path)
    return f'"{text}"' if " " in text else text
