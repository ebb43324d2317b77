"""Ray's own processes die under a sweep: it goes on, or ends soon with one message; and nothing of Ray stays behind."""

import os
import re
import signal
import time

import psutil
import pytest

from tests.tune.service import DEADLINE, foretune, leaderboard_of, start_foretune, toy_sweep, wait_for_epoch
from tune.ray_backend.leftovers import ray_temp_folder

pytestmark = [pytest.mark.sweeps, pytest.mark.skipif(os.name != "posix", reason="POSIX processes")]

ENDS_WITHIN_SECONDS = 30
GONE_WITHIN_SECONDS = 10


def kill_of(process, name):
    """SIGKILL to the newest process of Ray's that is called so; return all its family as it was."""
    parent = psutil.Process(process.pid)
    family = parent.children(recursive=True)
    newest = max((c for c in parent.children() if c.name() == name and alive(c)), key=psutil.Process.create_time)
    newest.kill()
    return family


def alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_for_line(process, log, pattern):
    started = time.monotonic()
    while not re.search(pattern, log.read_text()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() - started < DEADLINE, log.read_text()
        time.sleep(0.1)


def test_a_sweep_outlives_its_raylet_and_ends_in_words_when_ray_dies_again(tmp_path):
    folder, log = tmp_path / "ray_results" / "night", tmp_path / "log.txt"
    process = start_foretune(*toy_sweep("night"), cwd=tmp_path)
    wait_for_epoch(process, folder, "t0000", 1)
    first = kill_of(process, "raylet")
    wait_for_line(process, log, r"Ray has died \(raylet\); starting it again, and going on\n(t0000 goes on|.*\n)*t0001")
    assert not any(alive(member) for member in first)

    killed = time.monotonic()
    second = kill_of(process, "gcs_server")
    assert process.wait(timeout=ENDS_WITHIN_SECONDS) == 130
    psutil.wait_procs([m for m in second if alive(m)], timeout=GONE_WITHIN_SECONDS)
    assert time.monotonic() - killed < ENDS_WITHIN_SECONDS
    assert not any(alive(member) for member in second)
    assert log.read_text().rstrip().endswith("Ray has died (gcs_server); go on with: foretune resume night")
    assert "state-dump" not in log.read_text()

    done = foretune("resume", "night", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = leaderboard_of("night", tmp_path)["trials"]
    assert sorted(trial["trial_id"] for trial in trials) == [f"t{i:04}" for i in range(5)]
    assert all(trial["status"] in ("completed", "stopped") for trial in trials)


@pytest.mark.slow  # what outlives a kill is also looked for in tests/chaos
def test_nothing_of_ray_outlives_a_killed_driver_and_its_folder_goes_at_the_next_start(tmp_path):
    folder = tmp_path / "ray_results" / "night"
    process = start_foretune(*toy_sweep("night"), "--trials", "2", cwd=tmp_path)
    wait_for_epoch(process, folder, "t0000", 1)
    family = psutil.Process(process.pid).children(recursive=True)
    (raylet,) = (child for child in family if child.name() == "raylet")
    (session,) = re.findall(r"session_[\w-]+", " ".join(raylet.cmdline()))[:1]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, left = psutil.wait_procs(family, timeout=GONE_WITHIN_SECONDS)
    assert not [member for member in left if alive(member)]
    assert (ray_temp_folder() / session).is_dir()

    done = foretune("resume", "night", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (ray_temp_folder() / session).exists()


def test_a_temporary_folder_too_deep_for_sockets_is_named_with_the_remedy(tmp_path, monkeypatch):
    deep = tmp_path / ("deep" * 25)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    done = foretune(*toy_sweep("night"), cwd=tmp_path)
    assert done.returncode == 2
    assert "the path of a socket must not be longer than 107 bytes; set RAY_TMPDIR to a short folder" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
