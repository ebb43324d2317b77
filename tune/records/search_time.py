"""How long a sweep has searched over all its sessions, and how the last one ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder


class Ending(StrEnum):
    """How a search ended. FINISHED: every trial came to its end. FUTILE, FLAT: see `tune.verdict.futility`."""

    FINISHED = "finished"
    TIME_BUDGET = "time budget"
    INTERRUPTED = "interrupted"
    FUTILE = "futile"
    FLAT = "flat"


@dataclass(frozen=True)
class SearchTime:
    """seconds: from each session's first trial to its end, added up. ended: None while one runs, or was killed."""

    seconds: float = 0.0
    ended: Ending | None = None

    @classmethod
    def read(cls, folder: SweepFolder) -> SearchTime:
        """Read it; where the file is damaged, the seconds are those that the trials report, one after another."""
        try:
            content = read_object(folder.clock)
            ended = content.get("ended")
            return cls(float(content["seconds"]), None if ended is None else Ending(ended))
        except FileNotFoundError:
            return cls()
        except (DamagedFileError, ValueError, KeyError, TypeError):
            return cls(sum(record.seconds for record in read_records(folder)))

    def write(self, folder: SweepFolder) -> None:
        """Write it in one step."""
        replace_text(folder.clock, json.dumps(asdict(self)))
