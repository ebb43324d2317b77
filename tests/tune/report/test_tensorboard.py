from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tensorboard.plugins.hparams import api_pb2

from data.errors import UserError
from search_spaces.space import SearchSpace, load_space
from tune.records.journal import Journal, Row
from tune.report.tensorboard import TensorBoardObserver, hyperparameter_columns
from tune.report.tensorboard_server import serve

Server = Callable[..., AbstractContextManager[str]]

SPACE = """
description: Three ways to fine-tune.
trainable: moirai
fixed: {patch_size: auto, gradient_clip: 1.0}
search:
  strategy: {choice: [head_only, freeze_ffn, full]}
  batch_size: {choice: [32, 16]}
  weight_decay: {uniform: [0, 0.2]}
conditional:
  strategy:
    head_only:
      fixed: {patience: 6}
      search: {lr: {log: [5.0e-6, 1.0e-4]}, epochs: {int: [5, 25]}, dropout: {uniform: [0.1, 0.3]}}
    freeze_ffn:
      fixed: {patience: 3}
      search: {lr: {log: [1.0e-6, 5.0e-5]}, epochs: {int: [2, 10]}}
    full:
      fixed: {patience: 2}
      search: {lr: {log: [5.0e-7, 2.0e-5]}, epochs: {int: [1, 6]}}
"""
HEAD = {"strategy": "head_only", "lr": 2e-5, "epochs": 5, "batch_size": 32, "weight_decay": 0.1, "dropout": 0.2}
FFN = {"strategy": "freeze_ffn", "lr": 1e-6, "epochs": 2, "batch_size": 16, "weight_decay": 0.0, "patience": 3}
FULL = {"strategy": "full", "lr": 5e-7, "epochs": 1, "batch_size": 32, "weight_decay": 0.2, "patience": 2}
CONSTANT = {"patch_size": "auto", "gradient_clip": 1.0}


def read_space(folder: Path, text: str = SPACE) -> SearchSpace:
    path = folder / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return load_space(str(path))


def row(epoch: float, val_loss: float | None, *, best_epoch: float | None = None, **changes: Any) -> Row:
    trained = epoch > 0
    values: Row = {
        "epoch": epoch,
        "val_loss": val_loss,
        "val_mae": None if val_loss is None else val_loss / 2,
        "val_mse": None if val_loss is None else val_loss / 4,
        "train_loss": 1.125 if trained else None,
        "lr": 5e-7 if trained else None,
        "seconds": 12.5,
        "peak_memory_bytes": 5 * 2**30,
        "best_epoch": best_epoch,
        "objective": val_loss,
        "stopped_by": None,
    }
    return values | changes


class Session:
    """One session of a sweep as the Ray callback tells it: the journal first, then the observer."""

    def __init__(self, folder: Path, space: SearchSpace) -> None:
        self.journal = Journal(folder)
        self.observer = TensorBoardObserver(folder, space, journal=self.journal)

    def start(self, trial_id: str, hyper: dict[str, Any]) -> None:
        self.journal.start(trial_id, {"trial_id": trial_id, "seed": 0, "hyper": hyper})
        self.observer.trial_started(trial_id, hyper)

    def report(self, trial_id: str, *rows: Row) -> None:
        for report in rows:
            self.journal.append(trial_id, report)
            self.observer.trial_reported(trial_id, report)

    def end(self, trial_id: str, error: str | None = None) -> None:
        if error is not None:
            self.journal.fail(trial_id, error)
        self.observer.trial_ended(trial_id)

    def close(self) -> None:
        self.observer.close()

    def next(self, space: SearchSpace) -> Session:
        """The session that resumes, a second later: an event file's name tells the second."""
        time.sleep(1.1)
        return Session(self.journal.sweep_folder, space)


