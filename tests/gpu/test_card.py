"""What must hold on a card, without Ray; on a machine without one the same on the CPU, as a rehearsal."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.gpu.one_trial import make_trial
from tests.paths import REPOSITORY
from trainables.trial.report import Report
from trainables.trial.trial import Trial

HAS_CARD = torch.cuda.is_available()
DEVICE = torch.device("cuda" if HAS_CARD else "cpu")
CLOSE = 2e-3  # between devices, of a loss: TF32 rounds to 10 bits


def run(trial: Trial) -> list[Report]:
    reports = [trial.step()]
    while reports[-1].stopped_by is None:
        reports.append(trial.step())
    return reports


def losses(reports: list[Report]) -> list[float]:
    return [float(r.scores.val_loss or "nan") for r in reports]


def started(folder: Path, *pairs: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.gpu.one_trial", str(folder), DEVICE.type, *pairs]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def reported(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return [json.loads(line) for line in text.splitlines()]


def test_a_card_trains_as_a_cpu_does(tmp_path: Path) -> None:
    on_cpu = run(make_trial(tmp_path / "cpu" / "t0000", torch.device("cpu"), precision="fp32"))
    on_card = run(make_trial(tmp_path / "card" / "t0000", DEVICE, precision="fp32"))
    assert losses(on_card) == pytest.approx(losses(on_cpu), abs=CLOSE)
    assert on_card[-1].train_loss == pytest.approx(on_cpu[-1].train_loss, abs=CLOSE)
    assert losses(on_card)[-1] < losses(on_card)[0]


@pytest.mark.parametrize("precision", ["auto", "bf16", "fp16"])
def test_half_precision_learns_as_much(tmp_path: Path, precision: str) -> None:
    if precision != "auto" and not HAS_CARD:
        pytest.skip("needs a card")
    if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("needs a card with bf16")
    plain = losses(run(make_trial(tmp_path / "fp32" / "t0000", DEVICE, precision="fp32")))
    half = losses(run(make_trial(tmp_path / "half" / "t0000", DEVICE, precision=precision)))
    assert half[0] == pytest.approx(plain[0], abs=0.02)
    assert half[0] - half[-1] == pytest.approx(plain[0] - plain[-1], rel=0.1)


def test_a_batch_that_does_not_fit_is_cut_and_its_gradient_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a real cap where there is a card: the batch of 128 windows does not fit into what 16 of them need."""
    whole = losses(run(make_trial(tmp_path / "whole" / "t0000", DEVICE, batch_size=128, precision="fp32")))
    if HAS_CARD:
        probe = make_trial(tmp_path / "probe" / "t0000", DEVICE, batch_size=16, precision="fp32")
        run(probe)
        limit = int(1.3 * torch.cuda.max_memory_reserved())
        del probe
        torch.cuda.empty_cache()
    else:
        limit = None
        monkeypatch.setattr("tests.gpu.one_trial.Moirai.loss", _of_at_most(16))
    capped = make_trial(tmp_path / "capped" / "t0000", DEVICE, batch_size=128, precision="fp32", gpu_memory_bytes=limit)
    assert losses(run(capped)) == pytest.approx(whole, abs=CLOSE)
    assert capped.training.micro_batch.size < 128
    assert "out of memory: micro-batch is now" in caplog.text
    if HAS_CARD:
        torch.cuda.set_per_process_memory_fraction(1.0)


def _of_at_most(most: int) -> Any:
    from trainables.moirai.trainable import Moirai

    plain = Moirai.loss

    def loss(self: Moirai, batch: Any) -> torch.Tensor:
        if len(batch.ids) > most and self.module.training:
            raise torch.OutOfMemoryError(f"{len(batch.ids)} windows")
        return plain(self, batch)

    return loss


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_a_killed_trial_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = reported(started(tmp_path / "whole" / "t0000"))
    killed = started(tmp_path / "killed" / "t0000")
    assert killed.stdout is not None
    seen = [json.loads(killed.stdout.readline()) for _ in range(2)]  # epochs 0 and 1
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    again = reported(started(tmp_path / "killed" / "t0000"))
    assert [row["val_loss"] for row in seen] == pytest.approx([row["val_loss"] for row in whole[:2]], abs=1e-6)
    assert [row["val_loss"] for row in again] == pytest.approx([row["val_loss"] for row in whole], abs=1e-6)


def test_two_trials_share_a_card(tmp_path: Path) -> None:
    both = [started(tmp_path / f"s{i}" / "t0000", f"lr={lr}") for i, lr in enumerate(("1e-4", "1e-5"))]
    first, second = (reported(process) for process in both)
    assert first[0]["val_loss"] == pytest.approx(second[0]["val_loss"], abs=CLOSE)  # one initial model
    assert first[-1]["val_loss"] < second[-1]["val_loss"] < second[0]["val_loss"]


def test_a_trial_leaves_no_memory_to_the_next(tmp_path: Path) -> None:
    if not HAS_CARD:
        pytest.skip("needs a card")
    used = []
    for number in range(3):
        run(make_trial(tmp_path / f"t{number:04}", DEVICE))
        torch.cuda.empty_cache()
        used.append(torch.cuda.memory_allocated())
    assert used[2] <= used[0] + 1_000_000


@pytest.mark.skipif(not HAS_CARD or not importlib.util.find_spec("bitsandbytes"), reason="needs a card and 4bit")
def test_time_llm_trains_around_four_bits(tmp_path: Path) -> None:
    from data.readers.panel_reader import read_panel
    from data.samples.bundled import SAMPLES
    from data.task.task import ForecastTask
    from tests.gpu.one_trial import TASK
    from tests.trainables.time_llm.published import save_random
    from trainables.time_llm.trainable import TimeLlm
    from trainables.trial.folders import SharedFolder
    from trainables.trial.trial import TrialSpec

    save_random("llama", tmp_path / "llm")
    hyper = {
        "llm": str(tmp_path / "llm"),
        "llm_layers": 2,
        "lr": 1e-3,
        "epochs": 1,
        "batch_size": 16,
        "load_in_4bit": True,
    }
    spec = TrialSpec(tmp_path / "t0000", SharedFolder(tmp_path / "shared"), hyper, metric="val_loss", seed=0)
    reports = run(Trial(TimeLlm(), spec, ForecastTask(read_panel(SAMPLES["sample"]), TASK), DEVICE))
    assert losses(reports)[-1] < losses(reports)[0]
