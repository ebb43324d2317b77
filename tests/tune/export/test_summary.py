"""What the page says of a sweep that stopped before its end, and its pictures as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.image import imread

from tests.tune.report.whole_sweep import SHARES, whole_sweep
from tests.tune.report.written_sweep import add_trial, make_spec, read_board
from tune.export.summary import life_of, write_paper_pictures, write_summary
from tune.records.spec import SweepError
from tune.records.sweep_folder import SweepFolder
from tune.report.page import Life
from tune.report.pictures import FILES, Shown, write_pictures
from tune.sweep import Sweep


def made(folder: Path, **spec: object) -> Sweep:
    sweep = Sweep(SweepFolder(folder), make_spec(name=folder.name, **spec))
    sweep.spec.write(sweep.folder)
    return sweep


def test_a_sweep_that_was_interrupted_says_so_and_how_to_go_on(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5, 0.4])
    sweep = made(tmp_path, trials=3)
    note = life_of(sweep, sweep.leaderboard()).note
    assert note.startswith("It stopped with 2 trials to go, and this page is not written again.")
    assert f"foretune resume {tmp_path.name} --storage {tmp_path.parent}" in note
    write_summary(sweep)
    html = sweep.folder.report.read_text(encoding="utf-8")
    assert "It stopped with 2 trials to go" in html
    assert 'http-equiv="refresh"' not in html
    assert 'id="refresh"' not in html


def test_a_sweep_whose_trials_have_all_ended_says_nothing(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5, 0.4])
    sweep = made(tmp_path, trials=1)
    assert life_of(sweep, sweep.leaderboard()) == Life()


def test_nothing_is_said_of_the_trials_that_are_left_once_there_is_a_verdict(tmp_path: Path) -> None:
    """As after `finish`, or where the time budget is used up; with further trials the verdict is no longer of them."""
    folder = whole_sweep(tmp_path, trials=6)
    sweep = made(tmp_path, trials=24)
    assert life_of(sweep, sweep.leaderboard()) == Life()
    add_trial(folder.path, "t0009", [0.5, 0.1])
    assert life_of(sweep, sweep.leaderboard()).note


def test_every_picture_of_a_page_is_a_file_of_seven_inches(tmp_path: Path) -> None:
    folder = whole_sweep(tmp_path / "night1", trials=6)
    shown = Shown.of(folder, read_board(folder.path), SHARES)
    written = write_pictures(shown, tmp_path / "paper", "png")
    assert {path.name for path in written} == {f"{name}.png" for name in FILES.values()}
    assert set(shown.pictures()) == set(FILES)
    assert {imread(path).shape[1] for path in written} == {2100}  # 300 dots an inch
    vector = write_pictures(shown, tmp_path / "paper", "svg")
    assert all('width="504pt"' in path.read_text(encoding="utf-8") for path in vector)  # 7 inches of 72 points
    assert "<text" in vector[0].read_text(encoding="utf-8")


def test_a_folder_for_pictures_that_cannot_be_is_one_message(tmp_path: Path) -> None:
    add_trial(tmp_path / "night1", "t0000", [0.5, 0.4])
    sweep = made(tmp_path / "night1")
    (tmp_path / "file").write_text("")
    with pytest.raises(SweepError, match=r"--png must be a folder that can be written, got .*file"):
        write_paper_pictures(sweep, sweep.leaderboard(), {"png": tmp_path / "file"})