class Board:
    """Asks a TensorBoard what it shows."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **query: str) -> Any:
        request = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def curve(self, run: str, tag: str) -> dict[int, float]:
        """Steps and values; a step that stands twice is a mistake."""
        points = self.ask("data/plugin/scalars/scalars", run=run, tag=tag)
        assert len({step for _, step, _ in points}) == len(points), points
        return {step: value for _, step, value in points}

    def tags(self) -> dict[str, set[str]]:
        return {run: set(tags) for run, tags in self.ask("data/plugin/scalars/tags").items() if tags}

    def experiment(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("data/plugin/hparams/experiment", request='{"experimentName": ""}')
        return answer

    def sessions(self) -> dict[str, dict[str, Any]]:
        """Every trial of HPARAMS by its name, with its only session and its metrics by tag."""
        question = {
            "experimentName": "",
            "allowedStatuses": [f"STATUS_{s}" for s in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")],
            "startIndex": 0,
            "sliceSize": 100,
        }
        request = urllib.request.Request(
            f"{self.url}data/plugin/hparams/session_groups",
            data=json.dumps(question).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            groups = json.load(response)["sessionGroups"]
        sessions = {}
        for group in groups:
            (session,) = group["sessions"]
            metrics = {metric["name"]["tag"]: metric["value"] for metric in group.get("metricValues", [])}
            sessions[group["name"]] = {"hparams": group["hparams"], "status": session["status"], "metrics": metrics}
        return sessions


def write_sweep(folder: Path) -> None:
    """Three trials side by side: one gets better and worse again, one fails, one goes on."""
    session = Session(folder, read_space(folder))
    session.start("t0000", {**CONSTANT, **HEAD, "patience": 6})
    session.start("t0001", {**CONSTANT, **FULL})
    session.start("t0002", {**CONSTANT, **FFN})
    for trial_id in ("t0000", "t0001", "t0002"):
        session.report(trial_id, row(0, 0.5))
    session.report("t0000", row(1, 0.375, best_epoch=1), row(2, 0.25, best_epoch=2))
    session.report("t0001", row(1, 0.4375, best_epoch=1))
    session.report("t0000", row(3, 0.3125, best_epoch=2, stopped_by="patience"))
    session.report("t0002", row(1, 0.46875, best_epoch=1))
    session.end("t0000")
    session.end("t0001", error="CUDA out of memory")
    session.close()


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, tensorboard_server: Server) -> Iterator[Board]:
    folder = tmp_path_factory.mktemp("night1")
    write_sweep(folder)
    with tensorboard_server(folder) as url:
        yield Board(url)


def test_every_trial_is_a_run(board: Board) -> None:
    curves = {"val_loss", "val_mae", "val_mse", "train_loss", "lr", "seconds", "peak_memory_bytes"}
    best = {"best/val_loss", "best/val_mae", "best/val_mse"}
    assert board.tags() == dict.fromkeys(("t0000", "t0001", "t0002"), curves | best)


def test_curves_begin_at_epoch_0_and_steps_are_epochs(board: Board) -> None:
    assert board.curve("t0000", "val_loss") == {0: 0.5, 1: 0.375, 2: 0.25, 3: 0.3125}
    assert board.curve("t0000", "val_mae") == {0: 0.25, 1: 0.1875, 2: 0.125, 3: 0.15625}
    assert board.curve("t0002", "val_mse") == {0: 0.125, 1: 0.1171875}


def test_what_epoch_0_does_not_have_begins_at_epoch_1(board: Board) -> None:
    assert board.curve("t0000", "train_loss") == {1: 1.125, 2: 1.125, 3: 1.125}
    assert board.curve("t0001", "lr") == pytest.approx({1: 5e-7})


def test_costs_are_curves_too(board: Board) -> None:
    assert board.curve("t0001", "peak_memory_bytes") == {0: 5 * 2**30, 1: 5 * 2**30}
    assert board.curve("t0001", "seconds") == {0: 12.5, 1: 12.5}


def test_the_best_epochs_stand_at_their_steps(board: Board) -> None:
    assert board.curve("t0000", "best/val_loss") == {1: 0.375, 2: 0.25}


def test_hparams_lists_every_hyperparameter_with_its_domain(board: Board) -> None:
    described = {info["name"]: info for info in board.experiment()["hparamInfos"]}
    discrete = {name: info["domainDiscrete"] for name, info in described.items() if "domainDiscrete" in info}
    ranges = {name: info["domainInterval"] for name, info in described.items() if "domainInterval" in info}
    assert discrete == {
        "strategy": ["head_only", "freeze_ffn", "full"],
        "batch_size": [16, 32],
        "patience": [2, 3, 6],
    }
    assert ranges == {
        "lr": {"minValue": 5e-7, "maxValue": 1e-4},
        "epochs": {"minValue": 1, "maxValue": 25},
        "weight_decay": {"minValue": 0, "maxValue": 0.2},
        "dropout": {"minValue": 0.1, "maxValue": 0.3},
    }
    assert described.keys() == discrete.keys() | ranges.keys()


def test_hparams_keeps_small_numbers_exactly(board: Board) -> None:
    sessions = board.sessions()
    assert sessions["t0001"]["hparams"] == {**CONSTANT, **FULL}
    assert sessions["t0000"]["hparams"]["lr"] == 2e-5
    assert "dropout" not in sessions["t0001"]["hparams"]


def test_hparams_shows_how_each_trial_ended(board: Board) -> None:
    status = {name: session["status"] for name, session in board.sessions().items()}
    assert status == {"t0000": "STATUS_SUCCESS", "t0001": "STATUS_FAILURE", "t0002": "STATUS_UNKNOWN"}


def test_hparams_shows_the_best_epoch_and_the_last(board: Board) -> None:
    tags = [info["name"]["tag"] for info in board.experiment()["metricInfos"]]
    assert tags == ["best/val_loss", "best/val_mae", "best/val_mse", "val_loss", "val_mae", "val_mse"]
    assert board.sessions()["t0000"]["metrics"] == {
        **{"best/val_loss": 0.25, "best/val_mae": 0.125, "best/val_mse": 0.0625},
        **{"val_loss": 0.3125, "val_mae": 0.15625, "val_mse": 0.078125},
    }


def test_tensorboard_started_by_hand_shows_the_same(tmp_path: Path, tensorboard_server: Server) -> None:
    write_sweep(tmp_path)
    with tensorboard_server(tmp_path, stock=True) as url:
        by_hand = Board(url)
        assert by_hand.curve("t0000", "val_loss") == {0: 0.5, 1: 0.375, 2: 0.25, 3: 0.3125}
        assert by_hand.curve("t0001", "lr") == pytest.approx({1: 5e-7})
        sessions = by_hand.sessions()
        assert sessions["t0001"]["hparams"]["lr"] == 5e-7
        assert sessions["t0001"]["status"] == "STATUS_FAILURE"


@pytest.mark.parametrize("stock", [False, True])
def test_a_resumed_trial_goes_on_in_its_run(tmp_path: Path, tensorboard_server: Server, stock: bool) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
    first.close()
    second = first.next(space)
    second.start("t0000", {**FULL, "lr": 1e-6})  # were it told twice, the first would still hold
    second.report("t0000", row(2, 0.125, best_epoch=2, stopped_by="epochs"))
    second.end("t0000")
    second.close()
    with tensorboard_server(tmp_path, stock=stock) as url:
        board = Board(url)
        assert board.curve("t0000", "val_loss") == {0: 0.5, 1: 0.25, 2: 0.125}
        assert board.sessions()["t0000"]["status"] == "STATUS_SUCCESS"
        assert board.sessions()["t0000"]["hparams"]["lr"] == 5e-7
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize("stock", [False, True])
def test_a_report_that_comes_again_takes_the_place_of_the_first(
    tmp_path: Path, tensorboard_server: Server, stock: bool
) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1), row(1, 0.375, best_epoch=1))
    first.close()
    second = first.next(space)
    second.start("t0000", FULL)
    second.report("t0000", row(1, 0.3125, best_epoch=1), row(2, 0.125, best_epoch=2))
    second.close()
    with tensorboard_server(tmp_path, stock=stock) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.3125, 2: 0.125}
        assert Board(url).curve("t0000", "best/val_loss") == {1: 0.3125, 2: 0.125}


def test_what_the_journal_holds_and_a_kill_kept_back_is_shown_after_resume(
    tmp_path: Path, tensorboard_server: Server
) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.start("t0001", FFN)
    for trial_id in ("t0000", "t0001"):
        first.report(trial_id, row(0, 0.5))
    first.journal.append("t0000", row(1, 0.25, best_epoch=1, stopped_by="epochs"))
    first.journal.append("t0001", row(1, 0.375, best_epoch=1))
    second = first.next(space)
    second.start("t0001", FFN)
    second.close()
    with tensorboard_server(tmp_path) as url:
        board = Board(url)
        assert board.curve("t0000", "val_loss") == {0: 0.5, 1: 0.25}
        assert board.curve("t0001", "best/val_loss") == {1: 0.375}
        status = {name: session["status"] for name, session in board.sessions().items()}
        assert status == {"t0000": "STATUS_SUCCESS", "t0001": "STATUS_UNKNOWN"}


@pytest.mark.parametrize("stock", [False, True])
def test_a_trial_that_begins_anew_keeps_its_hyperparameters(
    tmp_path: Path, tensorboard_server: Server, stock: bool
) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5))
    first.close()
    second = first.next(space)
    second.start("t0000", FULL)
    second.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
    second.close()
    with tensorboard_server(tmp_path, stock=stock) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.25}
        assert Board(url).sessions()["t0000"]["hparams"] == FULL


def test_a_trial_that_fails_before_it_reports_is_shown_as_failed(tmp_path: Path, tensorboard_server: Server) -> None:
    session = Session(tmp_path, read_space(tmp_path))
    session.start("t0000", FULL)
    session.end("t0000", error="no such checkpoint")
    with tensorboard_server(tmp_path) as url:
        shown = Board(url).sessions()["t0000"]
        assert shown == {"hparams": FULL, "status": "STATUS_FAILURE", "metrics": {}}


@pytest.mark.parametrize("stock", [False, True])
def test_a_half_written_report_is_written_again(tmp_path: Path, tensorboard_server: Server, stock: bool) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
    first.close()
    (file,) = (tmp_path / "t0000").glob("events.out.tfevents.*")
    file.write_bytes(file.read_bytes()[:-10])
    second = first.next(space)
    second.start("t0000", FULL)
    second.report("t0000", row(2, 0.125, best_epoch=2))
    second.close()
    with tensorboard_server(tmp_path, stock=stock) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.25, 2: 0.125}


def test_several_evaluations_an_epoch_are_counted_and_the_epoch_is_told(
    tmp_path: Path, tensorboard_server: Server
) -> None:
    session = Session(tmp_path, read_space(tmp_path))
    session.start("t0000", {**FULL, "evals_per_epoch": 2})
    session.report("t0000", row(0, 0.5), row(0.5, 0.25, best_epoch=0.5), row(1, 0.125, best_epoch=1))
    session.close()
    with tensorboard_server(tmp_path) as url:
        board = Board(url)
        assert board.curve("t0000", "val_loss") == {0: 0.5, 1: 0.25, 2: 0.125}
        assert board.curve("t0000", "epoch") == {0: 0, 1: 0.5, 2: 1}


def test_missing_and_infinite_numbers_leave_gaps_and_further_metrics_are_shown(
    tmp_path: Path, tensorboard_server: Server
) -> None:
    session = Session(tmp_path, read_space(tmp_path))
    session.start("t0000", FULL)
    session.report("t0000", row(0, None), row(1, 0.25, best_epoch=1, val_mase=0.75, val_mae=math.inf))
    session.report("t0000", row(2, math.nan, best_epoch=1, train_loss=math.nan, lr=None, stopped_by="diverged"))
    session.end("t0000")
    with tensorboard_server(tmp_path) as url:
        board = Board(url)
        assert board.curve("t0000", "val_loss") == {1: 0.25}
        assert board.curve("t0000", "train_loss") == {1: 1.125}
        assert board.curve("t0000", "best/val_mase") == {1: 0.75}
        assert "val_mae" not in board.tags()["t0000"]


def test_a_killed_process_loses_nothing_it_was_told(tmp_path: Path, tensorboard_server: Server) -> None:
    script = f"""
