"""Every option of every command with drawn values, several at once: one message, or what was asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.cases import cases
from tests.fuzz.commands import run
from tests.fuzz.hostile import FREQUENCIES, NAMES, NUMBERS, TIMES, cells
from tests.tune.cli.command_line import leaves
from tests.tune.cli.test_hostile_options import COMMANDS
from tune.cli import main as cli

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]  # each case has a limit of its own

QUICK = sorted(words for words in COMMANDS if words not in {("resume",), ("repeat",), ("finish",)})  # seconds each
OPTIONS = dict(leaves(cli.app))


@pytest.fixture(scope="module")
def place(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep that has ended and records of passages, in which every command has been run once."""
    place = tmp_path_factory.mktemp("place")
    shutil.copytree(finished, place / "ray_results" / "whole")
    made = run("data", "sample", "passages", "--rows", "2000", "--out", "records", cwd=place, limited=False)
    assert made.status == 0, made
    for words in COMMANDS:
        run(*words, *needed(words, place), cwd=place, statuses=(0, 2, 130), limited=False)
    return place


def needed(words: tuple[str, ...], place: Path) -> list[str]:
    return [text.replace("{}", str(place)) for text in COMMANDS[words]]


def typed() -> st.SearchStrategy[str]:
    """A value as it may come from a shell, which has no zeros in it."""
    number = st.integers().map(str) | st.floats().map(repr) | st.sampled_from(NUMBERS)
    pair = st.tuples(st.sampled_from(("lr", "epochs", "batch_size", "x", "")), cells()).map("=".join)
    several = st.lists(st.sampled_from(NAMES) | cells(), max_size=3).map(",".join)
    value = number | st.sampled_from((*TIMES, *FREQUENCIES, *NAMES)) | pair | several | cells()
    return value.map(lambda text: text.replace("\0", "")[:100_000])


@st.composite
def options(draw: st.DrawFn, words: tuple[str, ...]) -> list[str]:
    """Draw up to three options of a command."""
    line: list[str] = []
    known: list[Any] = [param for param in OPTIONS[words].params if param.param_type_name != "argument"]
    for param in draw(st.lists(st.sampled_from(known), min_size=1, max_size=3)) if known else []:
        name = draw(st.sampled_from((*param.opts, *param.secondary_opts)))
        line += [name] if param.is_flag else [name, draw(typed())]
    return line


@cases(130)
@given(words=st.sampled_from(QUICK), data=st.data())
def test_no_values_of_options_are_more_than_one_message(
    place: Path, words: tuple[str, ...], data: st.DataObject
) -> None:
    line = data.draw(options(words), label="options")
    run(*words, *needed(words, place), *line, cwd=place, statuses=(0, 2, 130))
    for path in place.iterdir():
        if path.name not in ("ray_results", "records"):  # what the command has made
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def test_every_command_takes_part(place: Path) -> None:
    assert OPTIONS.keys() == COMMANDS.keys()
    assert len(QUICK) > 10
