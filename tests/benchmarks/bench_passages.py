"""Counts a generated month of passages beside csv.DictReader loops over the same files, in one run.

    python tests/benchmarks/bench_passages.py [--rows 2000000] [--rounds 3] [--loops 3] [--folder DIR]

"strptime loop" is what one writes first: a DictReader, a time format, a dict of counts. "tuned loop" knows the two
layouts of a time and takes them apart by hand. Both run in one thread; ours uses the cores there are. Ways take turns,
round after round, and the ratio is that of the best rounds. All counts must agree.
Then ours counts the month and one five times as large, each in a fresh process, and tells by how much its memory grew.
--loops 0 leaves the row loops out: --rows 10000000 --loops 0 is for the memory of 50 million rows.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from data.passages import Counts, PassageFormat, count_passages, find_csv_files, read_site_map
from data.passages.sample import SamplePassages, write_sample_passages

Cells = Counter[tuple[str, str, datetime]]


def strptime_loop(sample: SamplePassages) -> Cells:
    """Count a row at a time, as one writes it first."""

    def read_time(text: str) -> datetime:
        return datetime.strptime(text.replace("/", "-").replace("T", " "), "%Y-%m-%d %H:%M:%S")

    return row_loop(sample, read_time)


def tuned_loop(sample: SamplePassages) -> Cells:
    """Count a row at a time, with times taken apart by hand."""

    def read_time(text: str) -> datetime:
        if text[4:5] == "-":
            return datetime.fromisoformat(text)
        date, clock = text.split(" ")
        year, month, day = date.split("/")
        hour, minute, second = clock.split(":")
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))

    return row_loop(sample, read_time)


def row_loop(sample: SamplePassages, read_time: Callable[[str], datetime]) -> Cells:
    """Count with csv.DictReader: {(site, direction, bucket): passages} of December 2023."""
    with sample.site_map.open(encoding="utf-8", newline="") as file:
        sites = {row["name"]: row["id"] for row in csv.DictReader(file)}
    cells: Cells = Counter()
    for path in sample.files:
        with path.open(encoding=encoding_of(path), newline="") as file:
            for row in csv.DictReader(file):
                site, direction = sites.get(row["KKMC"]), row["FXLX"]
                if site is None or direction not in ("1", "2"):
                    continue
                try:
                    moment = read_time(row["GCSJ"])
                except ValueError:
                    continue
                if moment.year == 2023 and moment.month == 12:
                    cells[site, direction, moment.replace(minute=moment.minute // 5 * 5, second=0)] += 1
    return cells


def encoding_of(path: Path) -> str:
    """Tell UTF-8, with or without BOM, from GBK by the second line."""
    with path.open("rb") as file:
        file.readline()
        try:
            file.readline().decode("utf-8")
        except UnicodeDecodeError:
            return "gbk"
    return "utf-8-sig"


def ours(sample: SamplePassages) -> Counts:
    return count_passages(sample.files, PassageFormat(sites=read_site_map(sample.site_map)))


def same_counts(counts: Counts, cells: Cells) -> bool:
    """Whether ours and a loop agree in every bucket."""
    places = {name: i for i, name in enumerate(counts.ids)}
    first = datetime.fromisoformat(counts.start)
    left = counts.values.copy()
    for (site, direction, moment), n in cells.items():
        left[places[f"{site}#fx={direction}"], int((moment - first).total_seconds()) // 300] -= n
    return not left.any()


def compare(sample: SamplePassages, rounds: int, loops: int) -> None:
    """Time the ways in turn; print rows a second and the ratio."""
    ways: dict[str, Callable[[SamplePassages], Counts | Cells]] = {"pyarrow (ours)": ours}
    if loops:
        ways |= {"strptime loop": strptime_loop, "tuned loop": tuned_loop}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds):
        results = {}
        for name, way in ways.items():
            if name == "pyarrow (ours)" or round_ < loops:
                begun = time.perf_counter()
                results[name] = way(sample)
                seconds[name].append(time.perf_counter() - begun)
        counts = results.pop("pyarrow (ours)")
        assert isinstance(counts, Counts)
        for name, cells in results.items():
            assert isinstance(cells, Counter)
            if not same_counts(counts, cells):
                sys.exit(f"{name} counts differently")
    best = min(seconds["pyarrow (ours)"])
    for name, each in seconds.items():
        print(
            f"{name:16s} best {sample.rows / min(each) / 1e6:7.3f} M rows/s ({min(each):8.2f} s; all "
            f"{', '.join(f'{second:.2f}' for second in each)})  ours is {min(each) / best:6.1f} x"
        )
    if loops:
        print("all counts agree")


def print_memory(folder: Path) -> None:
    """Count a folder's month in this fresh process; print how far its memory grew at most, looked at every 5 ms."""
    files, sites = find_csv_files(folder / "csv"), read_site_map(folder / "sites.csv")
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    seen = [before]

    def watch() -> None:
        while not done.wait(0.005):
            seen.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.perf_counter()
    counts = count_passages(files, PassageFormat(sites=sites))
    seconds = time.perf_counter() - begun
    done.set()
    watcher.join()
    grown, peak = (max(seen) - before) / 2**20, max(seen) / 2**20
    print(f"{counts.rows.read:>12,} rows in {seconds:6.2f} s: memory grew by {grown:6.1f} MiB at most, to {peak:.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loops", type=int, default=3, help="rounds of the row loops")
    parser.add_argument("--folder", type=Path, help="where to write the months; else a temporary one")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of is not None:
        print_memory(options.memory_of)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        begun = time.perf_counter()
        sample = write_sample_passages(Path(folder) / "1", rows=options.rows)
        size = sum(path.stat().st_size for path in sample.files)
        print(f"{options.rows:,} rows, {size / 1e6:.0f} MB, written in {time.perf_counter() - begun:.1f} s")
        compare(sample, options.rounds, options.loops)
        write_sample_passages(Path(folder) / "5", rows=5 * options.rows)
        for month in "15":
            subprocess.run([sys.executable, __file__, "--memory-of", str(Path(folder) / month)], check=True)


if __name__ == "__main__":
    main()
