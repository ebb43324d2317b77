"""The `data` commands: what a user reads, the exit status, and that one command's output is the next one's input."""

from __future__ import annotations

import json
import shlex
import sys

import pytest
from rich.console import Console

from data.readers.panel_reader import read_panel
from data.task.split import parse_split, split_panel
from tune.cli import data as commands
from tune.cli import main as cli

PASSAGES = (
    "KKMC,FXLX,GCSJ\n"
    "A,1,2023/12/1 0:00:01\n"
    "A,1,2023-12-01 00:04:59\n"
    "A,2,2023-12-31T23:59:59\n"
    "B,2,2023-12-25 00:00:00\n"
    "B,9,2023-12-25 00:00:00\n"
)


@pytest.fixture
def foretune(monkeypatch, capsys):
    """Run `foretune data ...` through the command line's own `main`: (exit status, output, errors)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["foretune", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return ended.value.code or 0, written.out, written.err

    return run


@pytest.fixture
def folder(tmp_path):
    """A folder with five rows of passages."""
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "a.csv").write_text(PASSAGES, encoding="utf-8")
    return tmp_path


def test_a_sample_is_counted_and_can_be_swept_by_the_commands_that_are_printed(foretune, tmp_path):
    status, out, _ = foretune("data", "sample", "passages", "--rows", 5_000, "--out", tmp_path / "month")
    assert status == 0
    assert "5,000 passages in 8 files" in out
    count = shlex.split(out.split("next: ")[1])
    status, out, err = foretune(*count[1:])
    assert (status, err) == (0, "")
    assert "38 series of 8,928 buckets of 5 min from 2023-12-01T00:00:00: 6,912 train, 2,528 val (512 of them" in out
    sweep = shlex.split(out.split("next: ")[1])
    assert sweep[:3] == ["foretune", "sweep", "time-moe-quickstart"]
    assert sweep[-1] == "date:2023-12-25,2023-12-28"
    split = split_panel(read_panel(tmp_path / "month" / "series" / "full.jsonl"), parse_split(sweep[-1]))
    assert set(split.train_end.tolist()) == {6912}
    assert set(split.val_end.tolist()) == {6912 + 3 * 288}


def test_every_kind_of_row_is_reported(foretune, folder):
    status, out, _ = foretune("data", "passages", "--csv-dir", folder / "csv", "--out", folder / "out")
    assert status == 0
    told = {
        " ".join(words[:-2]): words[-2] for words in map(str.split, out.splitlines()) if words and words[-1][-1] == "%"
    }
    assert told == {
        "read": "5",
        "mapped to a site": "5",
        "used": "4",
        "malformed": "0",
        "unmapped site": "0",
        "bad direction": "1",
        "bad time": "0",
        "outside the period": "0",
    }
    assert "note: 1 row dropped, the direction not wanted: '9' 1" in out
    assert f"written to {folder / 'out'}: full.jsonl, train.jsonl, val.jsonl, scales.json" in out


def test_every_option_has_its_effect(foretune, folder):
    (folder / "csv" / "a.csv").write_text(PASSAGES.replace("KKMC,FXLX,GCSJ", "site,way,time"), encoding="utf-8")
    (folder / "map.json").write_text(json.dumps({"CP001": ["A", "B"]}))
    options = "--bucket 1h --train-end 2023-12-24 --val-context 24 --directions 2 --start 2023-12-02 --end 2024-01-01"
    columns = "--site-column site --direction-column way --time-column time"
    status, out, _ = foretune(
        *("data", "passages", "--csv-dir", folder / "csv", "--out", folder / "out", "--sites", folder / "map.json"),
        *options.split(),
        *columns.split(),
    )
    assert status == 0
    scales = json.loads((folder / "out" / "scales.json").read_text())
    assert list(scales["series"]) == ["CP001#fx=2"]
    assert (scales["start"], scales["n_buckets"], scales["freq_min"]) == ("2023-12-02T00:00:00", 30 * 24, 60)
    assert (scales["train_end_idx"], scales["target_start_idx"]) == (22 * 24, 24)
    assert scales["rows"]["used"] == 2
    assert "date:2023-12-24,2023-12-28" in out


def test_warnings_are_printed(foretune, folder):
    (folder / "csv" / "b.csv").write_text("KKMC,FXLX,GCSJ\n", encoding="utf-8")
    _, out, _ = foretune("data", "passages", "--csv-dir", folder / "csv", "--out", folder / "out")
    assert "warning: b.csv has no rows" in out


def test_a_short_period_gets_dates_inside_it(foretune, folder):
    period = ("--start", "2023-12-01", "--end", "2023-12-02")
    _, out, _ = foretune("data", "passages", "--csv-dir", folder / "csv", "--out", folder / "out", *period)
    assert "--split date:2023-12-01T19:10:00,2023-12-01T21:35:00" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--bucket", "7min"], "foretune: --bucket must be whole minutes that divide a day, got '7min'"),
        (["--directions", "in"], "foretune: --directions must be whole numbers, got 'in'"),
        (["--directions", "1,1"], "--directions must name each wanted one once"),
        (["--sites", "no.csv"], "foretune: --sites must name a site map, and no.csv does not exist"),
        (["--start", "2023-12-01"], "--start and --end must come together"),
        (["--train-end", "never"], "foretune: --train-end must be a date or time, got 'never'"),
        (["--train-end", "2024-06-01"], "foretune: --train-end must be after 2023-12-01T00:00:00 and before"),
        (["--val-context", "-1"], "foretune: --val-context must be 0 or more buckets, got -1"),
        (["--site-column", "KKBH"], "'KKBH' is missing from KKMC, FXLX, GCSJ"),
        (["--time-column", "FXLX"], "must be three columns"),
    ],
)
def test_a_mistake_is_one_message_and_exit_2(foretune, folder, arguments, told):
    status, out, err = foretune("data", "passages", "--csv-dir", folder / "csv", "--out", folder / "out", *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert "Traceback" not in err
    assert not (folder / "out").exists()


def test_folders_that_cannot_be_are_rejected(foretune, folder):
    file = folder / "csv" / "a.csv"
    for arguments, told in (
        (("passages", "--csv-dir", folder / "csv", "--out", file), f"--out must be a folder, got {file}"),
        (
            ("passages", "--csv-dir", file, "--out", folder / "out"),
            f"--csv-dir must be a folder of CSV files, got {file}",
        ),
        (("passages", "--csv-dir", folder, "--out", folder / "out"), "it has folders with some: csv"),
        (("sample", "passages", "--rows", 5_000, "--out", folder), "no other CSV file may lie beside the sample"),
        (("sample", "passages", "--rows", 5, "--out", folder / "new"), "a sample needs 2,000 to"),
    ):
        status, _, err = foretune("data", *arguments)
        assert status == 2
        assert told in err


def test_on_a_terminal_a_bar_is_drawn_and_gone(foretune, folder, monkeypatch):
    def terminal():
        return Console(width=160, markup=False, highlight=False, emoji=False, force_terminal=True)

    monkeypatch.setattr(commands, "make_console", terminal)
    status, out, _ = foretune("data", "passages", "--csv-dir", folder / "csv", "--out", folder / "out")
    assert status == 0
    assert "reading" in out
    assert "\x1b[2K" in out


def test_help_names_every_option_of_the_issue(foretune):
    _, out, _ = foretune("data", "passages", "--help")
    for flag in (
        *("--csv-dir", "--out", "--bucket", "--train-end", "--val-context", "--site-column", "--direction-column"),
        *("--time-column", "--sites", "--directions", "--start", "--end"),
    ):
        assert flag in out
