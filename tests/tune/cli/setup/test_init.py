"""A file of options: written for one's data, read by a sweep, and what is typed comes before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from data.panel import Panel
from tests.tune.cli.command_line import Foretune
from tune.planning.suggest import suggest

START = "2024-01-01T00:00:00"


def panel(rows: int, freq: str | None, series: int = 2) -> Panel:
    values = {f"s{i}": np.arange(rows, dtype=float) for i in range(series)}
    return Panel.from_series("mine", values, starts=[None if freq is None else START] * series, freq=freq)


# --- what is suggested


@pytest.mark.parametrize(
    ("rows", "freq", "context", "ahead"),
    [
        (10_000, "h", 96, 24),  # a day ahead of four days
        (10_000, "15min", 384, 96),
        (10_000, "D", 28, 7),  # four weeks, shorter than a token
        (200, "h", 64, 6),  # 20 rows of validation hold three forecasts of 6; a context of 66, in whole tokens
        (10_000, None, 32, 24),  # two forecasts are 48, in whole tokens 32
        (9, "MS", 3, 1),  # a third of the rows
    ],
)
def test_lengths_follow_the_season_and_the_shortest_series(
    rows: int, freq: str | None, context: int, ahead: int
) -> None:
    found = suggest(panel(rows, freq), has_gpu=False).options
    assert (found["context_length"], found["prediction_length"]) == (context, ahead)


def test_the_stride_bounds_an_epoch_and_sees_every_hour() -> None:
    """Two series of 50,000 hours: 2 x (40,000 - 96 - 24) / 4,000 = 19.94; of 60,000 it is 24, a day, so 23."""
    assert suggest(panel(50_000, "h"), has_gpu=False).options["train_stride"] == 20
    assert suggest(panel(60_000, "h"), has_gpu=False).options["train_stride"] == 23


def test_a_gpu_gets_published_weights() -> None:
    assert suggest(panel(1000, "h"), has_gpu=True).options["space"] == "moirai-small"
    assert suggest(panel(1000, "h"), has_gpu=False).options["space"] == "quickstart"


# --- the file


@pytest.fixture
def written(foretune: Foretune, tmp_path: Path) -> Path:
    done = foretune("init", "sample", "--to", tmp_path / "mine.yaml")
    assert done.status == 0, done
    return tmp_path / "mine.yaml"


def test_the_file_is_yaml_and_a_sweep_takes_it(written: Path, foretune: Foretune, tmp_path: Path) -> None:
    content = yaml.safe_load(written.read_text())
    assert content["data"] == "sample"
    assert content["context_length"] == 96
    planned = foretune("sweep", "--config", written, "--dry-run", "--storage", tmp_path / "none")
    assert planned.status == 0, planned
    assert "context 96, prediction 24" in planned.out


def test_what_is_typed_comes_before_the_file(written: Path, foretune: Foretune, tmp_path: Path) -> None:
    typed = ("--prediction-length", "48", "--trials", "3", "--dry-run", "--storage", tmp_path / "none")
    planned = foretune("sweep", "--config", written, *typed)
    assert "context 96, prediction 48" in planned.out
    assert "3, searcher" in planned.out


def test_every_option_that_the_file_lists_can_be_set_there(written: Path, foretune: Foretune, tmp_path: Path) -> None:
    """Each with a value that it has anyway or that changes nothing in the plan."""
    comments = [line[2:] for line in written.read_text().splitlines() if line.startswith("# ") and ":  " in line]
    listed = [comment.split(":")[0] for comment in comments]
    assert {"split", "trials", "set", "futility", "columns", "max_gpu_temp", "then", "name"} <= set(listed)
    values = {
        "split": "ratio",
        "trials": 4,
        "set": {"lr": "log:1e-5:1e-4", "epochs": 3},
        "futility": False,
        "columns": ["site_1", "site_2"],
        "start_from": [],
        "name": "mine",
        "max_concurrent": 2,
        "confidence": 0.8,
    }
    config = tmp_path / "other.yaml"
    config.write_text(yaml.safe_dump({"data": "sample", **values}))
    planned = foretune("sweep", "--config", config, "--dry-run", "--storage", tmp_path / "none")
    assert planned.status == 0, planned
    assert "2 series" in planned.out
    assert "lr log:1e-5:1e-4" in planned.out
    assert "2 trial(s) at once" in planned.out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("trails: 3", "trails: is no option of foretune sweep; did you mean 'trials'?"),
        ("trials: many", "--trials"),
        ("trials: [1, [2]]", "a value of a file of options is a number or text"),
        ("config: other.yaml", "config: is no option"),
        ("- 3", "must hold keys"),
        ("trials: 3\ntrials: 4", "is given twice"),
        ("a: {", "not YAML"),
    ],
)
def test_a_mistake_in_the_file_is_one_message(
    content: str, message: str, rejected: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text(content)
    assert message in rejected("sweep", "--config", tmp_path / "bad.yaml")


def test_a_file_that_is_there_is_not_written_over(written: Path, foretune: Foretune) -> None:
    written.write_text("mine: 1")
    done = foretune("init", "sample", "--to", written)
    assert (done.status, written.read_text()) == (2, "mine: 1")
    assert "--force" in done.err
    assert foretune("init", "sample", "--to", written, "--force").status == 0
    assert "data: sample" in written.read_text()


def test_data_that_is_not_there_is_rejected(foretune: Foretune, tmp_path: Path) -> None:
    done = foretune("init", tmp_path / "none.csv", "--to", tmp_path / "x.yaml")
    assert done.status == 2
    assert not (tmp_path / "x.yaml").exists()
