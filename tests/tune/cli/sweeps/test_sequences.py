"""One sweep after another: --start-from an earlier one, --then another space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tune.cli.command_line import TOY, Foretune, everything
from tests.tune.reports import to_its_end, write_trial
from tune.cli import sweep_steps
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.sweep import Sweep

HYPER = {
    "lr": 1e-3,
    "epochs": 5,
    "warmup_steps": 1,
    "weight_decay": 0.05,
    "batch_size": 32,
    "patience": 4,
    "delay": 0.01,
}


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "ray_results"


@pytest.fixture
def run(foretune: Foretune, monkeypatch: pytest.MonkeyPatch) -> list[SweepSpec]:
    """The sweeps that were run, in order; each finds that HYPER is good."""
    ran: list[SweepSpec] = []

    def search(sweep: Sweep, console: object, **_: object) -> int:
        ran.append(sweep.spec)
        write_trial(sweep.folder.path, "t0000", HYPER, to_its_end([1.0, 0.5]))
        return 0

    monkeypatch.setattr(sweep_steps, "_run", search)
    return ran


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A space like the toy's, of fewer epochs."""
    path = tmp_path / "other.yaml"
    text = (
        TOY.read_text().replace("toy_model.py", str(TOY.parent / "toy_model.py")).replace("int: [3, 6]", "int: [3, 4]")
    )
    path.write_text(text.replace("epochs: 6", "epochs: 4"))
    return path


def first_point(spec: SweepSpec) -> dict[str, object]:
    return dict(spec.search_space().initial_points[0])


def test_the_second_space_begins_with_the_best_of_the_first(
    foretune: Foretune, run: list[SweepSpec], storage: Path, other: Path
) -> None:
    ended = foretune("sweep", TOY, "--data", "sample", "--then", other, "--name", "a", "--storage", storage)
    assert (ended.status, ended.err) == (0, "")
    assert [spec.name for spec in run] == ["a", "a-other"]
    assert "now a-other, from the best of a:" in ended.out
    assert "tried first, from a: t0000" in ended.out
    searched = {name: HYPER[name] for name in ("lr", "warmup_steps", "weight_decay", "batch_size")}
    assert first_point(run[1]) == {**searched, "epochs": 4}
    assert first_point(run[0])["lr"] == 1e-2


def test_three_follow_each_other_and_a_resume_goes_on_where_it_was(
    foretune: Foretune, run: list[SweepSpec], storage: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = sweep_steps._run
    third = other.with_name("third.yaml")
    third.write_text(other.read_text())

    def interrupted_in_the_second(sweep: Sweep, console: object, **_: object) -> int:
        return sweep_steps.INTERRUPTED if sweep.spec.name == "a-other" else search(sweep, console)

    monkeypatch.setattr(sweep_steps, "_run", interrupted_in_the_second)
    flags = ("--data", "sample", "--then", other, "--then", third, "--name", "a", "--storage", storage, "--trials", 2)
    assert foretune("sweep", TOY, *flags).status == 130
    assert [spec.name for spec in run] == ["a"]
    monkeypatch.setattr(sweep_steps, "_run", search)
    assert foretune("resume", "a-other", "--storage", storage).status == 0
    assert [spec.name for spec in run] == ["a", "a-other", "a-third"]


def test_a_mistake_in_what_follows_is_found_before_anything_starts(
    rejected: Callable[..., str], storage: Path, other: Path
) -> None:
    assert "unknown space 'moirai-bse'" in rejected("sweep", TOY, "--data", "sample", "--then", "moirai-bse")
    (storage / "a-other").mkdir(parents=True)
    message = rejected("sweep", TOY, "--data", "sample", "--then", other, "--name", "a", storage=storage)
    assert message.startswith("--name a-other is already used")


def test_start_from_takes_sweeps_that_are_there(
    foretune: Foretune, rejected: Callable[..., str], run: list[SweepSpec], storage: Path, other: Path
) -> None:
    assert foretune("sweep", TOY, "--data", "sample", "--name", "a", "--storage", storage).status == 0
    ended = foretune("sweep", other, "--data", "sample", "--start-from", "a", "--name", "b", "--storage", storage)
    assert (ended.status, ended.err) == (0, "")
    assert first_point(run[1])["lr"] == 1e-3
    assert [trial.source for trial in run[1].earlier] == []  # 5 epochs are no longer searched
    before = everything(storage)
    message = rejected("sweep", other, "--data", "sample", "--start-from", "aa", storage=storage)
    assert message.startswith("no sweep named 'aa'")
    message = rejected("sweep", "moirai-small", "--data", "sample", "--start-from", "a", storage=storage)
    assert message == "--start-from a is a sweep of toy_model.py:Toy, and moirai-small is one of moirai"
    assert everything(storage) == before


def test_the_searcher_is_given_what_the_earlier_sweep_measured(
    foretune: Foretune, run: list[SweepSpec], storage: Path
) -> None:
    for name, more in (("a", ()), ("b", ("--start-from", "a"))):
        assert foretune("sweep", TOY, "--data", "sample", *more, "--name", name, "--storage", storage).status == 0
    (known,) = SweepSpec.read(SweepFolder(storage / "b")).earlier
    assert (known.source, known.hyper, known.value) == ("a t0000", HYPER, 0.5)
