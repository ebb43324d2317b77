"""The runs of a sweep in TensorBoard: their folders, by names that say what a trial is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path

from pathvalidate import sanitize_filename

from trainables.trial.report import Report
from tune.format import short_number
from tune.records.sweep_folder import SweepFolder
from tune.report.tensorboard.messages import is_number, plain

MOST_TEXTS = 2  # hyperparameters of text that a name holds, such as the strategy
LONGEST = 60  # letters of a name
MOST_EVALUATIONS, MOST_STEPS = 10**6, 2**53  # of a record that is damaged there may be any number


def run_name(trial_id: str, hyper: Mapping[str, object], varying: Collection[str]) -> str:
    """Return `t0007 full lr 3e-5`: the id, what is text among the hyperparameters that vary, and the rate.

    varying: the hyperparameters that may differ between trials. Where neither varies, the first of them is named.
    """
    texts = [name for name in sorted(varying, key=lambda name: name != "strategy") if isinstance(hyper.get(name), str)]
    parts = [_last_part(str(hyper[name])) for name in texts[:MOST_TEXTS]]
    numbers = [name for name in varying if is_number(hyper.get(name))]
    if named := "lr" if "lr" in numbers else next(iter(numbers if not parts else ()), None):
        parts.append(f"{named} {short_number(hyper[named])}")
    return folder_name(" ".join([trial_id, *parts]))


def folder_name(text: str) -> str:
    """Return a text as a folder's name on any system."""
    return str(sanitize_filename(plain(text), replacement_text="-", platform="universal"))[:LONGEST].rstrip(" .")


class RunFolders:
    """Where each trial's run is, or will be. varying: the hyperparameters that may differ between trials."""

    def __init__(self, folder: SweepFolder, varying: Collection[str]) -> None:
        self.folder, self.varying = folder, varying
        self._known = trial_runs(folder)

    def of(self, trial_id: str, hyper: Mapping[str, object]) -> Path:
        if trial_id not in self._known:
            self._known[trial_id] = self.folder.tensorboard / run_name(trial_id, hyper, self.varying)
        return self._known[trial_id]


def trial_runs(folder: SweepFolder) -> dict[str, Path]:
    """Return the folders of the trials' runs that there are, by trial."""
    known = {trial.trial_id for trial in folder.trials()}
    found = {path.name.partition(" ")[0]: path for path in folder.tensorboard.glob("t*") if path.is_dir()}
    return {trial_id: path for trial_id, path in found.items() if trial_id in known}


def step_of(report: Report, hyper: Mapping[str, object]) -> int:
    """Return the step of a report: its epoch, or its number where a trial is evaluated several times an epoch.

    One whose epoch was cut short comes after the one before all the same.
    """
    return min(math.ceil(report.epoch * evaluations_an_epoch(hyper) - 1e-6), MOST_STEPS)


def evaluations_an_epoch(hyper: Mapping[str, object]) -> int:
    count = hyper.get("evals_per_epoch")
    return min(max(count, 1), MOST_EVALUATIONS) if isinstance(count, int) else 1


def _last_part(text: str) -> str:
    """Salesforce/moirai-1.1-R-small is moirai-1.1-R-small."""
    return text.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
