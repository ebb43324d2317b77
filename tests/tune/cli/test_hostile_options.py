"""Every option of every command with values that nobody should type: one message, or what was asked for."""

from __future__ import annotations

import itertools
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.paths import TOYS
from tests.tune.cli.command_line import Ended, leaves
from tests.tune.cli.stand_ins import nothing_waits
from tests.tune.service import foretune as in_own_process
from tests.tune.service import toy_sweep
from tune.cli import main as cli

pytestmark = pytest.mark.sweeps

HOSTILE = (
    *("", " ", "0", "-1", "1", "1.5", "1e400", "nan", "-inf", "9" * 30, "²", "٣", "0x10", "1_000", "true", "null"),
    *(
        "x",
        "X" * 5000,
        "🦉",
        "é",
        "a=b",
        "=",
        "a=",
        "a=log:1:2:3",
        "a,b",
        ",",
        ":",
        "::",
        "%s",
        "%",
        "{}",
        "{0}",
        "[b]",
    ),
    *("\n", "\t", "\x1b[31m", "\u202e", "'", '"', "\\", "$(x)", "--", "-x", "*", "?", "..", "../..", "/dev/null"),
    *(
        "/dev/zero",
        "/proc/self/mem",
        "~nosuchuser",
        "file:///x",
        "http://localhost:1/x",
        "C:\\x",
        "a/b/c",
        ".",
        "2024-13-45",
    ),
)
SHORT = 1500  # of the some thousand pairs of an option and a value, by a seed
TRUST = ("--trust", f"{TOYS / 'toy_model.py'}:Toy")
# What each command needs before it does anything; {} is the working folder.
WHOLE = ("whole", "--storage", "{}/ray_results")
BEST = ("{}/ray_results/whole/best", *TRUST)
COMMANDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("init",): ("sample", "--to", "-"),
    ("sweep",): (str(TOYS / "toy.yaml"), "--data", "sample", "--dry-run"),
    ("resume",): WHOLE,
    ("repeat",): WHOLE,
    ("finish",): WHOLE,
    ("report",): WHOLE,
    ("status",): (*WHOLE, "--timeline"),
    ("watch",): WHOLE,
    ("log",): WHOLE,
    ("leaderboard",): WHOLE,
    ("compare",): (WHOLE[0], *WHOLE),
    ("tensorboard",): WHOLE,
    ("dashboard",): WHOLE,
    ("export",): (*WHOLE, "--to", "{}/out", "--force"),
    ("evaluate",): BEST,
    ("predict",): (*BEST, "--series", "site_1"),
    ("serve",): (*BEST, "--port", "0"),
    ("completion",): ("bash",),
    ("doctor",): ("--quick", "--offline"),
    ("spaces", "show"): ("quickstart",),
    ("spaces", "check"): (str(TOYS / "toy.yaml"),),
    ("spaces", "schema"): (),
    ("data", "passages"): ("--csv-dir", "{}/records/csv", "--sites", "{}/records/sites.csv", "--out", "{}/counts"),
    ("data", "sample", "passages"): ("--rows", "2000", "--out", "{}/made"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of one trial that has ended."""
    cwd = tmp_path_factory.mktemp("place")
    done = in_own_process(*toy_sweep("whole"), "--trials", "1", cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    made = in_own_process("data", "sample", "passages", "--rows", "2000", "--out", "records", cwd=cwd)
    assert made.returncode == 0, made.stdout + made.stderr
    return cwd


@pytest.fixture
def run(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ended]]:
    """Run a command line in this process, without a search and without a server that waits."""

    def command(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["foretune", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return Ended(ended.value.code or 0, written.out, written.err)  # type: ignore[arg-type]

    monkeypatch.chdir(place)
    with nothing_waits():
        yield command


def hostile_lines(place: Path) -> Iterator[tuple[str, ...]]:
    """Every command line with one option or argument spoilt; an option is typed again, and the last one counts."""
    for words, command in leaves(cli.app):
        needed = [text.replace("{}", str(place)) for text in COMMANDS[words]]
        for param, value in itertools.product(command.params, HOSTILE):
            if param.param_type_name == "argument":
                yield (*words, value, *needed[1:])
            elif param.is_flag:
                yield (*words, *needed, f"{param.opts[0]}={value}")
            else:
                yield (*words, *needed, param.opts[0], value)


def test_every_command_is_in_the_table() -> None:
    assert {words for words, _ in leaves(cli.app)} == COMMANDS.keys()


def check(run: Callable[..., Ended], line: tuple[str, ...]) -> None:
    ended = run(*line)
    assert ended.status in (0, 2, 130), (line, ended)
    assert "Traceback" not in ended.err, (line, ended.err)
    if ended.status == 2:
        assert ended.err.startswith("foretune: "), (line, ended.err)
        assert "\x1b[31m" not in ended.err, line


@pytest.mark.slow  # drawn values: tests/fuzz/test_options.py
def test_no_value_of_an_option_is_more_than_one_message(place: Path, run: Callable[..., Ended]) -> None:
    lines = random.Random(20261127).sample(list(hostile_lines(place)), SHORT)
    for line in lines:
        check(run, line)


@pytest.mark.slow
def test_no_value_of_any_option_is_more_than_one_message(place: Path, run: Callable[..., Ended]) -> None:
    for line in hostile_lines(place):
        check(run, line)
        for folder in ("out", "made", "counts"):
            shutil.rmtree(place / folder, ignore_errors=True)
