"""A sweep that is ended by real signals, through the real command line: in good order, and it can go on."""

import os
import signal

import pytest

from tests.tune.service import DEADLINE, foretune, leaderboard_of, start_foretune, toy_sweep, wait_for_epoch

pytestmark = pytest.mark.sweeps


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="POSIX signals")
def test_an_interrupted_sweep_ends_in_good_order_and_can_be_extended(tmp_path):
    """SIGINT, then SIGTERM to the whole group as from `timeout` or systemd, then a resume with one more trial."""
    folder = tmp_path / "ray_results" / "night"
    process = start_foretune(*toy_sweep("night"), "--trials", "2", cwd=tmp_path)
    wait_for_epoch(process, folder, "t0000", 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=DEADLINE) == 130
    assert "foretune resume night" in (tmp_path / "log.txt").read_text()

    process = start_foretune("resume", "night", cwd=tmp_path)
    wait_for_epoch(process, folder, "t0001", 0)  # ASHA will stop it at epoch 1
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(timeout=DEADLINE) == 130
    assert "foretune resume night" in (tmp_path / "log.txt").read_text()

    done = foretune("resume", "night", "--trials", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    board = leaderboard_of("night", tmp_path)
    assert sorted(t["trial_id"] for t in board["trials"]) == ["t0000", "t0001", "t0002"]
    assert all(t["status"] in ("completed", "stopped") for t in board["trials"])
