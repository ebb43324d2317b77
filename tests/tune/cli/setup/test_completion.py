"""What a shell offers after Tab: commands, options, sweeps, trials and spaces."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import REPOSITORY
from tests.tune.cli.command_line import Foretune
from tests.tune.reports import report, write_trial
from tests.tune.untrained_sweep import make_sweep


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with two sweeps, one of which has two trials."""
    (tmp_path / "ray_results").mkdir()
    for name in ("night1", "morning"):
        make_sweep(tmp_path / "ray_results" / name, {}, "zero-shot")
    for trial_id in ("t0000", "t0001_paper"):
        write_trial(tmp_path / "ray_results" / "night1", trial_id, {}, [report(0, 0.5)])
    return tmp_path


def offered(line: str, cwd: Path) -> list[str]:
    """Ask as fish asks, which gets a word and its help a line."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "_FORETUNE_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tune"], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [text.split("\t")[0] for text in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("foretune lea", ["leaderboard"]),
        ("foretune leaderboard ", ["night1", "morning"]),
        ("foretune resume n", ["night1"]),
        ("foretune log night1 ", ["t0000", "t0001_paper", "paper"]),
        ("foretune log night1 p", ["paper"]),
        ("foretune sweep moirai-g", ["moirai-grid"]),
        ("foretune resume --retry", ["--retry-failed"]),
    ],
)
def test_what_begins_so_is_offered(line: str, words: list[str], place: Path) -> None:
    assert offered(line, place) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "pwsh"])
def test_each_shell_has_a_script_that_asks_foretune(shell: str, foretune: Foretune) -> None:
    script = foretune("completion", shell)
    assert script.status == 0
    assert "_FORETUNE_COMPLETE" in script.out


def test_another_shell_is_rejected(foretune: Foretune) -> None:
    assert foretune("completion", "csh").err == "foretune: completion is for bash, zsh, fish, pwsh, got 'csh'\n"
