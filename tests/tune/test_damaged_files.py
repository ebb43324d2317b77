"""Every file of a finished sweep, damaged in every way, under every command: never a traceback, and nothing else lost.

What can be made again is; the rest costs the trial or the sweep alone that it belongs to, in one message.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.paths import TOYS
from tests.tune.cli.stand_ins import curves_alone
from tests.tune.service import foretune as in_own_process
from tests.tune.service import leaderboard_of, toy_sweep
from tune.cli import main as cli
from tune.cli import sweep_steps
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder
from tune.report.pictures import Shown

pytestmark = pytest.mark.sweeps

TRUST = ("--trust", f"{TOYS / 'toy_model.py'}:Toy")
KINDS = ("junk", "removed", "emptied", "truncated", "list", "object", "number", "folder")
UNDRAWN = ("best/", "blends/", "data/")  # of whose files no picture of the report is made
Ended = tuple[object, str, str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two trials that has ended; Ray's own files, which nobody reads, left out."""
    cwd = tmp_path_factory.mktemp("finished")
    done = in_own_process(*toy_sweep("whole"), "--trials", "2", cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(cwd / "ray_results" / "whole" / "ray")
    return cwd / "ray_results" / "whole"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command in this process; an exception that leaves `main` fails the test."""

    def command(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["foretune", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return ended.value.code or 0, written.out, written.err

    def no_search(*_: object) -> int:
        raise AssertionError("a finished trial was about to be run again")

    monkeypatch.setattr(sweep_steps, "_run", no_search)
    return command


def damage(path: Path, kind: str) -> None:
    raw = path.read_bytes()
    path.unlink()
    match kind:
        case "truncated":
            path.write_bytes(raw[: len(raw) // 2])
        case "emptied":
            path.write_bytes(b"")
        case "junk":
            path.write_bytes(bytes(range(128, 256)) * 4)
        case "list":
            path.write_text("[1, 2]")
        case "object":
            path.write_text('{"a": {"b": null}}')
        case "number":
            path.write_text("7")
        case "folder":
            path.mkdir()


def damaged_copies(finished: Path, tmp_path: Path, kind: str) -> Iterator[tuple[str, Path]]:
    """The name of each file, and a copy of the sweep in which it is damaged."""
    names = [path.relative_to(finished) for path in sorted(finished.rglob("*")) if path.is_file()]
    names = [name for name in names if name.suffix != ".lock" and name.name != ".lock" and name.parts[0] != "t0001"]
    blends = [name for name in names if name.parts[0] == "blends"]
    names = [name for name in names if name not in blends[2:]]  # of many alike, one and its windows
    assert len(names) > 15
    for name in names:
        copy = tmp_path / "ray_results" / "whole"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(finished, copy)
        damage(copy / name, kind)
        yield str(name), copy


def commands(name: str, folder: Path) -> Iterator[tuple[object, ...]]:
    storage = ("--storage", folder.parent)
    if not name.startswith("best/"):
        yield ("status", *storage)
        yield ("leaderboard", "whole", "--format", "json", *storage)
        yield ("report", "whole", *storage)
        yield ("resume", "whole", *storage)
    if name.startswith(("best/", "data/")):
        yield ("predict", folder / "best", *TRUST)
        yield ("evaluate", folder / "best", *TRUST)
    yield ("export", "whole", "--to", folder.with_name("out"), "--force", *storage)
    if name.startswith(("best/", "blends/", "shared/")) or "/" not in name:
        yield ("finish", "whole", *storage)  # of a trial's files, resume has done the same


@pytest.mark.slow  # drawn content, in its short form: tests/fuzz/test_state_files.py
@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_to_a_file_is_more_than_one_message(
    finished: Path, tmp_path: Path, run: Callable[..., Ended], kind: str
) -> None:
    drawn = Shown.pictures
    for name, folder in damaged_copies(finished, tmp_path, kind):
        for command in commands(name, folder):
            is_drawn = command[0] == "report" and not name.startswith(UNDRAWN)  # pictures take seconds
            with patch.object(Shown, "pictures", drawn if is_drawn else curves_alone):
                status, _, err = run(*command)
            assert status in (0, 2), (name, command, err)
            assert "Traceback" not in err, (name, command)
            assert status == 0 or err.startswith("foretune: "), (name, command, err)
            assert len(err.strip().splitlines()) <= 2, (name, command, err)
            shutil.rmtree(folder.with_name("out"), ignore_errors=True)
        if name.endswith(".json") and name not in ("sweep.json", "t0000/params.json", "best/foretune.json"):
            board = json.loads(run("leaderboard", "whole", "--format", "json", "--storage", folder.parent)[1])
            assert [t["status"] for t in board["trials"]] == ["completed", "stopped"], name


def test_one_damaged_sweep_leaves_the_status_of_the_others(
    finished: Path, tmp_path: Path, run: Callable[..., Ended]
) -> None:
    for name in ("good", "bad"):
        shutil.copytree(finished, tmp_path / name)
    damage(tmp_path / "bad" / "sweep.json", "junk")
    status, out, err = run("status", "--storage", tmp_path)
    assert (status, err) == (0, "")
    assert "2 of 2" in out
    assert f"damaged: {tmp_path / 'bad' / 'sweep.json'}: cannot be read as a sweep" in out


def test_what_is_lost_is_made_again_from_the_rest_when_a_sweep_goes_on(finished: Path, tmp_path: Path) -> None:
    """A configuration from the study, reports from progress.csv, the series from the bundled file."""
    folder = tmp_path / "ray_results" / "whole"
    shutil.copytree(finished, folder)
    before = read_records(SweepFolder(folder))
    damage(folder / "t0000" / "params.json", "junk")
    damage(folder / "t0001" / "result.json", "emptied")
    damage(folder / "data" / "values.npy", "truncated")
    done = in_own_process("resume", "whole", "--trials", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    after = read_records(SweepFolder(folder))
    assert after[:2] == before
    assert after[2].is_finished
    assert (folder / "data" / "values.npy").read_bytes() == (finished / "data" / "values.npy").read_bytes()
    assert len(leaderboard_of("whole", tmp_path)["trials"]) == 3


@pytest.mark.slow  # what is lost and made again: above
def test_a_configuration_lost_for_good_costs_that_trial_alone(
    finished: Path, tmp_path: Path, run: Callable[..., Ended]
) -> None:
    folder = tmp_path / "ray_results" / "whole"
    shutil.copytree(finished, folder)
    damage(folder / "t0000" / "params.json", "junk")
    damage(folder / "study.db", "removed")
    done = in_own_process("resume", "whole", "--trials", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"damaged: {folder / 't0000' / 'params.json'} is damaged" in done.stdout
    trials = {t["trial_id"]: t["status"] for t in leaderboard_of("whole", tmp_path)["trials"]}
    assert trials["t0000"] == "failed"
    assert sorted(trials) == ["t0000", "t0001", "t0002"]
