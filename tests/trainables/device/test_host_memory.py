"""Workers that the system ends for want of memory; the count of such ends is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import CPU, Toy, assert_close, run, spec_in
from trainables.device import host_memory
from trainables.device.host_memory import WorkerMark, memory_kills, memory_limit_bytes
from trainables.trial.trial import Trial


@pytest.fixture
def vmstat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What Linux counts, as it is written."""
    file = tmp_path / "vmstat"
    file.write_text("nr_free_pages 1093\noom_kill 3\nnuma_hit 12\n")
    monkeypatch.setattr(host_memory, "VMSTAT", file)
    return file


def test_kills_are_those_of_the_kernels_own_count(vmstat: Path) -> None:
    assert memory_kills() == 3


@pytest.mark.parametrize("content", ["", "nr_free_pages 1093\n", "oom_kill\n", "oom_kill many\n"])
def test_where_nothing_is_counted_nothing_was_killed(vmstat: Path, content: str) -> None:
    vmstat.write_text(content)
    assert memory_kills() == 0
    vmstat.unlink()
    assert memory_kills() == 0


@pytest.mark.parametrize(("content", "limit"), [("2000000", 2_000_000), ("max", None), ("9223372036854771712", None)])
def test_a_container_may_have_less_than_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, limit: int | None
) -> None:
    monkeypatch.setattr(host_memory, "CGROUP_LIMITS", (tmp_path / "memory.max", tmp_path / "none"))
    whole = memory_limit_bytes()
    (tmp_path / "memory.max").write_text(content + "\n")
    assert memory_limit_bytes() == (whole if limit is None else limit)


def test_a_trial_whose_worker_was_killed_for_memory_goes_on_with_half_the_windows_at_once(
    vmstat: Path, task: ForecastTask, tmp_path: Path
) -> None:
    expected = run(Trial(Toy(), spec_in(tmp_path / "roomy"), task, CPU))
    begun = run(Trial(Toy(), spec_in(tmp_path), task, CPU), 2)
    vmstat.write_text("oom_kill 4\n")
    second = Trial(Toy(), spec_in(tmp_path, reported_epoch=1), task, CPU)
    assert (second.training.micro_batch.size, second.eval_batch.size) == (8, 128)
    vmstat.write_text("oom_kill 5\n")
    third = Trial(Toy(), spec_in(tmp_path, reported_epoch=1), task, CPU)
    assert (third.training.micro_batch.size, third.eval_batch.size) == (4, 64)
    assert_close([*begun, *run(third)], expected, rel=1e-4)
    assert Trial(Toy(), spec_in(tmp_path, "t0001"), task, CPU).training.micro_batch.size == 4


def test_a_worker_killed_by_somebody_keeps_its_micro_batch(vmstat: Path, task: ForecastTask, tmp_path: Path) -> None:
    Trial(Toy(), spec_in(tmp_path), task, CPU).step()
    again = Trial(Toy(), spec_in(tmp_path), task, CPU)
    assert again.training.micro_batch.size == 16


def test_a_trial_left_in_good_order_is_none_that_was_killed(vmstat: Path, task: ForecastTask, tmp_path: Path) -> None:
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    assert WorkerMark.read(tmp_path / "t0000" / "worker.json") == WorkerMark(kills=3, deaths=0, micro_batch_size=16)
    trial.close()
    vmstat.write_text("oom_kill 4\n")  # another process
    assert Trial(Toy(), spec_in(tmp_path), task, CPU).training.micro_batch.size == 16


@pytest.mark.parametrize("content", ["", "junk", "[1]", '{"kills": "x"}', '{"kills": 1, "more": 2}'])
def test_a_damaged_mark_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "worker.json").write_text(content)
    assert WorkerMark.read(tmp_path / "worker.json") is None
