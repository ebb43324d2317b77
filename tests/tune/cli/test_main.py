"""The command line, through `main` itself: what a person reads, the exit status, and what is left on the disk."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.readers.panel_reader import read_panel
from data.samples.bundled import PRETRAINED, SAMPLES
from search_spaces.space import load_space, shipped_names
from tests.paths import REPOSITORY, TOYS
from tune.cli import main as cli
from tune.cli import sweeps as commands
from tune.planning import plan
from tune.planning.budget import Machine
from tune.records.journal import Journal
from tune.records.spec import SweepSpec

TOY = TOYS / "toy.yaml"
TWO_CORES = Machine(cpus=2, gpu_names=(), gpu_memory_bytes=())
ONE_GPU = Machine(cpus=2, gpu_names=("H200",), gpu_memory_bytes=(8 * 10**9,))
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

# The flags that issue 2 promises to other tools.
SWEEP_FLAGS = """
    --data --format --columns --time-column --split --context-length --prediction-length --train-stride --eval-stride
    --scale --trials --time-budget --searcher --scheduler --grace-period --reduction-factor --max-concurrent --gpus
    --gpu-memory --seed --metric --set --name --storage --dry-run --evals-per-epoch
"""


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit status and what it wrote."""

    status: int
    out: str
    err: str


Foretune = Callable[..., Ended]


@pytest.fixture
def foretune(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Foretune:
    """Run a command line in this process, on a machine of two cores; a sweep that would start fails the test."""

    def no_search(*_: Any) -> int:
        raise AssertionError("a search was about to start")

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["foretune", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return Ended(ended.value.code or 0, written.out, written.err)  # type: ignore[arg-type]  # always a number

    monkeypatch.setattr(commands, "_run", no_search)
    monkeypatch.setattr(plan, "look_at_machine", lambda: TWO_CORES)
    monkeypatch.setenv("COLUMNS", "200")
    return run


@pytest.fixture
def refused(foretune: Foretune, tmp_path: Path) -> Callable[..., str]:
    """Run what must be refused: one message on stderr alone, exit 2, and nothing new or changed on the disk."""

    def run(*arguments: object, storage: Path = tmp_path / "ray_results") -> str:
        before = everything(tmp_path)
        ended = foretune(*arguments, "--storage", storage)
        assert (ended.status, ended.out) == (2, ""), ended
        assert ended.err.startswith("foretune: ")
        assert "Traceback" not in ended.err
        assert everything(tmp_path) == before
        return ended.err.removeprefix("foretune: ").rstrip("\n")

    return run


def everything(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the content of the files."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def write_csv(path: Path, rows: int, *columns: str, start: str = "2024-01-01") -> Path:
    """Write hourly series that rise and fall."""
    first = datetime.fromisoformat(start)
    lines = [",".join(("date", *columns))]
    for row in range(rows):
        values = [f"{(row * (i + 3)) % 24 + i}.5" for i in range(len(columns))]
        lines.append(",".join((f"{first + timedelta(hours=row):%Y-%m-%d %H:%M}", *values)))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def two_series(tmp_path: Path) -> Path:
    """400 hours from 2024-01-01 of two series."""
    return write_csv(tmp_path / "two.csv", 400, "a", "b")


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def facts(out: str) -> dict[str, str]:
    """A dry run's lines: what, and in numbers."""
    pairs = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in out.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


# --- data that cannot be read


def test_a_missing_file_is_named(refused: Callable[..., str], tmp_path: Path) -> None:
    message = refused("sweep", "--data", tmp_path / "nowhere.csv")
    assert "--data must name a file, a folder or a bundled dataset (corpus, passages, sample)" in message
    assert str(tmp_path / "nowhere.csv") in message


def test_a_misspelt_file_gets_its_near_name(refused: Callable[..., str], two_series: Path) -> None:
    assert "did you mean 'two.csv'?" in refused("sweep", "--data", two_series.with_name("tow.csv"))
    assert "did you mean 'sample'?" in refused("sweep", "--data", "smaple")


def test_an_empty_data_name_is_not_taken_for_the_default(refused: Callable[..., str]) -> None:
    assert "there is no ''" in refused("sweep", "--data", "")
    assert "--columns must name series of the file, got ''" in refused("sweep", "--columns", "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "a file of series must not be empty"),
        ("date,a\n", "needs rows of values under its header, and has none"),
        ("date,a\n2024-01-01,x\n2024-01-02,y\n", "needs at least one column of numbers, got 'a'"),
        (
            "date,a\n2024-01-01,1\nyesterday,2\n2024-01-03,3\n",
            "line 3: a timestamp must be like 2016-07-01 00:00, got 'yesterday' in column 'date'",
        ),
        ("date,a,b\n2024-01-01,1,\n2024-01-02,2,\n", "a series needs an observed value, and 'b' has none"),
    ],
)
def test_a_file_that_holds_no_series_is_refused_by_its_name(
    refused: Callable[..., str], tmp_path: Path, content: str, told: str
) -> None:
    path = write(tmp_path, "mine.csv", content)
    message = refused("sweep", "--data", path)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert len(message.splitlines()) == 1


def test_too_few_rows_are_told_in_rows(refused: Callable[..., str], two_series: Path) -> None:
    # of 400 rows 320 are for training: no room for 300 + 64
    message = refused("sweep", "--data", two_series, "--context-length", 300, "--prediction-length", 64)
    assert "no series has a train window: one needs 364 rows" in message
    assert "has rows 0 to 320" in message
    assert "shorten --context-length or --prediction-length" in message


@pytest.mark.parametrize("packed", [b"not packed at all", b""])
@pytest.mark.parametrize("suffix", ["gz", "zip", "bz2", "xz"])
def test_a_file_that_cannot_be_unpacked_is_refused(
    refused: Callable[..., str], tmp_path: Path, suffix: str, packed: bytes
) -> None:
    path = tmp_path / f"mine.csv.{suffix}"
    path.write_bytes(packed)
    told = "cannot be unpacked" if packed else "must not be empty"
    assert told in refused("sweep", "--data", path)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--format", "wide"), "--format must be one of wide-csv, long-csv, parquet, jsonl, got 'wide'; did you mean"),
        (("--columns", "a,c"), "--columns must name series of the file, got 'c'"),
        (("--time-column", "dat"), "--time-column must be one of its columns, got 'dat'; did you mean 'date'?"),
    ],
)
def test_flags_of_the_data_are_named_as_they_are_typed(
    refused: Callable[..., str], two_series: Path, flags: tuple[str, str], told: str
) -> None:
    assert told in refused("sweep", "--data", two_series, *flags)


