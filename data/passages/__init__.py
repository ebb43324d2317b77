"""Checkpoint passage records (CSV, one row a passage) to counts per bucket, per checkpoint and direction."""

from data.passages.count import count_passages, find_csv_files
from data.passages.counts import Counts, PassageFormat, Tally
from data.passages.sites import read_site_map
from data.passages.write import CountsSplit, check_split, write_counts

__all__ = [
    "Counts",
    "CountsSplit",
    "PassageFormat",
    "Tally",
    "check_split",
    "count_passages",
    "find_csv_files",
    "read_site_map",
    "write_counts",
]
