"""The specification of tune/records/sweep_folder.py: which file is where, and which trials are on record."""

from __future__ import annotations

from pathlib import Path

from tune.records.sweep_folder import SweepFolder


def test_files_are_where_the_user_is_reported_they_are(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "night1")
    assert folder.name == "night1"
    names = {
        "spec": "sweep.json",
        "data": "data",
        "study": "study.db",
        "best": "best",
        "report": "report.html",
        "tensorboard": "tensorboard",
        "leaderboard": "leaderboard.csv",
        "test_scores": "test_scores.json",
    }
    assert {name: getattr(folder, name).relative_to(folder.path).as_posix() for name in names} == names
    trial = folder.trial("t0003")
    assert trial.trial_id == "t0003"
    files = {"params": "params.json", "result": "result.json", "progress": "progress.csv", "error": "error.txt"}
    assert {name: getattr(trial, name).relative_to(folder.path / "t0003").as_posix() for name in files} == files


def test_trials_are_in_the_order_of_their_numbers_and_only_those_with_a_configuration(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    for name in ("t10000", "t0002", "t0000", "t9999"):
        folder.trial(name).path.mkdir()
        folder.trial(name).params.write_text("{}")
    folder.trial("t0001").path.mkdir()
    (tmp_path / "shared").mkdir()
    assert [trial.trial_id for trial in folder.trials()] == ["t0000", "t0002", "t9999", "t10000"]


def test_looking_for_files_makes_none(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "none")
    assert (folder.trials(), folder.shared.path.exists(), folder.path.exists()) == ([], False, False)
