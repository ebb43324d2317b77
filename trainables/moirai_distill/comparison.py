"""What a student keeps of its teacher, in words: the gain over naive, sizes, and speed, timed side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from data.task.windows import Batch, WindowGather
from trainables.trial.report import Scores

BATCH_SIZE = 64
LEAST_ROUNDS, MOST_ROUNDS = 2, 15
BUDGET_SECONDS = 2.0


@dataclass(frozen=True)
class Speed:
    """Forecasts a second of two models, each the median over rounds in turn on the same windows."""

    student: float
    teacher: float
    batch_size: int
    device: str


@torch.no_grad()
def time_both(student: Callable[[Batch], object], teacher: Callable[[Batch], object], windows: WindowGather) -> Speed:
    """Time two forecasters round about, a batch each a round; a few seconds at most, but for a slow teacher's rounds.

    The first round, in which memory is taken and kernels are chosen, does not count.
    """
    batches = list(windows.batches(BATCH_SIZE, torch.arange(min(len(windows), BATCH_SIZE * MOST_ROUNDS))))
    full = [batch for batch in batches if len(batch.ids) == len(batches[0].ids)]
    rates: dict[str, list[float]] = {"student": [], "teacher": []}
    started = time.monotonic()
    for number in range(MOST_ROUNDS + 1):
        if number > LEAST_ROUNDS and time.monotonic() - started > BUDGET_SECONDS:
            break
        batch = full[number % len(full)]
        for name, forecaster in (("student", student), ("teacher", teacher)):
            rate = len(batch.ids) / _seconds(forecaster, batch)
            if number:
                rates[name].append(rate)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return Speed(medians["student"], medians["teacher"], len(full[0].ids), full[0].context.device.type)


def _seconds(forecaster: Callable[[Batch], object], batch: Batch) -> float:
    started = time.perf_counter()
    forecaster(batch)
    if batch.context.device.type == "cuda":
        torch.cuda.synchronize(batch.context.device)
    return time.perf_counter() - started


def gain_sentence(student: float, baselines: Mapping[str, Scores]) -> str | None:
    """Say which share of the teacher's gain over naive on val_mse the student keeps; None where one was not measured.

    student: its val_mse. baselines: the scores of `teacher` and of the naive one, by name.
    """
    naive_name = next((name for name in baselines if name.endswith("naive")), None)
    teacher = baselines.get("teacher", Scores()).val_mse
    naive = None if naive_name is None else baselines[naive_name].val_mse
    if teacher is None or naive is None:
        return None
    figures = f"val_mse {student:.4g}, teacher {teacher:.4g}, {naive_name} {naive:.4g}"
    if teacher >= naive:
        verb = "does" if student < naive else "does not either"
        return f"no gain to keep: the teacher does not beat {naive_name} here; the student {verb} ({figures})"
    share = (naive - student) / (naive - teacher)
    if share <= 0:
        return f"keeps nothing of the teacher's gain over {naive_name}, which it does not beat ({figures})"
    if share > 1:
        return f"better than its teacher: {100 * share:.0f} % of the teacher's gain over {naive_name} ({figures})"
    return f"keeps {100 * share:.0f} % of the teacher's gain over {naive_name} ({figures})"


def size_sentence(student: int, teacher: int) -> str:
    """Say how many weights both have."""
    return f"{student / 1e6:.2f} M, the teacher {teacher / 1e6:.2f} M: {_times(teacher / student, 'fewer', 'more')}"


def speed_sentence(speed: Speed) -> str:
    """Say how many forecasts a second both make, and their ratio."""
    ratio = _times(speed.student / speed.teacher, "more", "fewer")
    where = f"side by side on {speed.device}, batches of {speed.batch_size}"
    return f"{speed.student:,.0f}, the teacher {speed.teacher:,.0f}: {ratio} ({where})"


def _times(ratio: float, above: str, below: str) -> str:
    """'12 times fewer', or the other way round where the ratio is below 1."""
    factor, word = (ratio, above) if ratio >= 1 else (1 / ratio, below)
    return f"{factor:.{1 if factor < 10 else 0}f} times {word}"
