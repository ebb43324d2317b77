"""The command as a process: what it prints, and how it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

from tests.tune.forecasts.measured import TOY
from tests.tune.serving.running import Answer, command
from tests.waiting import wait_for


def test_a_signal_ends_it_after_what_is_at_work(
    export: Callable[..., Path], jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    """Ctrl+C and SIGTERM alike: a request that waits for its batch is answered, and the exit status is 0."""
    folder = export(jsonl(a=[1.0, 2.0, 3.0, 4.0]), context_length=2, prediction_length=1, split="rows:0")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    asked = (folder, "--trust", TOY, "--max-wait", 3000)
    with command(*asked, cwd=first) as (one, client), command(*asked, cwd=second) as (other, its_client):
        for process, its, ending, cwd in (
            (one, client, signal.SIGINT, first),
            (other, its_client, signal.SIGTERM, second),
        ):
            answers: list[Answer] = []
            waits = threading.Thread(
                target=lambda its=its, answers=answers: answers.append(its.post({"series": {"values": [5, 6]}}))
            )
            waits.start()
            wait_for(lambda its=its: its.get("/health").content["waiting"] == 1)
            process.send_signal(ending)
            waits.join(30)
            assert process.wait(30) == 0
            assert answers[0].content["forecasts"][0]["point"] == [7.0]
            lines = (cwd / "serve.log").read_text().splitlines()
            assert lines == [
                f"{folder} (last_plus_one, night1 t0007) at {its.url}, described at {its.url}/docs (Ctrl+C stops it)",
                "stopped; 1 request answered",
            ]
