"""Which configurations are trained again, in which order, with which seeds."""

from __future__ import annotations

from pathlib import Path

from tests.tune.reports import config, report, to_its_end, write_trial
from tune.records.journal import Journal, read_records
from tune.records.repeats import Repeats, recover_repeats, repeat_of
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import of_search

REPEATS = Repeats(top=2, seeds=2, metric="val_loss", seed=7)


def write_search(folder: Path) -> list[str]:
    """Three trials that came to 0.3, 0.1 and 0.2."""
    for trial_id, best in (("t0000", 0.3), ("t0001", 0.1), ("t0002", 0.2)):
        write_trial(folder, trial_id, {"lr": best}, to_its_end([1.0, best]))
    return ["t0001-r1", "t0002-r1", "t0001-r2", "t0002-r2"]


def test_the_best_are_repeated_in_turn_with_what_they_were_run_with(tmp_path: Path) -> None:
    names = write_search(tmp_path)
    planned = REPEATS.planned(read_records(SweepFolder(tmp_path)))
    assert [each.trial_id for each in planned] == names
    assert [each.hyper for each in planned] == [{"lr": 0.1}, {"lr": 0.2}] * 2
    assert {each.repeat_of for each in planned} == {"t0001", "t0002"}


def test_a_seed_is_of_the_sweep_the_trial_and_the_repeat_alone() -> None:
    first = config("t0003", {"lr": 1e-5})
    seeds = {
        repeat_of(config(f"t{i:04}", {}), number, seed).seed for i in range(50) for number in (1, 2) for seed in (0, 1)
    }
    assert len(seeds) == 200
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert repeat_of(first, 1, 7) == repeat_of(first, 1, 7)


def test_an_ended_repeat_is_not_left_and_an_open_one_is(tmp_path: Path) -> None:
    names = write_search(tmp_path)
    write_trial(tmp_path, "t0001-r1", {"lr": 0.1}, to_its_end([1.0, 0.15]))
    write_trial(tmp_path, "t0002-r1", {"lr": 0.2}, [report(0, 1.0)])
    left = REPEATS.left(read_records(SweepFolder(tmp_path)))
    assert [each.trial_id for each in left] == names[1:]
    assert left[0].seed == 0  # as it was started


def test_repeats_change_neither_who_is_best_nor_the_search(tmp_path: Path) -> None:
    """A repeat that came to less than every trial is no trial of the search."""
    names = write_search(tmp_path)
    write_trial(tmp_path, "t0001-r1", {"lr": 0.1}, to_its_end([1.0, 0.01]))
    records = read_records(SweepFolder(tmp_path))
    assert [each.trial_id for each in REPEATS.planned(records)] == names
    assert [r.trial_id for r in of_search(records)] == ["t0000", "t0001", "t0002"]
    assert Journal(SweepFolder(tmp_path)).next_number == 3


def test_repeats_come_after_the_trials_and_in_the_order_they_are_run(tmp_path: Path) -> None:
    names = write_search(tmp_path)
    for name in reversed(names):
        write_trial(tmp_path, name, {"lr": 0.1}, [report(0, 1.0)])
    assert [r.trial_id for r in read_records(SweepFolder(tmp_path))] == ["t0000", "t0001", "t0002", *names]


def test_a_lost_configuration_is_that_of_what_is_repeated(tmp_path: Path) -> None:
    write_search(tmp_path)
    folder = SweepFolder(tmp_path)
    wanted = REPEATS.planned(read_records(folder))[0]
    write_trial(tmp_path, "t0001-r1", {"lr": 0.1}, [report(0, 1.0)])
    folder.trial("t0001-r1").params.write_text("{", encoding="utf-8")
    assert recover_repeats(Journal(folder), seed=7) == ["t0001-r1"]
    assert next(r.config for r in read_records(folder) if r.trial_id == "t0001-r1") == wanted
