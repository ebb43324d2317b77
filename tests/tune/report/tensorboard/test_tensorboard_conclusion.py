"""What TensorBoard shows of a sweep whose search has ended, or was interrupted."""

from __future__ import annotations

import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tune.report.tensorboard.concluded_sweep import SKILL, conclude, points, text_of, write_end
from tests.tune.report.tensorboard.watched_sweep import FULL, Board, Server, Session, read_space, row
from tests.tune.report.written_sweep import ZERO_SHOT, add_trial, make_spec, read_board, three_trials
from trainables.trial.report import Scores
from tune.leaderboard.standing import Standing
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder
from tune.report.tensorboard.callback import TensorBoardCallback
from tune.report.tensorboard.conclusion import write_conclusion
from tune.report.tensorboard.messages import EVENT_FILES
from tune.report.tensorboard.runs import run_name

RUNS = {"t0000 freeze_ffn lr 1e-5", "t0001 head_only lr 5e-7", "t0002 full lr 1e-4", "zero-shot", "seasonal-naive"}
BLEND = "blend(t0001, α 0.8)"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, tensorboard_server: Server) -> Iterator[Board]:
    folder = tmp_path_factory.mktemp("night1")
    conclude(folder)
    with tensorboard_server(folder) as url:
        yield Board(url)


def test_hparams_lists_the_initial_model_and_the_baselines_beside_every_trial(board: Board) -> None:
    sessions = board.sessions()
    assert sessions.keys() == {"t0000", "t0001", "t0002", "zero-shot", "seasonal-naive"}
    best = {name: session["metrics"].get("best/val_loss") for name, session in sessions.items()}
    rounded = {name: None if value is None else round(value, 6) for name, value in best.items()}
    assert rounded == {"t0000": 0.45, "t0001": 0.4, "t0002": 0.55, "zero-shot": 0.5, "seasonal-naive": None}
    assert sessions["seasonal-naive"]["metrics"]["best/val_mse"] == 0.125
    assert {session["status"] for session in sessions.values()} == {"STATUS_SUCCESS"}
    assert sessions["zero-shot"]["hparams"] == {}


def test_hparams_has_every_metric_and_the_sweeps_own_first(board: Board) -> None:
    """Baselines have no val_loss; nothing here has a val_rmse, so it is no column."""
    titles = {info["name"]["tag"]: info["displayName"] for info in board.experiment()["metricInfos"]}
    assert list(titles) == [
        *("best/val_loss", "best/val_mae", "best/val_mse"),
        *("test/loss", "test/mae", "skill"),
        *("val_loss", "val_mae", "val_mse"),
    ]
    assert titles["test/mae"] == "test_mae"


def test_scores_on_test_and_skill_are_in_the_rows_of_those_that_have_them(board: Board) -> None:
    sessions = board.sessions()
    assert {name: s["metrics"].get("test/loss") for name, s in sessions.items()} == {
        **{"zero-shot": 0.625, "t0001": 0.5625},
        **dict.fromkeys(("seasonal-naive", "t0000", "t0002")),
    }
    assert sessions["seasonal-naive"]["metrics"]["test/mae"] == 0.375
    assert {name: s["metrics"]["skill"] for name, s in sessions.items() if "skill" in s["metrics"]} == SKILL


def test_the_initial_model_is_a_level_line_beside_the_trials_curves(board: Board) -> None:
    assert board.tags().keys() == RUNS
    assert board.curve("zero-shot", "val_loss") == {0: 0.5, 3: 0.5}
    assert board.curve("seasonal-naive", "val_mse") == {0: 0.125, 3: 0.125}


def test_images_hold_the_forecasts_of_the_winner_and_the_initial_model(board: Board) -> None:
    tags = board.ask("data/plugin/images/tags")["sweep"]
    assert list(tags) == ["forecasts/1 typical"]
    about = tags["forecasts/1 typical"]["description"]
    assert "meter 7, forecast by zero-shot and t0001" in about
    (sample,) = board.ask("data/plugin/images/images", run="sweep", tag="forecasts/1 typical", sample="0")
    with urllib.request.urlopen(f"{board.url}data/plugin/images/individualImage?{sample['query']}") as response:
        assert response.read(8) == b"\x89PNG\r\n\x1a\n"


def test_text_has_the_verdict_the_leaderboard_and_the_command_that_repeats_the_sweep(board: Board) -> None:
    tags = board.ask("data/plugin/text/tags")["sweep"]
    texts = {tag: board.ask("data/plugin/text/text", run="sweep", tag=tag)[0]["text"] for tag in tags}
    verdict, leaderboard, repeat = (texts[tag] for tag in sorted(texts))
    assert "<h1>Use t0001</h1>" in verdict
    assert "val_loss 0.4 against zero-shot's 0.5, 0.1000 better" in verdict
    assert leaderboard.count("<table>") == 2
    cells = ("<td>1</td>", "<td>t0001</td>", "<td>zero-shot</td>", "<td>seasonal-naive</td>", "<td>+0.1000</td>")
    assert all(cell in leaderboard for cell in cells)
    assert "foretune sweep moirai-small --data" in repeat
    assert "--context-length 512 --prediction-length 96" in repeat


# --- again


def test_what_an_earlier_conclusion_wrote_is_replaced(tmp_path: Path) -> None:
    board = conclude(tmp_path)
    folder, spec = SweepFolder(tmp_path), make_spec()
    blend = replace(board.standings[0], rank=None, trial_id=BLEND, parts={"t0001": 0.8}, status="blend")
    write_conclusion(folder, board.with_blends([blend]), spec)
    assert (tmp_path / "tensorboard" / BLEND).is_dir()
    write_conclusion(folder, board, spec)
    assert {path.name for path in (tmp_path / "tensorboard").iterdir()} == RUNS | {"sweep"}
    for run in RUNS | {"sweep"}:
        counts = Counter(points(tmp_path, run))
        assert max(counts.values()) == 1, run
    assert [tag for tag, _ in points(tmp_path, "sweep")] == [
        "_hparams_/experiment",
        *("summary/1 verdict", "summary/2 leaderboard", "summary/3 repeat", "forecasts/1 typical"),
    ]


