"""What a session of a sweep prints: all, results alone, and the same into a file of the user's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import UserError
from tests.tune.cli.command_line import Ended, Foretune
from tests.tune.cli.conftest import add_trial
from tune.cli import sweep_steps
from tune.cli.session_console import Output, session_console
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder

STAMPED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


@pytest.fixture
def done(new_sweep: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep of two trials that have ended; t0001 beats zero-shot. Nothing is scored on test."""
    add_trial(new_sweep, 0, [0.5, 0.7, 0.6], "asha")
    add_trial(new_sweep, 1, [0.5, 0.45, 0.4, 0.41])
    folder = SweepFolder(new_sweep)
    SweepSpec.read(folder).model_copy(update={"trials": 2}).write(folder)
    monkeypatch.setattr(sweep_steps, "finalize", lambda sweep: sweep.leaderboard())
    return new_sweep


def resume(foretune: Foretune, done: Path, *more: object) -> Ended:
    return foretune("resume", "night1", "--storage", done.parent, *more)


def test_quiet_prints_the_verdict_and_the_best_checkpoint_alone(foretune: Foretune, done: Path) -> None:
    (done / "best").mkdir()
    loud, quiet = resume(foretune, done), resume(foretune, done, "--quiet")
    assert "report: " in loud.out
    verdict, checkpoint = quiet.out.splitlines()
    assert verdict.startswith("t0001 beats zero-shot: val_loss 0.4")
    assert checkpoint == f"best checkpoint: {done / 'best'}"
    assert (loud.status, quiet.status, quiet.err) == (0, 0, "")


def test_a_sweep_without_a_success_says_why_also_where_it_is_quiet(
    foretune: Foretune, new_sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_trial(new_sweep, 0, [0.5], None)
    (new_sweep / "t0000" / "error.txt").write_text("Traceback\nRuntimeError: no such kernel\n")
    folder = SweepFolder(new_sweep)
    SweepSpec.read(folder).model_copy(update={"trials": 1}).write(folder)
    monkeypatch.setattr(sweep_steps, "finalize", lambda sweep: sweep.leaderboard())
    ended = resume(foretune, new_sweep, "--quiet")
    assert ended.status == 1
    assert ended.out.splitlines()[-1] == "t0000 failed: RuntimeError: no such kernel"


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_the_log_file_has_every_line_with_its_time_session_after_session(
    foretune: Foretune, done: Path, tmp_path: Path, quiet: list[str]
) -> None:
    file = tmp_path / "night.log"
    file.write_text("of before\n")
    printed = resume(foretune, done).out
    resume(foretune, done, "--log-file", file, *quiet)
    resume(foretune, done, "--log-file", file, *quiet)
    before, *lines = file.read_text().splitlines()
    assert before == "of before"
    assert all(STAMPED.match(line) for line in lines)
    texts = [line[20:].strip() for line in lines]
    assert texts[: len(texts) // 2] == texts[len(texts) // 2 :]
    assert len([text for text in texts if text.startswith("t0001 beats zero-shot")]) == 2
    assert {line.strip() for line in printed.splitlines() if line.strip()} <= set(texts)


def test_a_mistake_is_in_the_log_file_too(foretune: Foretune, done: Path, tmp_path: Path) -> None:
    ended = resume(foretune, done, "--log-file", tmp_path / "night.log", "--trials", 1)
    assert ended.status == 2
    (line,) = (tmp_path / "night.log").read_text().splitlines()
    assert line[20:] == f"ERROR {ended.err.removeprefix('foretune: ').rstrip()}"


def test_a_log_file_that_cannot_be_written_is_one_message(done: Path, rejected: Callable[..., str]) -> None:
    for path, reason in ((done, "must be a file, got"), (done / "none" / "a.log", "No such file or directory")):
        message = rejected("resume", "night1", "--log-file", path, storage=done.parent)
        assert message.startswith("--log-file must be a file")
        assert reason in message


def test_a_dry_run_that_prints_nothing_is_rejected(rejected: Callable[..., str]) -> None:
    assert rejected("sweep", "--dry-run", "--quiet").startswith("--dry-run prints what would be done, and --quiet")


def test_a_config_file_takes_both(foretune: Foretune, tmp_path: Path) -> None:
    config = tmp_path / "foretune.yaml"
    config.write_text(f"log_file: {tmp_path / 'plan.log'}\nmax_steps: 7\nlog_every: 2\n")
    out = foretune("sweep", "--config", config, "--dry-run").out
    assert "7 at most (--max-steps)" in out
    texts = [line[20:].rstrip() for line in (tmp_path / "plan.log").read_text().splitlines()]
    assert any(re.match(r"sweep +quickstart-", text) for text in texts)


def test_what_is_logged_while_a_session_lasts_is_in_its_file(tmp_path: Path) -> None:
    import logging

    logger = logging.getLogger("tune.anything")
    with session_console(Output.of(True, tmp_path / "a.log")):
        logger.warning("within")
    logger.warning("after")
    assert [line[20:] for line in (tmp_path / "a.log").read_text().splitlines()] == ["WARNING within"]
    with pytest.raises(UserError), session_console(Output.of(True, tmp_path / "a.log")):
        raise UserError("a mistake")
    assert (tmp_path / "a.log").read_text().endswith("ERROR a mistake\n")


def test_a_command_that_takes_over_prints_as_quietly(tmp_path: Path) -> None:
    assert Output.of(True, tmp_path / "a.log").flags() == ["--quiet", "--log-file", str(tmp_path / "a.log")]
    assert Output().flags() == []
