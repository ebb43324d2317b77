"""The specification of tune/report/tensorboard_server.py: where it serves, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from data.errors import UserError
from tests.tune.report.tensorboard.watched_sweep import write_sweep
from tune.records.sweep_folder import SweepFolder
from tune.report import tensorboard_server
from tune.report.tensorboard_server import serve


def test_a_folder_without_event_files_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="event files"):
        serve(SweepFolder(tmp_path), port=0)


@pytest.mark.parametrize("is_old", [True, False])
def test_a_sweep_of_an_older_foretune_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_old: bool
) -> None:
    write_sweep(tmp_path)
    if is_old:
        for run in (tmp_path / "tensorboard").glob("t*"):
            for file in run.iterdir():
                file.rename(tmp_path / run.name.split()[0] / file.name)
        shutil.rmtree(tmp_path / "tensorboard")
    launch = mock.Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr(tensorboard_server, "_launch", launch)
    with pytest.raises(KeyboardInterrupt):
        serve(SweepFolder(tmp_path), port=0)
    shown = tmp_path if is_old else tmp_path / "tensorboard"
    launch.assert_called_once_with(shown, tmp_path.name, 0, "127.0.0.1")


def test_a_taken_port_is_rejected(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port} is taken"):
            serve(SweepFolder(tmp_path), port=port)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_rejected(tmp_path: Path, port: int) -> None:
    write_sweep(tmp_path)
    with pytest.raises(UserError, match=f"--port {port}"):
        serve(SweepFolder(tmp_path), port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
def test_only_this_machine_is_served(tmp_path: Path, host: str) -> None:
    write_sweep(tmp_path)
    with pytest.raises(UserError, match="this machine"):
        serve(SweepFolder(tmp_path), port=0, host=host)


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl+C cannot be sent to one process on Windows")
def test_ctrl_c_ends_the_server_quietly_and_frees_its_port(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    script = (
        "import logging, pathlib, signal, sys; logging.basicConfig(level=logging.WARNING, format='%(message)s')\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "from tune.records.sweep_folder import SweepFolder; from tune.report.tensorboard_server import serve; "
        "serve(SweepFolder(pathlib.Path(sys.argv[1])), port=0)"
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