def test_an_interrupted_sweep_goes_on_in_its_runs_and_is_concluded_anew(
    tmp_path: Path, tensorboard_server: Server
) -> None:
    space = read_space(tmp_path)
    spec = make_spec(space=space.to_dict())
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
    first.close()
    write_conclusion(SweepFolder(tmp_path), read_board(tmp_path), spec)
    assert dict(points(tmp_path, "zero-shot"))["val_loss"] == 1
    second = first.next(space)
    second.start("t0000", FULL)
    second.report("t0000", row(2, 0.125, best_epoch=2, stopped_by="epochs"))
    second.end("t0000")
    second.close()
    write_conclusion(SweepFolder(tmp_path), read_board(tmp_path), spec)
    with tensorboard_server(tmp_path) as url:
        shown = Board(url)
        assert shown.curve("t0000", "val_loss") == {0: 0.5, 1: 0.25, 2: 0.125}
        assert shown.curve("zero-shot", "val_loss") == {0: 0.5, 2: 0.5}
        assert {name: s["status"] for name, s in shown.sessions().items()} == {
            "t0000": "STATUS_SUCCESS",
            "zero-shot": "STATUS_SUCCESS",
        }


def test_a_sweep_that_another_process_runs_keeps_its_runs_to_itself(tmp_path: Path) -> None:
    add_trial(three_trials(tmp_path), "t0003", [ZERO_SHOT, 0.44], stopped_by=None)
    write_conclusion(SweepFolder(tmp_path), read_board(tmp_path, running=True), make_spec())
    assert {path.name for path in (tmp_path / "tensorboard").iterdir()} == {"zero-shot", "sweep"}
    write_conclusion(SweepFolder(tmp_path), read_board(tmp_path), make_spec())
    assert (tmp_path / "tensorboard" / "t0001 head_only lr 5e-7").is_dir()


def test_a_failed_trial_that_is_run_again_is_shown_as_it_ended(tmp_path: Path, tensorboard_server: Server) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
    first.end("t0000", error="CUDA out of memory")
    first.close()
    (tmp_path / "t0000" / "error.txt").unlink()
    second = first.next(space)
    second.start("t0000", FULL)
    second.report("t0000", row(2, 0.125, best_epoch=2, stopped_by="epochs"))
    second.end("t0000")
    second.close()
    with tensorboard_server(tmp_path) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.25, 2: 0.125}
        assert Board(url).sessions()["t0000"]["status"] == "STATUS_SUCCESS"


def test_a_sweep_without_any_trial_has_a_text_alone(tmp_path: Path) -> None:
    write_conclusion(SweepFolder(tmp_path), read_board(tmp_path), make_spec())
    assert {path.name for path in (tmp_path / "tensorboard").iterdir()} == {"sweep"}
    assert ("summary/1 verdict", 0) in points(tmp_path, "sweep")


def test_a_cell_of_the_leaderboard_is_neither_markup_nor_two_cells(tmp_path: Path) -> None:
    board = write_end(tmp_path)
    worse = Standing(None, "<b>t9</b>", "failed", None, None, 0, Scores(), None, 0.0, 0, hyper={"strategy": "a|b"})
    write_conclusion(SweepFolder(tmp_path), replace(board, standings=(*board.standings, worse)), make_spec())
    lines = text_of(tmp_path, "summary/2 leaderboard").splitlines()
    assert sum("| &lt;b&gt;t9&lt;/b&gt; |" in line for line in lines) == 2
    assert any("a\\|b" in line for line in lines)


# --- names


@pytest.mark.parametrize(
    ("hyper", "varying", "name"),
    [
        ({"strategy": "full", "lr": 3e-5, "batch_size": 16}, ["batch_size", "lr", "strategy"], "t0007 full lr 3e-5"),
        ({"strategy": "full", "lr": 3e-5}, ["lr"], "t0007 lr 3e-5"),
        ({"pretrained": "Salesforce/moirai-small", "lr": 1e-5}, ["pretrained", "lr"], "t0007 moirai-small lr 1e-5"),
        ({"schedule": "onecycle", "lr": 4e-4, "strategy": "full"}, ["schedule", "lr", "strategy"],
         "t0007 full onecycle lr 4e-4"),
        ({"width": 8, "depth": 2}, ["width", "depth"], "t0007 width 8"),
        ({"flag": True}, ["flag"], "t0007"),
        ({}, ["lr"], "t0007"),
        ({"strategy": "a:b?/c*", "lr": 1e-5}, ["strategy", "lr"], "t0007 c- lr 1e-5"),
    ],
)  # fmt: skip
def test_a_runs_name_is_short_and_says_what_the_trial_is(
    hyper: dict[str, object], varying: list[str], name: str
) -> None:
    assert run_name("t0007", hyper, varying) == name


def test_a_run_keeps_its_name_when_what_is_on_record_is_damaged(tmp_path: Path) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5))
    first.close()
    (tmp_path / "t0000" / "params.json").write_text("{")
    TensorBoardCallback(Journal(SweepFolder(tmp_path)), space).close()
    assert [path.name for path in (tmp_path / "tensorboard").glob("t*")] == ["t0000 full lr 5e-7"]
    assert list((tmp_path / "tensorboard").glob(f"t0000 */{EVENT_FILES}"))
