"""Sweeps written for TensorBoard as the Ray callback does, and a TensorBoard asked what it shows."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from search_spaces.library import load_space
from search_spaces.space import SearchSpace
from tests.tune.reports import config, report
from trainables.trial.report import Report
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder
from tune.report.tensorboard.callback import TensorBoardCallback

Server = Callable[..., AbstractContextManager[str]]
SPACE = """
description: Three ways to fine-tune.
trainable: moirai
fixed: {patch_size: auto, gradient_clip: 1.0}
search:
  strategy: {choice: [head_only, freeze_ffn, full]}
  batch_size: {choice: [32, 16]}
  weight_decay: {uniform: [0, 0.2]}
conditional:
  strategy:
    head_only:
      fixed: {patience: 6}
      search: {lr: {log: [5.0e-6, 1.0e-4]}, epochs: {int: [5, 25]}, dropout: {uniform: [0.1, 0.3]}}
    freeze_ffn:
      fixed: {patience: 3}
      search: {lr: {log: [1.0e-6, 5.0e-5]}, epochs: {int: [2, 10]}}
    full:
      fixed: {patience: 2}
      search: {lr: {log: [5.0e-7, 2.0e-5]}, epochs: {int: [1, 6]}}
"""
HEAD = {"strategy": "head_only", "lr": 2e-5, "epochs": 5, "batch_size": 32, "weight_decay": 0.1, "dropout": 0.2}
FFN = {"strategy": "freeze_ffn", "lr": 1e-6, "epochs": 2, "batch_size": 16, "weight_decay": 0.0, "patience": 3}
FULL = {"strategy": "full", "lr": 5e-7, "epochs": 1, "batch_size": 32, "weight_decay": 0.2, "patience": 2}
CONSTANT = {"patch_size": "auto", "gradient_clip": 1.0}


def read_space(folder: Path, text: str = SPACE) -> SearchSpace:
    path = folder / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return load_space(str(path))


def row(epoch: float, val_loss: float | None, *, best_epoch: float | None = None, **changes: Any) -> Report:
    trained = epoch > 0
    values = {
        "mae": None if val_loss is None else val_loss / 2,
        "mse": None if val_loss is None else val_loss / 4,
        "train_loss": 1.125 if trained else None,
        "lr": 5e-7 if trained else None,
        "seconds": 12.5,
        "peak_memory_bytes": 5 * 2**30,
        "best_epoch": best_epoch,
    }
    return report(epoch, val_loss, **{**values, **changes})


class Session:
    """One session of a sweep as the Ray callback writes it: the journal first, then TensorBoard's callback."""

    def __init__(self, folder: Path, space: SearchSpace) -> None:
        self.journal = Journal(SweepFolder(folder))
        self.callback = TensorBoardCallback(self.journal, space)

    def start(self, trial_id: str, hyper: dict[str, Any]) -> None:
        self.journal.start(config(trial_id, hyper))
        self.callback.trial_started(config(trial_id, hyper))

    def report(self, trial_id: str, *reports: Report) -> None:
        for each in reports:
            self.journal.append(trial_id, each)
            self.callback.trial_reported(trial_id, each)

    def end(self, trial_id: str, error: str | None = None) -> None:
        if error is not None:
            self.journal.fail(trial_id, error)
        self.callback.trial_ended(trial_id)

    def close(self) -> None:
        self.callback.close()

    def next(self, space: SearchSpace) -> Session:
        """The session that resumes, a second later: an event file's name tells the second."""
        time.sleep(1.1)
        return Session(self.journal.folder.path, space)


class Board:
    """Asks a TensorBoard what it shows."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **query: str) -> Any:
        request = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def run_of(self, trial_id: str) -> str:
        """The run of a trial: its name begins with the id; or the run of that name."""
        return next(run for run in self.tags() if trial_id in (run, run.split()[0]))

    def curve(self, trial_id: str, tag: str) -> dict[int, float]:
        """Steps and values; a step that is there twice is a mistake."""
        points = self.ask("data/plugin/scalars/scalars", run=self.run_of(trial_id), tag=tag)
        assert len({step for _, step, _ in points}) == len(points), points
        return {step: value for _, step, value in points}

    def tags(self) -> dict[str, set[str]]:
        return {run: set(tags) for run, tags in self.ask("data/plugin/scalars/tags").items() if tags}

    def experiment(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("data/plugin/hparams/experiment", request='{"experimentName": ""}')
        return answer

    def sessions(self) -> dict[str, dict[str, Any]]:
        """Every row of HPARAMS, a trial's by its id, with its only session and its metrics by tag."""
        question = {
            "experimentName": "",
            "allowedStatuses": [f"STATUS_{s}" for s in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")],
            "startIndex": 0,
            "sliceSize": 100,
        }
        request = urllib.request.Request(
            f"{self.url}data/plugin/hparams/session_groups",
            data=json.dumps(question).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            groups = json.load(response)["sessionGroups"]
        sessions = {}
        for group in groups:
            (session,) = group["sessions"]
            metrics = {metric["name"]["tag"]: metric["value"] for metric in group.get("metricValues", [])}
            name = group["name"].split()[0] if re.match(r"t\d{4}", group["name"]) else group["name"]
            sessions[name] = {"hparams": group["hparams"], "status": session["status"], "metrics": metrics}
        return sessions


def write_sweep(folder: Path) -> None:
    """Three trials side by side: one gets better and worse again, one fails, one goes on."""
    session = Session(folder, read_space(folder))
    session.start("t0000", {**CONSTANT, **HEAD, "patience": 6})
    session.start("t0001", {**CONSTANT, **FULL})
    session.start("t0002", {**CONSTANT, **FFN})
    for trial_id in ("t0000", "t0001", "t0002"):
        session.report(trial_id, row(0, 0.5))
    session.report("t0000", row(1, 0.375, best_epoch=1), row(2, 0.25, best_epoch=2))
    session.report("t0001", row(1, 0.4375, best_epoch=1))
    session.report("t0000", row(3, 0.3125, best_epoch=2, stopped_by="patience"))
    session.report("t0002", row(1, 0.46875, best_epoch=1))
    session.end("t0000")
    session.end("t0001", error="CUDA out of memory")
    session.close()