import time
from pathlib import Path
from tests.tune.report.test_tensorboard import FULL, Session, read_space, row
folder = Path({str(tmp_path)!r})
session = Session(folder, read_space(folder))
session.start("t0000", FULL)
session.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
print("told", flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "told\n"
    process.kill()
    process.communicate(timeout=30)
    with tensorboard_server(tmp_path) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.25}
        assert Board(url).sessions()["t0000"]["hparams"]["lr"] == 5e-7


@pytest.mark.parametrize(
    ("yaml", "kind", "values"),
    [
        ("{choice: [true, false]}", api_pb2.DATA_TYPE_BOOL, [True, False]),
        ("{choice: [16, auto, null]}", api_pb2.DATA_TYPE_STRING, ["16", "auto", "null"]),
        ("{choice: [0.5, 0.25]}", api_pb2.DATA_TYPE_FLOAT64, [0.25, 0.5]),
    ],
)
def test_choices_of_mixed_types_are_shown_as_text(tmp_path: Path, yaml: str, kind: int, values: list[Any]) -> None:
    space = read_space(tmp_path, f"trainable: moirai\nsearch: {{thing: {yaml}}}\n")
    column = hyperparameter_columns(space)["thing"]
    assert column.type == kind
    assert list(column.domain_discrete) == values


