"""A card that is made up: what the driver says of it, and waiting until it is cooler."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import CPU, STEPS, Toy, run, spec_in
from trainables.device import card as card_module
from trainables.device.card import Card, Limits, card_of, read_card
from trainables.device.card_use import CardReading, CardUse
from trainables.trial import pulse
from trainables.trial import trial as trial_module
from trainables.trial.progress import StepProgress
from trainables.trial.pulse import Pulse
from trainables.trial.report import Report
from trainables.trial.trial import Trial

GB = 10**9


class NvmlError(Exception):
    pass


def driver(**changed: Any) -> SimpleNamespace:
    """A driver that answers as NVML does: milliwatts, percent, and reasons as bits."""
    answers = {
        "NVMLError": NvmlError,
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlClocksThrottleReasonHwSlowdown": 8,
        "nvmlClocksThrottleReasonSwThermalSlowdown": 32,
        "nvmlClocksThrottleReasonHwThermalSlowdown": 64,
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(used=3 * GB),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=97, memory=40),
        "nvmlDeviceGetTemperature": lambda handle, sensor: 71,
        "nvmlDeviceGetPowerUsage": lambda handle: 182_500,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda handle: 4,  # a cap of its power, which is no heat
    }
    return SimpleNamespace(**{**answers, **changed})


def not_supported(*_: object) -> None:
    raise NvmlError


def test_a_reading_is_in_bytes_percent_degrees_and_watts() -> None:
    assert read_card(driver(), "handle") == CardReading(3 * GB, 97.0, 71.0, 182.5, False)


@pytest.mark.parametrize(("reasons", "is_slowed"), [(0, False), (4, False), (8, True), (32, True), (64 + 4, True)])
def test_clocks_are_slowed_where_heat_is_a_reason(reasons: int, is_slowed: bool) -> None:
    found = read_card(driver(nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: reasons), "handle")
    assert found.is_slowed is is_slowed


def test_what_a_card_does_not_answer_is_unknown() -> None:
    found = read_card(driver(nvmlDeviceGetPowerUsage=not_supported, nvmlDeviceGetTemperature=not_supported), "handle")
    assert found == CardReading(3 * GB, 97.0, None, None, False)


def test_use_is_the_most_memory_and_heat_and_the_mean_of_the_rest() -> None:
    readings = [
        CardReading(2 * GB, 90.0, 60.0, 100.0, False),
        CardReading(4 * GB, 100.0, 80.0, None, True),
        CardReading(3 * GB, None, 70.0, 200.0, False),
    ]
    assert CardUse.of(readings) == CardUse(4 * GB, 95.0, 80.0, 150.0, pytest.approx(1 / 3))
    assert CardUse.of([]) == CardUse()


def test_a_summary_begins_afresh_and_never_without_a_reading() -> None:
    card = Card(lambda: CardReading(temperature=50.0), Limits())
    card.look()
    assert card.summary() == (CardUse(gpu_temperature=50.0), 0.0)
    assert card.summary() == (CardUse(gpu_temperature=50.0), 0.0)


def test_a_cpu_has_no_card() -> None:
    assert card_of(CPU, Limits(85)) is None


def test_a_gpu_whose_driver_does_not_know_it_has_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unknown(uuid: str) -> None:
        asked.append(uuid)
        raise NvmlError

    monkeypatch.setattr(card_module, "open_nvml", lambda: driver(nvmlDeviceGetHandleByUUID=unknown))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1c4e-77"))
    assert card_of(torch.device("cuda"), Limits()) is None
    assert asked == ["GPU-1c4e-77"]


# --- waiting


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on with each step, and while something sleeps; how long each sleep was."""
    now, sleeps = [0.0], []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        now[0] += seconds

    def monotonic() -> float:
        now[0] += 0.3
        return now[0]

    monkeypatch.setattr(card_module, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: now[0]))
    monkeypatch.setattr(pulse, "time", SimpleNamespace(monotonic=monotonic))
    return sleeps


def card_with(*temperatures: float, limit: float = 85.0) -> Card:
    """A card whose readings come in this order; the last one stays."""
    left = list(temperatures)
    return Card(lambda: CardReading(temperature=left.pop(0) if len(left) > 1 else left[0]), Limits(limit))