# --- spaces and what is set in them


def test_an_unknown_space_gets_near_names(refused: Callable[..., str]) -> None:
    message = refused("sweep", "moirai-smal")
    assert "unknown space 'moirai-smal'; did you mean 'moirai-small'" in message
    assert "foretune spaces" in message


def test_an_unknown_trainable_is_told_with_its_file(refused: Callable[..., str], tmp_path: Path) -> None:
    search = "search: {lr: {log: [1e-6, 1e-4]}}\n"
    message = refused("sweep", write(tmp_path, "mine.yaml", f"trainable: moiray\n{search}"))
    assert message.startswith("mine.yaml: trainable must name a model, got 'moiray'")
    assert "did you mean 'moirai'?" in message
    # a path that lacks its suffix
    message = refused("sweep", write(tmp_path, "mine.yaml", f"trainable: ./my_model\n{search}"))
    assert "got './my_model'" in message
    assert "my_model.py" in message


def test_all_mistakes_of_a_file_are_told_at_once(refused: Callable[..., str], tmp_path: Path) -> None:
    text = "trainable: moirai\nserch: {}\nsearch:\n  lr: {log: [1e-4, 5e-7]}\n  epochs: {itn: [1, 2]}\n"
    message = refused("sweep", write(tmp_path, "mine.yaml", text))
    assert message.splitlines() == [
        "mine.yaml: unknown key 'serch'; did you mean 'search'?",
        "mine.yaml: search.lr: low must be below high, got [1e-4, 5e-7]; swap them",
        "mine.yaml: search.epochs: unknown kind of domain 'itn'; did you mean 'int'?; "
        "the kinds are log, uniform, int, logint, choice",
    ]


UNFIT = """\
trainable: moirai
fixed: {pretrained: moirai-tiny, epochs: -2, batchsize: 32}
search:
  lr: {log: [1e-6, 1e-4]}
  strategy: {choice: [full, half, head_only]}
"""