def test_a_list_of_points_shows_the_values_seen(tmp_path: Path) -> None:
    text = "trainable: moirai\nfirst:\n  - {lr: 5.0e-7, strategy: full}\n  - {lr: 1.0e-5, strategy: head_only}\n"
    columns = hyperparameter_columns(read_space(tmp_path, text))
    assert list(columns["lr"].domain_discrete) == [5e-7, 1e-5]
    assert list(columns["strategy"].domain_discrete) == ["full", "head_only"]


def test_a_folder_without_event_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="event files"):
        serve(tmp_path, port=0)


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port} is taken"):
            serve(tmp_path, port=port)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_refused(tmp_path: Path, port: int) -> None:
    write_sweep(tmp_path)
    with pytest.raises(UserError, match=f"--port {port}"):
        serve(tmp_path, port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
def test_only_this_machine_is_served(tmp_path: Path, host: str) -> None:
    write_sweep(tmp_path)
    with pytest.raises(UserError, match="this machine"):
        serve(tmp_path, port=0, host=host)


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl+C cannot be sent to one process on Windows")
def test_ctrl_c_ends_the_server_quietly_and_frees_its_port(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    script = (
        "import logging, pathlib, signal, sys; logging.basicConfig(level=logging.WARNING, format='%(message)s')\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "from tune.report.tensorboard_server import serve; serve(pathlib.Path(sys.argv[1]), port=0)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith(f"TensorBoard shows {tmp_path.name} at http://127.0.0.1:")
    assert process.stderr.readline().endswith("#timeseries\n")
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    assert rest == "TensorBoard stopped\n"
    assert process.returncode == 0
    port = int(line.split("127.0.0.1:")[1].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_watching_a_sweep_needs_neither_torch_nor_tensorflow() -> None:
    modules = "{'torch', 'tensorflow', 'ray'} & {*sys.modules}"
    script = f"import sys, tune.report.tensorboard_server, tensorboard.default; print([*{modules}])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