def test_work_waits_at_the_limit_until_it_is_five_degrees_below(slept: list[float], tmp_path: Path) -> None:
    card = card_with(84, 85, 84, 81, 80, 79)
    beat = Pulse(tmp_path / "step.json", card, epoch=2, steps=100)
    seen: list[StepProgress | None] = []
    cool_down = card.cool_down
    card.cool_down = lambda waiting: cool_down(  # type: ignore[method-assign]
        lambda reading: (waiting(reading), seen.append(StepProgress.read(beat.file)))[0]
    )
    for step in range(1, 9):  # 0.3 s each and more: a beat each fourth
        beat.step_done(step, torch.tensor([1.5, 2.5]))
    assert slept == [1.0, 1.0, 1.0]  # at 85, 84 and 81 degrees; 80 is cool enough
    assert [(p.temperature, p.is_waiting) for p in seen if p] == [(85, True), (84, True), (81, True)]
    assert card.summary()[1] == pytest.approx(3)
    last = StepProgress.read(beat.file)
    assert last is not None
    assert (last.epoch, last.steps, last.loss, last.gradient_norm) == (2, 100, 1.5, 2.5)


def test_without_a_limit_no_heat_stops_the_work(slept: list[float], tmp_path: Path) -> None:
    card = Card(lambda: CardReading(temperature=99.0), Limits())
    beat = Pulse(tmp_path / "step.json", card, epoch=1, steps=9)
    for step in range(1, 10):
        beat.step_done(step, torch.zeros(2))
    assert slept == []
    assert card.summary() == (CardUse(gpu_temperature=99.0), 0.0)


def test_power_above_the_limit_is_said_once_and_nothing_waits(
    slept: list[float], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    card = Card(lambda: CardReading(power=210.0), Limits(power=200.0))
    with caplog.at_level(logging.WARNING):
        card.look()
        card.look()
    assert [r.getMessage() for r in caplog.records] == ["the GPU draws 210 W, more than 200 W (--max-gpu-power)"]
    assert slept == []


# --- in a trial


@pytest.fixture
def hot(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> Iterator[list[float]]:
    """A trial's card, at 90 degrees at its second look, and cool else."""
    temperatures = iter([60.0, 90.0, 88.0, 70.0, *[60.0] * 100])

    def read() -> CardReading:
        return CardReading(temperature=next(temperatures))

    monkeypatch.setattr(trial_module, "card_of", lambda device, limits: Card(read, limits))
    return slept


def test_a_trial_that_waits_for_its_card_reports_it_apart_and_computes_the_same(
    task: ForecastTask, tmp_path: Path, hot: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(spec_in(tmp_path), card_limits=Limits(85.0))
    reports = run(Trial(Toy(), spec, task, CPU))
    assert hot == [1.0, 1.0]  # at 90 and at 88 degrees
    assert [r.waited_seconds for r in reports] == pytest.approx([0, 2, 0, 0])
    assert reports[0].card.gpu_temperature == 60.0
    assert reports[1].card.gpu_temperature == 90.0
    assert not (spec.folder / "step.json").exists()
    monkeypatch.setattr(trial_module, "card_of", lambda device, limits: None)
    plain = run(Trial(Toy(), spec_in(tmp_path / "plain"), task, CPU))
    assert [r.scores for r in plain] == [r.scores for r in reports]
    assert [r.waited_seconds for r in plain] == [None] * 4
    assert [Report.from_row(r.to_row()) for r in reports] == reports


def test_a_report_has_the_mean_of_its_gradient_norms(
    task: ForecastTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip of 1e9 changes no gradient, so that each step's own norm can be taken from its gradients."""
    norms: list[float] = []
    clip = torch.nn.utils.clip_grad_norm_

    def measured(parameters: Any, most: float) -> torch.Tensor:
        parameters = list(parameters)
        norms.append(sum(float(p.grad.square().sum()) for p in parameters) ** 0.5)
        return clip(parameters, most)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", measured)
    reports = run(Trial(Toy(), spec_in(tmp_path, gradient_clip=1e9), task, CPU))
    means = [sum(norms[i : i + STEPS]) / STEPS for i in range(0, len(norms), STEPS)]
    assert [r.gradient_norm for r in reports[1:]] == pytest.approx(means, rel=1e-5)
    assert reports[0].gradient_norm is None