@pytest.mark.parametrize("command", [("sweep",), ("spaces", "check")])
def test_names_and_values_that_the_model_refuses_are_told_at_once(
    foretune: Foretune, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ended = foretune(*command, write(tmp_path, "mine.yaml", UNFIT))
    assert ended.status == 2
    assert ended.err.removeprefix("foretune: ").splitlines() == [
        "mine.yaml: fixed: 'moirai' has no parameter 'batchsize'; did you mean 'batch_size' or 'patch_size'?",
        "mine.yaml: epochs: must be 1 or more, got -2",
        "mine.yaml: strategy: must be 'full', 'freeze_ffn' or 'head_only', got 'half'",
    ]


def test_a_parameter_that_the_space_forgot_is_missing(foretune: Foretune, tmp_path: Path) -> None:
    text = "trainable: moirai\nfixed: {pretrained: moirai-tiny, strategy: full}\nsearch: {lr: {log: [1e-6, 1e-4]}}\n"
    ended = foretune("spaces", "check", write(tmp_path, "mine.yaml", text))
    told = "is missing; give it under fixed or search, or with --set"
    assert ended.err.removeprefix("foretune: ").splitlines() == [
        f"mine.yaml: epochs {told} epochs=VALUE",
        f"mine.yaml: batch_size {told} batch_size=VALUE",
    ]


def test_all_mistakes_in_set_are_told_at_once_as_they_were_typed(refused: Callable[..., str]) -> None:
    typed = ["lrr=1e-5", "lr=log:1e-4:1e-6", "epochs=2.5", "weight_decay=uniform:-1:0.2", "patch_size=some"]
    message = refused("sweep", *(word for pair in typed for word in ("--set", pair)), "--evals-per-epoch", 0)
    assert message.splitlines() == [
        "--set lrr=1e-5: 'moirai' has no parameter 'lrr'; did you mean 'lr'?",
        "--set lr=log:1e-4:1e-6: low must be below high, got [1e-4, 1e-6]; swap them",
        "--set epochs=2.5: must be a whole number, got 2.5",
        "--set weight_decay=uniform:-1:0.2: must be 0 or more, got -1",
        "--set patch_size=some: must be 'auto' or a whole number, got 'some'",
        "--evals-per-epoch 0: must be 1 or more, got 0",
    ]


def test_a_key_that_is_near_none_gets_the_whole_list(refused: Callable[..., str]) -> None:
    message = refused("sweep", "--set", "foo=bar")
    assert "--set foo=bar: 'moirai' has no parameter 'foo'; it knows lr, epochs, batch_size" in message


@pytest.mark.parametrize("pair", ["lr", "=3", ""])
def test_set_needs_a_key_and_a_value(refused: Callable[..., str], pair: str) -> None:
    assert refused("sweep", "--set", pair) == f"--set takes KEY=VALUE, got {pair!r}; like --set lr=1e-5"


def test_a_key_that_is_set_twice_is_refused(refused: Callable[..., str]) -> None:
    message = refused("sweep", "--set", "lr=1e-5", "--set", "lr=log:1e-6:1e-4")
    assert message == "--set takes each key once, got lr=1e-5 and lr=log:1e-6:1e-4; keep one"


def test_a_choice_in_the_middle_is_checked_too(refused: Callable[..., str]) -> None:
    message = refused("sweep", "--set", "batch_size=choice:8,0,16")
    assert message == "--set batch_size=choice:8,0,16: must be 1 or more, got 0"
    message = refused("sweep", "--set", "patch_size=choice:16,7,32")
    assert "patch_size must be one that the checkpoint has (8, 16, 32, 64), got 7" in message


# --- where a model starts


def test_a_folder_that_is_no_checkpoint_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    message = refused("sweep", "--set", f"pretrained={folder}")
    assert message == f"{folder}: a Moirai checkpoint holds config.json; give another folder or a Hub id"


def test_a_checkpoint_without_weights_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "half"
    folder.mkdir()
    shutil.copy(PRETRAINED["moirai-tiny"] / "config.json", folder)
    message = refused("sweep", "--set", f"pretrained={folder}")
    assert message.startswith(f"{folder}: cannot be loaded as a Moirai checkpoint: ")
    assert "model.safetensors" in message


def test_a_start_that_is_neither_folder_nor_hub_id_names_the_bundled_ones(refused: Callable[..., str]) -> None:
    message = refused("sweep", "--set", "pretrained=moirai-tinny")
    assert "one of moirai-tiny, time-moe-tiny; got 'moirai-tinny', and there is no such folder" in message
    assert "did you mean 'moirai-tiny'" in message


def test_a_patch_size_that_the_checkpoint_lacks_is_refused(refused: Callable[..., str]) -> None:
    message = refused("sweep", "--set", "patch_size=128")
    assert message.startswith("patch_size must be one that the checkpoint has (8, 16, 32, 64), got 128;")


def test_a_context_of_more_tokens_than_the_model_has_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    # 32768 / 8 and 16 / 8 tokens; 42000 rows have room for such a window in their 80 % for training, 33600
    long = write_csv(tmp_path / "long.csv", 42_000, "a")
    flags = ("--context-length", 32768, "--prediction-length", 16, "--set", "patch_size=8")
    message = refused("sweep", "--data", long, *flags)
    assert "context and prediction must fit into 512 tokens of 8 points, got 4098" in message
    assert "shorten --context-length" in message


def test_half_precision_needs_a_gpu(refused: Callable[..., str]) -> None:
    assert "precision bf16 needs a GPU" in refused("sweep", "--set", "precision=bf16")


# --- the search and the machine


def test_all_mistakes_in_flags_are_told_at_once(refused: Callable[..., str]) -> None:
    flags = {
        "--split": "rato",
        "--context-length": 0,
        "--train-stride": -1,
        "--scale": "std",
        "--trials": 0,
        "--searcher": "bayes",
        "--scheduler": "hyperband",
        "--grace-period": 0,
        "--reduction-factor": 1,
        "--gpus": -1,
        "--seed": -1,
        "--metric": "loss",
    }
    message = refused("sweep", *(word for flag in flags.items() for word in flag))
    assert message.splitlines() == [
        "--split must be 'ratio' (or 'time'), 'ratio:7:1:2', 'series', 'series:8:1:1@3', 'ett' or "
        "'date:2017-07-01,2017-11-01', got 'rato'; did you mean 'ratio'?",
        "--context-length must be 1 or more, got 0",
        "--train-stride must be 1 or more, got -1",
        "--scale must be 'none' or 'standard', got 'std'",
        "--trials must be 1 or more, got 0",
        "--searcher must be 'tpe', 'gp', 'cmaes', 'random' or 'grid', got 'bayes'",
        "--scheduler must be 'asha', 'median' or 'none', got 'hyperband'",
        "--grace-period must be 1 or more, got 0",
        "--reduction-factor must be above 1, got 1",
        "--gpus must be 0 or more, got -1",
        "--seed must be 0 or more, got -1",
        "--metric must be 'val_loss', 'val_mae' or 'val_mse', got 'loss'",
    ]


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--time-budget", "soon", "--time-budget must be a duration like 2h, 90m or 1h30m, got 'soon'"),
        ("--time-budget", "0h", "--time-budget must be above zero, got '0h'"),
        ("--gpu-memory", "eight", "--gpu-memory must be a size like 8GB or 7.5GiB, got 'eight'"),
        ("--gpu-memory", "0GB", "--gpu-memory must be a size like 8GB or 7.5GiB, got '0GB'"),
        ("--max-concurrent", "two", "--max-concurrent must be auto or a number from 1, got 'two'"),
        ("--max-concurrent", "0", "--max-concurrent must be auto or a number from 1, got '0'"),
        ("--max-concurrent", "3", "--max-concurrent must not exceed the CPU cores, got 3, there are 2"),
        ("--trials", "ten", "--trials must be a whole number, got 'ten'; see foretune sweep --help"),
        ("--reduction-factor", "x", "--reduction-factor must be a number, got 'x'; see foretune sweep --help"),
        ("--split", "date:2025-02-01", "--split date needs two dates, got 'date:2025-02-01'"),
        ("--split", "date:2025-13-01,2026-01-01", "--split date must be an ISO timestamp, got '2025-13-01'"),
        ("--split", "date:2031-01-01,2032-01-01", "both dates must lie inside the data, but sample runs from"),
        ("--split", "ett", "--split ett needs 14400 rows a series (20 months of 30 days, 24 rows a day)"),
        ("--searcher", "grid", "a grid needs domains that can be listed, and these cannot: lr (log:5e-06:0.0001)"),
    ],
)
def test_a_flag_that_cannot_be_honoured_is_refused(
    refused: Callable[..., str], flag: str, value: str, told: str
) -> None:
    message = refused("sweep", flag, value)
    assert told in message
    assert len(message.splitlines()) == 1


