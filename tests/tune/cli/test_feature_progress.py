"""How far what trials share has come: written by a worker, read by who watches."""

import io
import json
import os
import time

import pytest
from rich.console import Console

from trainables.trial.progress import FeatureProgress
from tune.cli.live.progress import PlainProgress
from tune.cli.live.sweep_state import SweepState
from tune.cli.live.view import progress_text
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder


@pytest.fixture
def told(tmp_path):
    file = SweepFolder(tmp_path).shared.features_progress
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"title": "the teacher's forecasts", "done": 250, "total": 1000, "seconds": 20.0}))
    return file


def test_what_is_made_and_how_long_it_will_take(told, tmp_path):
    text = progress_text(FeatureProgress.read(told))
    assert text == "the teacher's forecasts: 250 of 1000 windows, about 1m 00s left, once for all trials"


def test_nothing_is_reported_where_nothing_is_made_or_its_maker_is_gone(told, tmp_path):
    past = time.time() - FeatureProgress.stale_seconds - 1
    os.utime(told, (past, past))
    assert FeatureProgress.read(told) is None
    told.unlink()
    assert FeatureProgress.read(told) is None


def test_a_log_tells_it_now_and_then(told, tmp_path):
    text = io.StringIO()
    state = SweepState("night", "val_loss", 2, budget_left=None)
    progress = PlainProgress(Console(file=text, width=200), Journal(SweepFolder(tmp_path)), state)
    for _ in range(3):
        progress.tick()
    assert text.getvalue().count("250 of 1000 windows") == 1
