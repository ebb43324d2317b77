"""Memory of the host that runs out: the system ends a worker, and the sweep goes on with less."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from tests.tune.ray_backend.search_session import two_numbers
from tests.tune.reports import config, report
from tests.tune.service import DEADLINE, foretune, leaderboard_of, repeatable, start_foretune, wait_for_epoch
from trainables.device import host_memory
from trainables.device.host_memory import WorkerMark
from tune.ray_backend.callback import RayCallback
from tune.ray_backend.search import ListedTrials, Places, StudySearch
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder

HYPER = {"lr": 1e-5}
CGROUPS = Path("/sys/fs/cgroup/memory")


def test_the_second_time_one_trial_fewer_runs_at_once_and_always_one(caplog: pytest.LogCaptureFixture) -> None:
    places = Places()
    limits = []
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            places.memory_ran_out(3)
            limits.append(places.limit)
    assert limits == [None, 2, 1, 1]
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "the machine's memory ran out; the trial goes on with fewer windows at once"
    assert said[1] == "the machine's memory ran out again: from now on 2 trial(s) at once"


def test_a_search_proposes_nothing_while_all_its_places_are_taken(tmp_path: Path) -> None:
    search = StudySearch(Journal(SweepFolder(tmp_path)), two_numbers(), searcher="random", seed=0, trials=5)
    search.places.limit = 1
    assert search.suggest("a")["trial_id"] == "t0000"
    assert search.suggest("b") is None
    search.journal.append("t0000", report(1, 0.5, stopped_by="epochs"))
    search.on_trial_complete("a")
    assert search.suggest("c")["trial_id"] == "t0001"


def test_repeats_wait_for_a_place_too(tmp_path: Path) -> None:
    search = ListedTrials(Journal(SweepFolder(tmp_path)), [config("t0000-r1", HYPER), config("t0000-r2", HYPER)])
    search.places.limit = 1
    assert search.suggest("a")["trial_id"] == "t0000-r1"
    assert search.suggest("b") is None
    search.on_trial_complete("a")
    assert search.suggest("c")["trial_id"] == "t0000-r2"


def ended_trial() -> SimpleNamespace:
    """A trial as Ray has it, with its statistics of one number."""
    metadata = SimpleNamespace(metric_analysis={"val_loss": {"max": 1.0}}, metric_n_steps={"val_loss": {}})
    return SimpleNamespace(config=config("t0000", HYPER).to_row(), error_file=None, run_metadata=metadata)


@pytest.fixture
def died(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[RayCallback, Any, list[str]]:
    """A callback, a trial of Ray's whose worker has left a mark, and what the callback has called."""
    journal, called = Journal(SweepFolder(tmp_path)), []
    journal.start(config("t0000", HYPER))
    journal.append("t0000", report(0, 0.5))
    callback = RayCallback(journal, [], scheduler="none", on_memory_death=lambda: called.append("memory"))
    WorkerMark(kills=7, deaths=2, micro_batch_size=4).write(tmp_path / "t0000" / "worker.json")
    monkeypatch.setattr(host_memory, "VMSTAT", tmp_path / "vmstat")
    (tmp_path / "vmstat").write_text("oom_kill 7\n")
    return callback, ended_trial(), called


def test_a_trial_that_memory_ends_again_and_again_fails_with_that_reason(
    died: tuple[RayCallback, Any, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback, trial, called = died
    monkeypatch.setattr("tune.ray_backend.callback.memory_limit_bytes", lambda: 8_000_000_000)
    (tmp_path / "vmstat").write_text("oom_kill 8\n")
    callback.on_trial_error(0, [], trial)
    assert callback.journal.record("t0000").error == (
        "the machine's memory ran out, 8.0 GB, of which it had 2 MB at its peak: the system ended the trial's process "
        "3 times, at last with 4 windows at once; run fewer trials at once (--max-concurrent), shorten "
        "--context-length or take a smaller model"
    )
    assert called == ["memory"]


def test_a_worker_that_is_replaced_is_noticed_where_memory_ended_it(
    died: tuple[RayCallback, Any, list[str]], tmp_path: Path
) -> None:
    callback, trial, called = died
    callback.on_trial_recover(0, [], trial)
    assert called == []  # killed by somebody: the kernel has counted nothing
    (tmp_path / "vmstat").write_text("oom_kill 8\n")
    callback.on_trial_recover(0, [], trial)
    assert called == ["memory"]


def test_a_worker_that_died_of_something_else_fails_with_that(
    died: tuple[RayCallback, Any, list[str]], tmp_path: Path
) -> None:
    callback, trial, _ = died
    callback.on_trial_error(0, [], trial)
    assert callback.journal.record("t0000").error == "the worker died"
    assert trial.run_metadata.metric_analysis == trial.run_metadata.metric_n_steps == {}


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A control group whose memory can be limited; processes are put into it by their number."""
    group = CGROUPS / f"foretune-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("needs the right to limit a process's memory (cgroup v1)")
    yield group
    with suppress(OSError):
        group.rmdir()


@pytest.mark.slow  # two sweeps; what the worker leaves and what becomes of the trial: above
@pytest.mark.sweeps
def test_a_sweep_outlives_the_kernels_killer_and_comes_to_the_same_leaderboard(
    tmp_path: Path, memory_group: Path
) -> None:
    """The worker may have a megabyte more than when the limit comes, less than a step of Moirai asks for."""
    fixed = ("--set", "strategy=full", "--set", "epochs=4", "--set", "batch_size=32")
    arguments = ("sweep", "quickstart", *fixed, "--trials", "2", "--scheduler", "none", "--name", "night")
    process = start_foretune(*arguments, cwd=tmp_path)
    folder = tmp_path / "ray_results" / "night"
    wait_for_epoch(process, folder, "t0000", 1)
    before = host_memory.memory_kills()
    workers = [p for p in psutil.Process(process.pid).children(recursive=True) if p.name().startswith("ray::")]
    worker = max(workers, key=lambda p: p.cpu_times().user)
    (memory_group / "cgroup.procs").write_text(str(worker.pid))
    (memory_group / "memory.limit_in_bytes").write_text("1M")
    _, alive = psutil.wait_procs([worker], timeout=DEADLINE)
    assert not alive
    assert host_memory.memory_kills() > before
    assert process.wait(timeout=DEADLINE) == 0, (tmp_path / "log.txt").read_text()
    sizes = [json.loads(line)["micro_batch_size"] for line in (folder / "t0000" / "result.json").open()]
    assert (sizes[0], sizes[-1]) == (32, 16)
    (tmp_path / "beside").mkdir()
    whole = foretune(*arguments, cwd=tmp_path / "beside")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    killed, undisturbed = (repeatable(leaderboard_of("night", cwd)) for cwd in (tmp_path, tmp_path / "beside"))
    for one, other in zip(killed["trials"], undisturbed["trials"], strict=True):
        assert one["trial_id"] == other["trial_id"]
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-2)  # sums in another order