def test_more_gpus_than_there_are_is_refused(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--gpus must not be more than the machine has, got 1, it has 0" in refused("sweep", "--gpus", 1)
    monkeypatch.setattr(plan, "look_at_machine", lambda: ONE_GPU)
    assert "--gpus must not be more than the machine has, got 2, it has 1" in refused("sweep", "--gpus", 2)


def test_gpu_memory_needs_a_gpu_that_has_it(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    message = refused("sweep", "--gpu-memory", "6GB")
    assert message == "--gpu-memory limits a GPU, got 6 GB, and this sweep has none; leave it out"
    monkeypatch.setattr(plan, "look_at_machine", lambda: ONE_GPU)
    assert "got 9.0 GB, it has 8.0 GB" in refused("sweep", "--gpu-memory", "9GB")


def test_a_searcher_that_knows_no_conditions_is_refused_for_a_conditional_space(refused: Callable[..., str]) -> None:
    message = refused("sweep", "moirai-small", "--set", "pretrained=moirai-tiny", "--searcher", "cmaes")
    assert message.startswith("--searcher cmaes needs a space without conditions, and moirai-small has them;")
    assert "--set strategy=full" in message


def test_a_list_of_points_is_not_tried_more_often_than_it_is_long(refused: Callable[..., str]) -> None:
    message = refused("sweep", "moirai-grid", "--set", "pretrained=moirai-tiny", "--trials", 13)
    assert message == "--trials must be at most 12, the points of moirai-grid, got 13"


# --- names and folders


@pytest.mark.parametrize("name", ["a/b", "..", "/tmp/x", ".hidden", "", "a:b"])
def test_a_name_must_be_a_plain_folder_name(refused: Callable[..., str], name: str) -> None:
    assert refused("sweep", "--name", name).startswith(f"--name must be a plain folder name, got {name!r}")


def test_a_sweep_that_is_there_is_never_overwritten(refused: Callable[..., str], night1: Path) -> None:
    message = refused("sweep", "--name", "night1", storage=night1.parent)
    assert message.startswith(f"--name night1 is already used ({night1})")
    assert "foretune resume night1" in message


def test_a_storage_folder_that_is_a_file_is_refused(refused: Callable[..., str], two_series: Path) -> None:
    for storage in (two_series, two_series / "below"):
        message = refused("sweep", "--dry-run", storage=storage)
        assert message == f"--storage must be a folder, got {storage}, and {two_series} is a file; give another"
        refused("status", storage=storage)


def test_a_storage_folder_that_cannot_be_written_is_a_mistake_not_a_crash(
    foretune: Foretune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(commands.Sweep, "create", full_disk)
    ended = foretune("sweep", "--storage", tmp_path)
    assert ended.status == 2
    assert ended.err == (
        f"foretune: --storage must be a folder that can hold the sweep, got {tmp_path}: No space left on device\n"
    )


# --- the command line itself


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
def test_a_command_that_is_not_one_is_told_in_one_line(
    foretune: Foretune, arguments: tuple[str, ...], told: str
) -> None:
    assert foretune(*arguments) == Ended(2, "", f"foretune: {told}\n")


def test_ctrl_c_outside_a_search_is_told_and_ends_with_130(foretune: Foretune, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "plan_sweep", interrupted)
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
    assert COLOUR.sub("", ended.err).splitlines() == [
        "foretune: mine.yaml: search.lr: low must be below high, got [1e-4, 5e-7]; swap them",
        "mine.yaml: search.[b]:key:: choice takes a list of at least one value, such as [16, 32], got []",
    ]


def test_brackets_in_the_names_of_columns_survive(foretune: Foretune, tmp_path: Path) -> None:
    lines = write_csv(tmp_path / "two.csv", 400, "load [kw]").read_text().splitlines()
    noted = [f"{line},{'note [b]' if i == 0 else 'x[a]'}" for i, line in enumerate(lines)]
    path = write(tmp_path, "[red]noted.csv", "\n".join(noted))
    out = foretune("sweep", "--data", path, "--dry-run", "--context-length", 64, "--prediction-length", 16).out
    assert "note: column 'note [b]' dropped: 'x[a]' in line 2 is not a number" in out
    assert facts(out)["data"].startswith("[red]noted: 1 series")


# --- what would be done


def test_dry_run_tells_the_bundled_default_in_numbers_and_writes_nothing(foretune: Foretune, tmp_path: Path) -> None:
    header, *lines = SAMPLES["sample"].read_text().splitlines()
    rows, n_series = len(lines), header.count(",")
    # context 256 and prediction 64; train 80 % in steps of 16, validation and test 10 % in steps of 16
    train_rows, test_rows = rows * 8 // 10, rows // 10
    train = n_series * ((train_rows - 320) // 16 + 1)
    val = n_series * ((rows - train_rows - test_rows - 64) // 16 + 1)
    test = n_series * ((test_rows - 64) // 16 + 1)
    storage = tmp_path / "ray_results"
    ended = foretune("sweep", "--dry-run", "--storage", storage)
    told = facts(ended.out)
    assert (ended.status, ended.err) == (0, "")
    assert not storage.exists()
    assert told["data"] == f"sample: {n_series} series, {n_series * rows} rows, frequency h"
    assert told["task"] == "context 256, prediction 64, split ratio, scale standard"
    assert told["windows"] == f"{train} train (stride 16), {val} validation and {test} test (stride 16)"
    steps = [f"{-(-train // batch)} at batch {batch}" for batch in (16, 32, 64)]
    assert told["optimiser steps an epoch"] == ", ".join(steps)
    assert told["space"] == "quickstart, trainable moirai"
    assert told["trials"] == "8, searcher tpe, scheduler asha, metric val_loss, seed 0"
    assert told["time budget"] == "none"
    assert told["machine"] == "CPU, 1 trial(s) at once, 2 CPU core(s) each"


def test_dry_run_counts_the_windows_of_a_split_by_date(foretune: Foretune, two_series: Path) -> None:
    # ten days of training, three of validation, 88 hours of test: 240 - 80 + 1, 72 - 16 + 1 and 88 - 16 + 1, twice
    flags = ("--split", "date:2024-01-11,2024-01-14", "--context-length", 64, "--prediction-length", 16)
    strides = ("--train-stride", 1, "--eval-stride", 1)
    told = facts(foretune("sweep", "--data", two_series, "--dry-run", *flags, *strides).out)
    assert told["data"] == "two: 2 series, 800 rows, frequency h"
    assert told["windows"] == "322 train (stride 1), 114 validation and 146 test (stride 1)"


def test_dry_run_tells_every_flag_of_the_search(foretune: Foretune) -> None:
    flags = "--trials 40 --time-budget 1h30m --searcher random --scheduler median --metric val_mae --seed 7 --gpus 0"
    ended = foretune("sweep", "--dry-run", *flags.split(), "--max-concurrent", 2, "--set", "lr=log:5e-7:1e-5")
    told = facts(ended.out)
    assert told["trials"] == "40, searcher random, scheduler median, metric val_mae, seed 7"
    assert told["time budget"] == "1h 30m"
    assert told["machine"] == "CPU, 2 trial(s) at once, 1 CPU core(s) each"
    assert "lr log:5e-7:1e-5," in told["searched"]


def test_dry_run_with_a_gpu_names_it(foretune: Foretune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "look_at_machine", lambda: ONE_GPU)
    told = facts(foretune("sweep", "--dry-run", "--gpu-memory", "8GB").out)
    assert told["machine"] == "1 GPU (H200), 1 trial(s) at once, 2 CPU core(s) each"


def test_dry_run_says_what_became_of_the_first_configurations(foretune: Foretune) -> None:
    # of quickstart's four, one has batch size 16
    out = foretune("sweep", "--dry-run", "--set", "batch_size=choice:32,64").out
    assert "note: batch_size=choice:32,64: left out 1 of 4 first configurations, which it does not allow" in out


def test_a_model_from_outside_is_planned_like_ours(foretune: Foretune) -> None:
    told = facts(foretune("sweep", TOY, "--dry-run").out)
    assert told["space"].startswith("toy, trainable ")


# --- spaces


def test_spaces_lists_every_shipped_space(foretune: Foretune) -> None:
    ended = foretune("spaces")
    listed = {line.split()[0] for line in ended.out.splitlines() if line.split()}
    assert ended.status == 0
    assert {"quickstart", "moirai-grid", "moirai-small-head-only"} <= set(shipped_names()) <= listed


def test_spaces_show_tells_the_twelve_points_of_the_grid(foretune: Foretune) -> None:
    told = facts(foretune("spaces", "show", "moirai-grid").out)
    assert [key for key in told if key.startswith("first ")] == [f"first {i}" for i in range(1, 13)]
    assert told["first 1"] == (
        "pretrained Salesforce/moirai-1.1-R-small, strategy head_only, lr 5e-5, epochs 20, batch_size 64, "
        "warmup_steps 50, patience 8"
    )
    assert told["trials"] == "12"
    assert "did you mean 'moirai-grid'" in foretune("spaces", "show", "moirai-gird").err


def test_spaces_check_passes_a_good_file(foretune: Foretune, tmp_path: Path) -> None:
    text = UNFIT.replace("-2", "2").replace("batchsize", "batch_size").replace("half", "freeze_ffn")
    path = write(tmp_path, "mine.yaml", text)
    told = f"{path}: a space for moirai, 2 parameter(s) searched, no mistakes\n"
    assert foretune("spaces", "check", path) == Ended(0, told, "")
    assert foretune("spaces", "check", TOY).status == 0


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


# --- sweeps on the disk


def report(epoch: int, loss: float, **changed: Any) -> dict[str, Any]:
    row = {"epoch": epoch, "val_loss": loss, "val_mae": 0.25, "val_mse": 0.125, "train_loss": None, "lr": None}
    return {**row, "seconds": 40.0, "peak_memory_bytes": 2_500_000, "objective": loss, "stopped_by": None, **changed}


def add_trial(folder: Path, number: int, losses: list[float], stopped_by: str | None = "epochs") -> None:
    journal = Journal(folder)
    hyper = {"strategy": "full", "lr": 5e-7, "epochs": 3, "warmup_steps": 50, "weight_decay": 0.1, "batch_size": 64,
             "pretrained": "moirai-tiny", "patch_size": 16}  # fmt: skip
    trial_id = f"t{number:04d}"
    journal.start(trial_id, {"trial_id": trial_id, "seed": 0, "hyper": hyper})
    for epoch, loss in enumerate(losses):
        journal.append(trial_id, report(epoch, loss, stopped_by=stopped_by if epoch == len(losses) - 1 else None))


@pytest.fixture
def new_sweep(tmp_path: Path) -> Path:
    """A sweep 'night1' of 24 trials that has not begun."""
    folder = tmp_path / "ray_results" / "night1"
    folder.mkdir(parents=True)
    space = load_space("moirai-small")
    panel = read_panel(write_csv(tmp_path / "two.csv", 400, "a", "b"))
    panel.save(folder / "data")
    fields = {
        "name": "night1",
        "space": space.to_dict(),
        "trainable": space.trainable,
        "data": {"path": str(tmp_path / "two.csv"), "content_hash": panel.content_hash},
        "task": {"context_length": 64, "prediction_length": 16},
        "trials": 24,
    }
    SweepSpec.model_validate(fields).write(folder)
    (folder / ".lock").touch()
    return folder


@pytest.fixture
def night1(new_sweep: Path) -> Path:
    """Zero-shot 0.5; t0001 beats it with 0.4 at epoch 2, t0000 does not; t0002 diverged, t0003 was interrupted."""
    add_trial(new_sweep, 0, [0.5, 0.7, 0.6], "asha")
    add_trial(new_sweep, 1, [0.5, 0.45, 0.4, 0.41])
    add_trial(new_sweep, 2, [0.5, float("nan")], "diverged")
    add_trial(new_sweep, 3, [0.5], None)
    return new_sweep


@pytest.mark.parametrize("command", ["resume", "leaderboard", "export", "tensorboard"])
def test_a_sweep_that_is_not_there_gets_near_names(refused: Callable[..., str], night1: Path, command: str) -> None:
    more = ("--to", night1.parent / "out") if command == "export" else ()
    message = refused(command, "nigth1", *more, storage=night1.parent)
    assert message == f"no sweep named 'nigth1' in {night1.parent}; there are night1; did you mean 'night1'?"


def test_an_empty_storage_says_how_to_begin(foretune: Foretune, refused: Callable[..., str], tmp_path: Path) -> None:
    ended = foretune("status", "--storage", tmp_path / "none")
    assert ended == Ended(0, f"no sweep in {tmp_path / 'none'} yet; start one: foretune sweep\n", "")
    assert refused("resume", "night1").endswith("there is none yet")


def test_status_tells_how_far_a_sweep_is_and_how_it_stands(foretune: Foretune, night1: Path) -> None:
    ended = foretune("status", "--storage", night1.parent)
    assert ended.status == 0
    line = next(line for line in ended.out.splitlines() if line.strip().startswith("night1"))
    assert re.split(r"\s{2,}", line.strip())[:7] == [
        "night1", "can be resumed", "3 of 24", "val_loss", "0.5", "0.4", "t0001",
    ]  # fmt: skip


def strict_json(text: str) -> Any:
    """Parse JSON as a strict reader does: NaN and Infinity are no JSON."""

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_leaderboard_as_json_has_exactly_the_promised_keys(foretune: Foretune, night1: Path) -> None:
    ended = foretune("leaderboard", "night1", "--format", "json", "--storage", night1.parent)
    board = strict_json(ended.out)
    assert (ended.status, ended.err) == (0, "")
    assert list(board) == ["sweep", "metric", "mode", "zero_shot", "start", "verdict", "trials"]
    assert (board["sweep"], board["metric"], board["mode"]) == ("night1", "val_loss", "min")
    assert board["zero_shot"] == {"val_loss": 0.5, "val_mae": 0.25, "val_mse": 0.125}
    assert board["verdict"] == "beats zero-shot"
    keys = """rank trial_id status stopped_by best_epoch epochs_run val_loss val_mae val_mse gain seconds
              peak_memory_bytes config"""
    assert all(list(trial) == keys.split() for trial in board["trials"])
    hyperparameters = {"strategy", "lr", "epochs", "warmup_steps", "weight_decay", "batch_size"}
    assert all(hyperparameters <= trial["config"].keys() for trial in board["trials"])
    assert [(trial["rank"], trial["trial_id"], trial["status"]) for trial in board["trials"]] == [
        (1, "t0001", "completed"),
        (2, "t0000", "stopped"),
        (None, "t0002", "stopped"),
        (None, "t0003", "interrupted"),
    ]
    assert board["trials"][0] | {"config": None} == {
        "rank": 1, "trial_id": "t0001", "status": "completed", "stopped_by": "epochs", "best_epoch": 2,
        "epochs_run": 3, "val_loss": 0.4, "val_mae": 0.25, "val_mse": 0.125, "gain": pytest.approx(0.1),
        "seconds": 160.0, "peak_memory_bytes": 2_500_000, "config": None,
    }  # fmt: skip


def test_leaderboard_as_csv_has_a_line_a_trial_below_zero_shot(foretune: Foretune, night1: Path) -> None:
    ended = foretune("leaderboard", "night1", "--format", "csv", "--storage", night1.parent)
    lines = list(csv.DictReader(ended.out.splitlines()))
    assert [line["trial_id"] for line in lines] == ["zero-shot", "t0001", "t0000", "t0002", "t0003"]
    assert [line["val_loss"] for line in lines] == ["0.5", "0.4", "0.6", "", ""]
    assert lines[1]["lr"] == "5e-07"


def test_leaderboard_as_markdown_is_a_table_and_a_verdict(foretune: Foretune, night1: Path) -> None:
    ended = foretune("leaderboard", "night1", "--format", "md", "--storage", night1.parent)
    table, _, verdict = ended.out.rstrip("\n").rpartition("\n\n")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(row) for row in cells}) == 1
    assert cells[0][:4] == ["#", "trial", "val_loss", "gain"]
    assert [row[:4] for row in cells[2:5]] == [
        ["1", "t0001", "0.4", "+0.1000"],
        ["", "zero-shot", "0.5", ""],
        ["2", "t0000", "0.6", "-0.1000"],
    ]
    assert "5e-7" in cells[2]
    assert verdict == "t0001 beats zero-shot: val_loss 0.4 at epoch 2, zero-shot 0.5."


def test_leaderboard_as_a_table_tells_the_same(foretune: Foretune, night1: Path) -> None:
    out = foretune("leaderboard", "night1", "--storage", night1.parent).out
    ranked = [line.split()[:3] for line in out.splitlines() if re.search(r"t000\d|zero-shot  ", line)]
    assert ranked[:3] == [["1", "t0001", "0.4"], ["zero-shot", "0.5", "0.25"], ["2", "t0000", "0.6"]]
    assert "t0001 beats zero-shot" in out


def test_leaderboard_refuses_another_format(refused: Callable[..., str], night1: Path) -> None:
    message = refused("leaderboard", "night1", "--format", "xml", storage=night1.parent)
    assert message == "--format must be table, csv, json or md, got 'xml'"


def test_leaderboard_of_a_sweep_without_trials_is_empty_and_strict(foretune: Foretune, new_sweep: Path) -> None:
    board = strict_json(foretune("leaderboard", "night1", "--format", "json", "--storage", new_sweep.parent).out)
    assert board["zero_shot"] == {"val_loss": None, "val_mae": None, "val_mse": None}
    assert (board["trials"], board["verdict"]) == ([], "no trial has trained for an epoch yet")


def test_a_sweep_without_trials_has_nothing_to_export(refused: Callable[..., str], new_sweep: Path) -> None:
    message = refused("export", "night1", "--to", new_sweep.parent / "out", storage=new_sweep.parent)
    assert message.startswith("night1 has no trial that has trained for an epoch")
    assert "foretune resume night1" in message


def test_export_never_writes_into_a_folder_that_holds_something(refused: Callable[..., str], night1: Path) -> None:
    target = night1.parent.parent / "out"
    target.mkdir()
    write(target, "mine.txt", "precious")
    message = refused("export", "night1", "--to", target, storage=night1.parent)
    assert message == f"--to must name a new or an empty folder, and {target} is not; choose another"


@pytest.mark.parametrize(
    ("trial", "told"),
    [
        ("t0000", "t0000 does not beat zero-shot on val_loss: keep the model it started from"),
        ("t0002", "t0002 has not trained for an epoch"),
        ("t9", "night1 has no trial t9; its trials are t0001, t0000, t0002, t0003"),
    ],
)
def test_export_refuses_a_trial_that_is_no_gain(
    refused: Callable[..., str], night1: Path, trial: str, told: str
) -> None:
    assert told in refused("export", "night1", "--trial", trial, "--to", night1.parent / "out", storage=night1.parent)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--trials", "2"), "--trials must be at least 4, the trials on record, got 2"),
        (("--trials", "x"), "--trials must be a whole number, got 'x'; see foretune resume --help"),
        (("--time-budget", "soon"), "--time-budget must be a duration like 2h, 90m or 1h30m, got 'soon'"),
    ],
)
def test_resume_refuses_what_it_cannot_honour(
    refused: Callable[..., str], night1: Path, flags: tuple[str, str], told: str
) -> None:
    assert refused("resume", "night1", *flags, storage=night1.parent) == told


def test_a_damaged_sweep_is_told_by_its_file(refused: Callable[..., str], night1: Path) -> None:
    write(night1, "sweep.json", "{")
    message = refused("leaderboard", "night1", storage=night1.parent)
    assert message.startswith(f"{night1 / 'sweep.json'}: cannot be read as a sweep")


# --- as processes of their own


def process(*arguments: object, cwd: Path, **environment: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def test_an_unreachable_hub_is_told_with_what_is_there_instead(tmp_path: Path) -> None:
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


LOOK = """
import sys
from tune.cli.main import main
for arguments in (["--help"], ["sweep", "--help"], ["spaces"], ["spaces", "show", "moirai-grid"]):
    sys.argv = ["foretune", *arguments]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code
print("imported:", *sorted({"torch", "ray", "pandas", "optuna", "uni2ts"} & set(sys.modules)))
"""


def test_help_and_spaces_answer_without_torch_or_ray(tmp_path: Path) -> None:
    ended = process("-c", LOOK, cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[-1].strip() == "imported:"


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    ended = process("-m", "tune", "--help", cwd=tmp_path)
    assert ended.status == 0
    assert "leaderboard" in ended.out


@pytest.mark.slow
def test_a_hub_that_refuses_connections_is_told_without_the_noise_of_its_retries(tmp_path: Path) -> None:
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "cache")}
    ended = process("-m", "tune", "sweep", "moirai-small", "--dry-run", cwd=tmp_path, **nobody)
    assert ended.status == 2
    assert len(ended.err.splitlines()) == 1
    assert "cannot be had from the Hub" in ended.err
