"""What is on record of one trial: its configuration, its reports, and how it ended."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from trainables.trial.report import Report, StopReason, best_report

REPEAT = "-r"  # between a trial's id and the number of a repeat of it
_ID = re.compile(rf"(?P<place>t(?P<number>\d{{4,}}))(?:_(?P<name>.+?))?(?:{REPEAT}(?P<repeat>\d+))?")


@dataclass(frozen=True)
class TrialId:
    """A trial's id, which is its folder's name: t0003, of a named configuration t0003_paper, of repeats t0003_paper-r1.

    repeat: 0 for the trial of the search itself.
    """

    number: int
    name: str = ""
    repeat: int = 0

    @classmethod
    def parse(cls, text: str) -> TrialId | None:
        """Read an id; None for a text that is none."""
        found = _ID.fullmatch(text)
        return None if found is None else cls(int(found["number"]), found["name"] or "", int(found["repeat"] or 0))

    def __str__(self) -> str:
        return f"{self.place}{f'_{self.name}' if self.name else ''}{self._end}"

    @property
    def place(self) -> str:
        """The id without name and repeat: short, and one in a sweep."""
        return f"t{self.number:04d}"

    @property
    def nicknames(self) -> tuple[str, ...]:
        """What else the user may type for it: t0003, and paper, each with the end of a repeat."""
        return (f"{self.place}{self._end}", f"{self.name}{self._end}") if self.name else ()

    @property
    def _end(self) -> str:
        return f"{REPEAT}{self.repeat}" if self.repeat else ""


def full_id(typed: str, ids: Collection[str]) -> str:
    """Return the id among these that the user means by an id, its number or its name; what was typed where none is."""
    if typed in ids:
        return typed
    return next((i for i in ids if (known := TrialId.parse(i)) is not None and typed in known.nicknames), typed)


@dataclass(frozen=True)
class TrialConfig:
    """What is decided of a trial before it runs. hyper: its hyperparameters by name, as plain values.

    A repeat, t0003-r1, has the hyperparameters of the trial that it is named after, and a seed of its own. A trial of a
    named configuration has the name in its id.
    """

    trial_id: str
    seed: int
    hyper: Mapping[str, object]

    @property
    def repeat_of(self) -> str | None:
        """The trial that this one repeats; None for one of the search."""
        found = TrialId.parse(self.trial_id)
        return str(replace(found, repeat=0)) if found is not None and found.repeat else None

    def to_row(self) -> dict[str, object]:
        return {"trial_id": self.trial_id, "seed": self.seed, "hyper": dict(self.hyper)}

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> TrialConfig:
        """Read what `to_row` gave, whatever else it holds; raises KeyError or TypeError."""
        seed, hyper = row["seed"], row["hyper"]
        if not isinstance(seed, int) or not isinstance(hyper, dict):
            raise TypeError(f"a trial's configuration has a whole number as seed and hyper by name, got {row!r}")
        return cls(str(row["trial_id"]), seed, hyper)


@dataclass(frozen=True)
class TrialRecord:
    """A trial's configuration and its reports in order of epoch, one an epoch. error: why it failed, None else."""

    config: TrialConfig
    reports: tuple[Report, ...] = ()
    error: str | None = None

    @property
    def trial_id(self) -> str:
        return self.config.trial_id

    @property
    def hyper(self) -> Mapping[str, object]:
        return self.config.hyper

    @property
    def repeat_of(self) -> str | None:
        return self.config.repeat_of

    def with_report(self, report: Report) -> TrialRecord:
        """Add a report; one of an epoch that was reported before takes its place."""
        others = [r for r in self.reports if r.epoch != report.epoch]
        return replace(self, reports=tuple(sorted([*others, report], key=lambda r: r.epoch)))

    @property
    def stopped_by(self) -> StopReason | None:
        """Why it ended; None while it has not."""
        if self.error is not None:
            return StopReason.ERROR
        return self.reports[-1].stopped_by if self.reports else None

    @property
    def is_finished(self) -> bool:
        return self.stopped_by is not None

    def status(self, *, sweep_is_running: bool) -> str:
        """completed, stopped, failed, running or interrupted."""
        match self.stopped_by:
            case None:
                return "running" if sweep_is_running else "interrupted"
            case StopReason.EPOCHS | StopReason.MAX_STEPS:
                return "completed"
            case StopReason.ERROR:
                return "failed"
            case _:
                return "stopped"

    @property
    def initial(self) -> Report | None:
        """The report of epoch 0."""
        return self.reports[0] if self.reports and not self.reports[0].is_trained else None

    @property
    def trained(self) -> tuple[Report, ...]:
        """The reports after epoch 0."""
        return tuple(report for report in self.reports if report.is_trained)

    def best(self, metric: str) -> Report | None:
        """The best report after epoch 0, smaller is better; None where there is none."""
        return best_report(self.reports, metric)

    @property
    def seconds(self) -> float:
        return float(sum(report.seconds for report in self.reports))

    @property
    def peak_memory_bytes(self) -> int:
        return max((report.peak_memory_bytes for report in self.reports), default=0)


def of_search(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that the search proposed, without the repeats of its best."""
    return [record for record in records if record.repeat_of is None]
