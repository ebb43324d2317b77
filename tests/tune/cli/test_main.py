"""The command line through `main` itself: what the user reads, the exit status, and processes of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.tune.cli.command_line import COLOUR, Ended, Foretune, process, write
from tune.cli.main import COMMANDS, app
from tune.planning import plan

# The flags that other tools may rely on.
SWEEP_FLAGS = """
    --data --format --columns --time-column --split --context-length --prediction-length --train-stride --eval-stride
    --scale --trials --time-budget --searcher --scheduler --grace-period --reduction-factor --max-concurrent --gpus
    --gpu-memory --seed --metric --set --name --storage --dry-run --evals-per-epoch
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("swep",), "No such command 'swep'. Did you mean 'sweep'? see foretune --help"),
        (("sweep", "--dryrun"), "No such option: --dryrun (Possible options: --dry-run); see foretune sweep --help"),
        (("leaderboard",), "Missing argument 'name'; see foretune leaderboard --help"),
        (("export", "night1"), "Missing option '--to'; see foretune export --help"),
        (("spaces", "shwo"), "No such command 'shwo'. Did you mean 'show'? see foretune spaces --help"),
    ],
)
def test_a_command_that_is_not_one_is_reported_in_one_line(
    foretune: Foretune, arguments: tuple[str, ...], told: str
) -> None:
    assert foretune(*arguments) == Ended(2, "", f"foretune: {told}\n")


def test_ctrl_c_outside_a_search_is_reported_and_ends_with_130(
    foretune: Foretune, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "plan_sweep", interrupted)
    ended = foretune("sweep")
    assert (ended.status, ended.out) == (130, "")
    assert "stopped; what was on record stays" in ended.err


def test_on_a_narrow_terminal_a_message_is_one_line_with_every_bracket(
    foretune: Foretune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "30")
    text = "trainable: moirai\nsearch:\n  lr: {log: [1e-4, 5e-7]}\n  '[b]:key:': {choice: []}\n"
    ended = foretune("spaces", "check", write(tmp_path, "mine.yaml", text))
    assert "\x1b[31m" in ended.err  # red
    assert COLOUR.sub("", ended.err).splitlines()[:2] == [
        "foretune: mine.yaml: search.lr: low must be below high, got [1e-4, 5e-7]; swap them",
        "mine.yaml: search.[b]:key:: choice takes a list of at least one value, such as [16, 32], got []",
    ]


# --- help


def test_help_of_sweep_lists_every_flag(foretune: Foretune) -> None:
    ended = foretune("sweep", "--help")
    assert ended.status == 0
    assert [flag for flag in SWEEP_FLAGS.split() if not re.search(rf"{flag}\s", ended.out)] == []


@pytest.mark.parametrize("command", ["sweep", "resume", "status", "leaderboard", "tensorboard", "export"])
def test_every_command_on_sweeps_takes_their_storage(foretune: Foretune, command: str) -> None:
    assert "--storage" in foretune(command, "--help").out
    assert command in foretune("--help").out


def test_without_a_command_the_commands_are_listed(foretune: Foretune) -> None:
    assert foretune() == foretune("--help")


# --- as processes of their own


def test_an_unreachable_hub_is_reported_with_what_is_there_instead(tmp_path: Path) -> None:
    command = ("-m", "tune", "sweep", "moirai-small", "--storage", "here")
    ended = process(*command, cwd=tmp_path, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "cache"))
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("foretune: Salesforce/moirai-1.1-R-small cannot be had from the Hub")
    assert "give a folder with a downloaded copy" in ended.err
    assert "--set pretrained=moirai-tiny" in ended.err
    assert not (tmp_path / "here").exists()


def test_a_mistake_ends_a_process_with_2_and_one_line(tmp_path: Path) -> None:
    ended = process("-m", "tune", "leaderboard", "night1", cwd=tmp_path)
    there = tmp_path / "ray_results"
    assert ended == Ended(2, "", f"foretune: no sweep named 'night1' in {there}; there is none yet\n")
    assert not there.exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_summed_up_as_its_own_help_begins(name: str) -> None:
    command = app.get_command(typer.Context(app), name)
    assert command.name == name
    assert command.help.split("\n\n")[0].replace("\n", " ") == COMMANDS[name].summary


def test_the_help_lists_every_command_with_its_summary(foretune: Foretune) -> None:
    ended = foretune("--help")
    assert (ended.status, ended.err) == (0, "")
    lines = [line.strip("│ ").split("  ", 1) for line in ended.out.split("Commands")[1].splitlines()]
    listed = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    assert listed == {name: command.summary for name, command in COMMANDS.items()}


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    ended = process("-m", "tune", "--help", cwd=tmp_path)
    assert ended.status == 0
    assert "leaderboard" in ended.out


@pytest.mark.slow
def test_a_hub_that_refuses_connections_is_reported_without_the_noise_of_its_retries(tmp_path: Path) -> None:
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "cache")}
    ended = process("-m", "tune", "sweep", "moirai-small", "--dry-run", cwd=tmp_path, **nobody)
    assert ended.status == 2
    assert len(ended.err.splitlines()) == 1
    assert "cannot be had from the Hub at http://127.0.0.1:9, which HF_ENDPOINT names (" in ended.err
    assert ended.err.rstrip().endswith("where that mirror is out of reach, name another")


@pytest.mark.parametrize(("option", "parameter"), [("--epochs", "epochs"), ("--lr", "lr"), ("--learning-rate", "lr")])
def test_a_parameter_of_a_space_typed_as_an_option_leads_to_set(
    rejected: Callable[..., str], option: str, parameter: str
) -> None:
    message = rejected("sweep", option, "5")
    assert message == f"No such option: {option}: it is searched; fix it with --set {parameter}=VALUE"
