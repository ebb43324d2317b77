"""The terms that a model's loss is made of: their means an epoch, beside the loss."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import CPU, Toy, run, spec_in
from tests.tune.reports import config
from trainables.trial.report import Report, Scores
from trainables.trial.trial import Trial
from tune.records.journal import Journal, read_record
from tune.records.sweep_folder import SweepFolder


class TwoTerms(Toy):
    """Its loss is a quarter of the toy's and three quarters of the mean square of the forecast."""

    loss_parts = ("error", "size")

    def loss_and_parts(self, batch: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        error = super().loss(batch)
        size = self.point(batch).square().mean(1)
        return 0.25 * error + 0.75 * size, {"error": error, "size": size}


class AlwaysOne(TwoTerms):
    """A loss of its own, of which the class above knows nothing."""

    def loss(self, batch: Any) -> Tensor:
        return super().loss(batch) * 0 + 1


class Forgetful(TwoTerms):
    def loss_and_parts(self, batch: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        loss, parts = super().loss_and_parts(batch)
        return loss, {"size": parts["size"]}


def test_an_epoch_reports_the_mean_of_each_term_over_its_windows(task: ForecastTask, tmp_path: Path) -> None:
    reports = run(Trial(TwoTerms(), spec_in(tmp_path, epochs=2), task, CPU))
    assert reports[0].loss_parts == {"error": None, "size": None}
    for report in reports[1:]:
        error, size = (report.loss_parts[name] or math.nan for name in ("error", "size"))
        assert report.train_loss == pytest.approx(0.25 * error + 0.75 * size, rel=1e-5)
        assert error > size > 0


def test_terms_do_not_depend_on_micro_batches_and_survive_running_out_of_memory(
    task: ForecastTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(Trial(TwoTerms(), spec_in(tmp_path, "t0000"), task, CPU), 2)[-1]
    monkeypatch.setattr(Toy, "fits", 12)  # an attempt with 16 windows fails in the first part, and is done again
    split = run(Trial(TwoTerms(), spec_in(tmp_path, "t0001"), task, CPU), 2)[-1]
    assert split.micro_batch_size == 8
    assert split.loss_parts == pytest.approx(whole.loss_parts, rel=1e-5)


def test_a_subclass_with_a_loss_of_its_own_trains_on_it_and_has_no_terms(task: ForecastTask, tmp_path: Path) -> None:
    report = run(Trial(AlwaysOne(), spec_in(tmp_path, epochs=1), task, CPU))[-1]
    assert (report.train_loss, report.loss_parts) == (1, {})


def test_a_term_that_a_batch_lacks_is_unknown(task: ForecastTask, tmp_path: Path) -> None:
    report = run(Trial(Forgetful(), spec_in(tmp_path, epochs=1), task, CPU))[-1]
    assert report.loss_parts["error"] is None
    assert report.loss_parts["size"] is not None


def test_terms_are_columns_of_the_record(tmp_path: Path) -> None:
    journal = Journal(SweepFolder(tmp_path))
    journal.start(config("t0000", {"lr": 1e-4}))
    first = Report(0, Scores(val_loss=1.0), loss_parts={"distill": None, "hard": None})
    second = Report(1, Scores(val_loss=0.5, extra={"val_distill": 0.75}), loss_parts={"distill": 0.25, "hard": 0.125})
    for report in (first, second):
        journal.append("t0000", report)
    folder = journal.folder.trial("t0000")
    header, _, line = folder.progress.read_text().splitlines()
    cells = dict(zip(header.split(","), line.split(","), strict=True))
    assert (cells["train_distill"], cells["train_hard"]) == ("0.25", "0.125")
    assert read_record(folder).reports == (first, second)
    folder.result.unlink()
    assert [report.loss_parts for report in read_record(folder).reports] == [first.loss_parts, second.loss_parts]
    assert json.loads(json.dumps(second.to_row()))["train_hard"] == 0.125
