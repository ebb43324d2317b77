"""The repeats of a search: its best configurations trained again with seeds of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tune.records.journal import Journal
from tune.records.trial_record import REPEAT, TrialConfig, TrialRecord, of_search


@dataclass(frozen=True)
class Repeats:
    """top: how many of the best configurations are trained again; seeds: how often each. seed: the sweep's."""

    top: int
    seeds: int
    metric: str
    seed: int

    def planned(self, records: Sequence[TrialRecord]) -> list[TrialConfig]:
        """Return the repeats of the best configurations so far, whether or not they have been run.

        The best one's first repeat, the second one's first, and so on: when the time is up, all have had as many.
        """
        best = {r.trial_id: r.best(self.metric) for r in of_search(records)}
        values = {name: report.scores[self.metric] for name, report in best.items() if report is not None}
        configs = {record.trial_id: record.config for record in records}
        ranked = sorted(values, key=lambda name: (values[name], name))[: self.top]
        return [repeat_of(configs[name], number, self.seed) for number in range(1, self.seeds + 1) for name in ranked]

    def left(self, records: Sequence[TrialRecord]) -> list[TrialConfig]:
        """Return those that have not come to their end, as they were started where they were."""
        known = {record.trial_id: record for record in records}
        return [
            known[config.trial_id].config if config.trial_id in known else config
            for config in self.planned(records)
            if config.trial_id not in known or not known[config.trial_id].is_finished
        ]


def repeat_of(config: TrialConfig, number: int, seed: int) -> TrialConfig:
    """Return the repeat of a configuration with this number, from 1 on. seed: the sweep's.

    A repeat's seed comes from the sweep's, the trial and the number alone, so that it is the same on resume.
    """
    trial_id = f"{config.trial_id}{REPEAT}{number}"
    digest = hashlib.sha256(f"{seed} {trial_id}".encode()).digest()
    return replace(config, trial_id=trial_id, seed=int.from_bytes(digest[:4]))  # numpy takes 32 bits


def recover_repeats(journal: Journal, seed: int) -> list[str]:
    """Write the lost params.json of repeats again, from what they repeat; return the ids of those repeats."""
    known = {record.trial_id: record.config for record in journal.searched if record.hyper}
    recovered = []
    for record in journal.records:
        original = known.get(record.repeat_of or "")
        if original is not None and not record.hyper:
            journal.start(repeat_of(original, int(record.trial_id.rpartition(REPEAT)[2]), seed))
            recovered.append(record.trial_id)
    return recovered
