"""evaluate and predict through `main` itself: what a user or a program reads, and the exit status."""

from __future__ import annotations

import csv
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.paths import TOYS
from tests.tune.cli.command_line import COLOUR, Ended, Foretune
from tune.cli import main as cli

Export = Callable[..., Path]
Jsonl = Callable[..., Path]

A = [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]
B = [5.0, 5.0, 5.0, 5.0, 7.0, 9.0]
LENGTHS = ("--context-length", 2, "--prediction-length", 2)


@pytest.fixture
def foretune(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Foretune:
    """Run a command line in this process, with trust in the model that the exports of these tests are of."""

    def run(*arguments: object) -> Ended:
        trust = () if "--help" in arguments else ("--trust", TOYS / "last_plus_one.py")
        monkeypatch.setattr(sys, "argv", ["foretune", *map(str, (*arguments, *trust))])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return Ended(ended.value.code or 0, written.out, written.err)  # type: ignore[arg-type]  # always a number

    return run


@pytest.fixture
def rejected(foretune: Foretune) -> Callable[..., str]:
    """Run what must be rejected: one message on stderr alone, and exit 2."""

    def run(*arguments: object) -> str:
        ended = foretune(*arguments)
        assert (ended.status, ended.out) == (2, ""), ended
        assert ended.err.startswith("foretune: ")
        assert len(ended.err.splitlines()) == 1
        return ended.err.removeprefix("foretune: ").rstrip("\n")

    return run


@pytest.fixture
def two(jsonl: Jsonl) -> Path:
    return jsonl(a=A, b=B, start="2024-01-01 00:00:00", freq="h")


@pytest.fixture
def folder(export: Export, two: Path) -> Path:
    """An export whose model says the last value and 1 more."""
    return export(two, context_length=2, prediction_length=2, eval_stride=2, split="rows:0")


def test_evaluate_alone_tells_the_errors_of_the_recorded_task(foretune: Foretune, folder: Path) -> None:
    ended = foretune("evaluate", folder, "--gpus", 0)
    assert (ended.status, ended.err) == (0, "")
    lines = [line.split() for line in ended.out.splitlines()]
    for said in (
        "in units of the data 3.25 16 4",
        "horizon step 1 2",
        "MAE 2 4.5",
        "a 2 4 5 29 5.3852",
        "b 2 4 1.5 3 1.7321",
        "windows 4 of 2 series, 8 points",
    ):
        assert said.split() in lines, ended.out
    assert f"model    {folder} (last_plus_one, night1 t0007)" in ended.out


def test_evaluate_takes_every_flag_of_the_issue(foretune: Foretune, folder: Path, two: Path, tmp_path: Path) -> None:
    per_series = tmp_path / "per_series.csv"
    ended = foretune(
        "evaluate", folder, "--data", two, *LENGTHS, "--stride", 2, "--norm", "context", "--batch-size", 3,
        "--csv", per_series, "--json", "--gpus", 0,
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    said = json.loads(ended.out)
    assert (said["mae"], said["mse"], said["rmse"]) == pytest.approx((2.75, 11.5, 11.5**0.5))
    assert (said["batch_size"], said["stride"], said["norm"], said["part"]) == (3, 2, "context", "val")
    with per_series.open(newline="") as file:
        assert [(line["series"], float(line["mae"])) for line in csv.DictReader(file)] == [("a", 4.0), ("b", 1.5)]


def test_evaluate_compares_several_on_the_same_windows(foretune: Foretune, folder: Path) -> None:
    ended = foretune("evaluate", "moirai-tiny", folder, "time-moe-tiny", "--gpus", 0)
    assert (ended.status, ended.err) == (0, "")
    lines = [line.split() for line in ended.out.splitlines()]
    header = next(line for line in lines if line[:1] == ["checkpoint"])
    assert header == "checkpoint MAE MSE RMSE against naive norm forecasts/s".split()  # noqa: SIM905
    shown = lines[lines.index(header) + 2 :]
    assert [line[0] for line in shown[:4]] == ["moirai-tiny", str(folder), "time-moe-tiny", "naive"]
    assert shown[1][1:6] == ["3.25", "16", "4", "+13.3%", "none"]  # naive errs by 3.75
    assert shown[3][1:] == ["3.75", "22.5", "4.7434"]
    said = json.loads(foretune("evaluate", "moirai-tiny", folder, "--gpus", 0, "--json").out)
    assert [each["checkpoint"] for each in said["checkpoints"]] == ["moirai-tiny", str(folder)]
    assert said["baseline"]["mae"] == 3.75


def test_the_csv_is_reported_of(foretune: Foretune, folder: Path, tmp_path: Path) -> None:
    ended = foretune("evaluate", folder, "--csv", tmp_path / "a.csv", "--gpus", 0)
    assert ended.out.splitlines()[-1] == f"errors of each series: {tmp_path / 'a.csv'}"


def test_a_long_horizon_shows_twelve_steps(foretune: Foretune, export: Export, jsonl: Jsonl) -> None:
    data = jsonl(a=[float(i % 7) for i in range(300)])
    folder = export(data, context_length=2, prediction_length=96, eval_stride=96, split="rows:0")
    out = foretune("evaluate", folder, "--gpus", 0).out
    steps = [line.split() for line in out.splitlines() if line.strip().startswith("horizon step")]
    assert [word for line in steps for word in line[2:]] == "1 10 18 27 36 44 53 61 70 79 87 96".split()  # noqa: SIM905


def test_on_eighty_columns_no_line_is_broken(
    foretune: Foretune, export: Export, jsonl: Jsonl, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = jsonl(**{f"CP{i:03d}#fx=2": [123456.7 * (row % 7) for row in range(90)] for i in range(9)})
    folder = export(data, context_length=2, prediction_length=24, eval_stride=24, split="rows:0")
    monkeypatch.setattr("tune.cli.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", "80")
    out = COLOUR.sub("", foretune("evaluate", folder, "--gpus", 0).out)
    assert all(len(line) <= 80 for line in out.splitlines())
    steps = [line.split()[2:] for line in out.splitlines() if line.strip().startswith("horizon step")]
    assert [word for line in steps for word in line] == "1 3 5 7 9 11 14 16 18 20 22 24".split()  # noqa: SIM905
    assert len(steps) > 1
    assert len([line for line in out.splitlines() if line.strip().startswith("CP00")]) == 5


def test_predict_takes_every_flag_of_the_issue(foretune: Foretune, folder: Path, two: Path) -> None:
    ended = foretune(
        "predict", folder, "--data", two, "--series", "b", "--at", "2024-01-01 04:00:00", *LENGTHS, "--norm", "none",
        "--clip-nonneg", "--round", "--json", "--gpus", 0,
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "seriesId": "b", "startTime": "2024-01-01 04:00:00", "freqMin": 60, "contextLength": 2, "predictionLength": 2,
        "norm": "none", "mean": 0, "std": 1, "values": [6, 6],
        "times": ["2024-01-01 04:00:00", "2024-01-01 05:00:00"],
    }  # fmt: skip


def test_notes_never_come_between_a_program_and_its_json(foretune: Foretune, folder: Path, two: Path) -> None:
    two.write_text(two.read_text().replace("20.0", "21.0"))
    ended = foretune("predict", folder, "--series", "a", "--norm", "none", "--json", "--gpus", 0)
    assert json.loads(ended.out)["values"] == [22.0, 22.0]
    assert ended.err.startswith(f"note: {two} is not what the sweep was run on")
    said = foretune("evaluate", folder, "--json", "--gpus", 0)
    assert (said.err, len(json.loads(said.out)["notes"])) == ("", 1)


def test_options_of_reading_and_business_days_reach_the_forecast(
    foretune: Foretune, folder: Path, tmp_path: Path
) -> None:
    """Ten business days, Monday 6 to Friday 17 May, from 0.5 to 9.5; the fifth is unknown. The forecast goes on on
    Monday 20 with the last value and 1 more."""
    path = tmp_path / "office.csv"
    days = [*range(6, 11), *range(13, 18)]
    cells = [f"{i},5" if i != 4 else "-999" for i in range(10)]
    path.write_text("day;load\n" + "".join(f"{d:02}.05.2024;{cell}\n" for d, cell in zip(days, cells, strict=True)))
    reading = ("--data", path, "--date-format", "%d.%m.%Y", "--decimal", ",", "--na", "-999", "--norm", "none")
    found = json.loads(foretune("predict", folder, *reading, "--json", "--gpus", 0).out)
    assert found["times"] == ["2024-05-20 00:00:00", "2024-05-21 00:00:00"]
    assert found["values"] == [10.5, 10.5]
    measured = json.loads(foretune("evaluate", folder, *reading, *LENGTHS, "--stride", 2, "--json", "--gpus", 0).out)
    # contexts end on rows 1, 3, 5 and 7; the last value and 1 is right a step on, 1 too low two steps on
    assert (measured["points"], measured["mae"]) == (7, pytest.approx(4 / 7))


def test_predict_shows_times_values_and_what_is_known(foretune: Foretune, folder: Path) -> None:
    past = foretune("predict", folder, "--series", "a", "--at", "2024-01-01 05:00", "--norm", "context", "--gpus", 0)
    lines = [" ".join(line.split()) for line in past.out.splitlines()]
    assert "forecast 2 points from 2024-01-01 05:00:00, context 2, norm context (mean 14, std 2)" in lines
    assert lines[-3:] == ["2024-01-01 05:00:00 18 20", "2024-01-01 06:00:00 18 –", ""]
    future = foretune("predict", folder, "--series", "a", "--gpus", 0)
    assert "actual" not in future.out


def test_mistakes_in_a_request_are_one_message(rejected: Callable[..., str], folder: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (("evaluate", "moirai-tiny"), "--data, --context-length and --prediction-length"),
        (("predict", "moirai-tiny", "--series", "a"), "--data, --context-length and --prediction-length"),
        (("evaluate", folder, "--csv", tmp_path), "--csv must name a file that can be written"),
        (("evaluate", folder, "--norm", "zscore"), "--norm must be context, series or none, got 'zscore'"),
        (("evaluate", folder, "--gpus", 99), "--gpus must not be more than the machine has, got 99"),
        (("evaluate", folder, "--stride", "x"), "--stride"),
        (("predict", folder, "--series", "c"), "--series must name a series of series, got 'c'; it has a, b"),
        (("predict", folder, "--series", "a", "--at", "noon"), "from 2024-01-01 02:00:00"),
        (("evaluate",), "see foretune evaluate --help"),
    ):
        assert said in rejected(*arguments)


def test_a_file_of_forecasts_that_cannot_be_is_one_message_before_any_work(
    rejected: Callable[..., str], folder: Path, two: Path, tmp_path: Path
) -> None:
    csv_folder, picture_folder = tmp_path / "a.csv", tmp_path / "a.png"
    csv_folder.mkdir()
    picture_folder.mkdir()
    before = two.read_bytes()
    for arguments, said in (
        (("--to", csv_folder), f"--to must name a file, and {csv_folder} is a folder"),
        (("--plot", picture_folder), f"--plot must name a file, and {picture_folder} is a folder"),
        (("--to", tmp_path / "nowhere" / "a.csv"), f"{tmp_path / 'nowhere'} must be a folder that there is"),
        (("--to", tmp_path / "a.txt"), "--to must end in .csv, .parquet, .jsonl, .json, got 'a.txt'"),
        (("--plot", tmp_path / "a.jpg"), "--plot must end in .png, .svg, .pdf, got 'a.jpg'"),
        (("--data", two, "--to", two), f"--to must not be the file that is read, {two}"),
        (("--to", tmp_path / "b.csv", "--at", ""), "--at must be a time on the grid"),
        (("--to", two), f"--to must not be the file that is read, {two}"),  # it is what the export records
        (("--to", folder / "foretune.json"), f"--to must not be a file of {folder}, which is read"),
    ):
        assert said in rejected("predict", folder, *arguments)
    for flag in ("--csv", "--save-forecasts"):
        assert f"{flag} must not be the file that is read" in rejected("evaluate", folder, flag, two)
    assert "--plot must end in .png" in rejected("evaluate", folder, "--plot", tmp_path / "a.csv")
    assert two.read_bytes() == before


def test_evaluate_saves_its_forecasts_and_a_picture(foretune: Foretune, folder: Path, tmp_path: Path) -> None:
    ended = foretune(
        "evaluate", folder, "--gpus", 0, "--save-forecasts", tmp_path / "all.csv", "--plot", tmp_path / "a.png"
    )
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[-2:] == [f"forecasts: {tmp_path / 'all.csv'}", f"picture: {tmp_path / 'a.png'}"]
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 8
    assert (tmp_path / "a.png").stat().st_size > 10_000
    lines = [line.split() for line in ended.out.splitlines()]
    assert "forecasts from (hour) windows points MAE MASE".split() in lines  # noqa: SIM905
    assert "2024-01-01 04:00 2 4 3.5 1.25".split() in lines  # noqa: SIM905


def test_forecasts_go_through_a_link_and_those_without_values_are_counted(
    foretune: Foretune, folder: Path, jsonl: Jsonl, tmp_path: Path
) -> None:
    link, target = tmp_path / "link.csv", tmp_path / "target.csv"
    target.write_text("old")
    link.symlink_to(target)
    data = jsonl(a=A, b=[*B[:2], None, None], start="2024-01-01 00:00:00", freq="h")
    ended = foretune("predict", folder, "--data", data, "--to", link)
    assert (ended.status, link.is_symlink()) == (0, True)
    assert "note: 1 forecast without values: nothing is observed in the context" in ended.out
    assert target.read_text().startswith("series,origin,time,step,forecast,actual\n")


def test_bad_data_is_one_message(rejected: Callable[..., str], folder: Path, tmp_path: Path) -> None:
    broken, other = tmp_path / "broken.jsonl", tmp_path / "other.jsonl"
    broken.write_text('{"id": "a", "sequence": [1, 2, 3]}\n{"id": "b", "sequence": [1, 2\n')
    other.write_text('{"id": "a", "values": [1, 2, 3]}\n')
    for command in (("evaluate", folder), ("predict", folder, "--series", "a")):
        assert f"{broken}: line 2: a line must be one JSON object" in rejected(*command, "--data", broken)
        assert "line 1: a series needs 'sequence' or 'target', got ['id', 'values']" in rejected(
            *command, "--data", other
        )
        assert "there is no" in rejected(*command, "--data", tmp_path / "nowhere.jsonl")


def test_an_unwritable_csv_is_one_message(
    rejected: Callable[..., str], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tune.forecasts.evaluation.write_output", full_disk)
    said = rejected("evaluate", folder, "--csv", tmp_path / "a.csv", "--gpus", 0)
    assert said == f"--csv must name a file that can be written, got {tmp_path / 'a.csv'}: No space left on device"


def test_the_csv_goes_through_links_and_into_devices_and_pipes(
    foretune: Foretune, folder: Path, tmp_path: Path
) -> None:
    """A link stays one, a pipe is written to, `-` is standard output; all three get the same lines."""
    link, target, pipe = tmp_path / "link.csv", tmp_path / "target.csv", tmp_path / "pipe"
    link.symlink_to(target)
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    for path in (link, pipe):
        assert foretune("evaluate", folder, "--csv", path, "--gpus", 0).status == 0
    reader.join(timeout=30)
    assert link.is_symlink()
    assert pipe.is_fifo()
    printed = foretune("evaluate", folder, "--csv", "-", "--gpus", 0)
    assert [target.read_text()] == read == [printed.out]
    assert printed.out.startswith("series,windows,points,")
    assert Path("/dev/null").is_char_device()
    assert foretune("evaluate", folder, "--csv", "/dev/null", "--gpus", 0).status == 0
    assert Path("/dev/null").is_char_device()


def test_names_are_no_formulas_in_a_csv_and_never_reach_the_terminal_as_commands(
    foretune: Foretune, folder: Path, jsonl: Jsonl
) -> None:
    path = jsonl("odd.jsonl", **{"=1+1": A, "@sum": B, "\x1b[31mred": A, "-2": B}, start="2024-01-01", freq="h")
    found = foretune("evaluate", folder, "--data", path, *LENGTHS, "--stride", 2, "--csv", "-", "--gpus", 0).out
    names = [row["series"] for row in csv.DictReader(found.splitlines())]
    assert sorted(names) == sorted(["'=1+1", "'@sum", "\\x1b[31mred", "'-2"])
    assert "\x1b" not in foretune("evaluate", folder, "--data", path, *LENGTHS, "--stride", 2, "--gpus", 0).out


def test_help_names_every_flag(foretune: Foretune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    evaluate, predict = foretune("evaluate", "--help").out, foretune("predict", "--help").out
    for flag in ("--data", "--context-length", "--prediction-length", "--norm", "--json", "--gpus", "--columns"):
        assert flag in evaluate
        assert flag in predict
    assert all(flag in evaluate for flag in ("--stride", "--batch-size", "--csv", "--split", "--part", "--scale"))
    assert all(flag in predict for flag in ("--series", "--at", "--clip-nonneg", "--round"))
