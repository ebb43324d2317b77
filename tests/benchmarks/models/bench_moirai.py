"""What fine-tuning Moirai costs here beside uni2ts's own module: a training step, a head-only step, a start-up.

    uv run python tests/benchmarks/models/bench_moirai.py [--device cuda]

Both sides run in turn in one process on the same windows (the start-ups in processes of their own); the best of the
rounds counts. Random weights of the published small configuration, and the bundled tiny model.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.nn import functional as F

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask, TaskSpec
from tests.benchmarks.models.in_turn import compare
from trainables.moirai.checkpoint import MoiraiConfig, MoiraiWeights, load_moirai
from trainables.moirai.network import FixedPatchMoirai
from trainables.moirai.trainable import Moirai
from trainables.pretraining.moirai import PUBLISHED_MIXTURE, untrained

CONTEXT, PREDICTION, PATCH, BATCH = 512, 96, 32, 32


SMALL = MoiraiConfig(
    distr_output=PUBLISHED_MIXTURE,
    d_model=384,
    num_layers=6,
    patch_sizes=(8, 16, 32, 64, 128),
    max_seq_len=512,
    attn_dropout_p=0.0,
    dropout_p=0.0,
)


def uni2ts_module(weights: MoiraiWeights):
    """The same checkpoint as uni2ts has it."""
    from uni2ts.model.moirai import MoiraiModule

    with TemporaryDirectory() as folder:
        weights.save_pretrained(Path(folder))
        return MoiraiModule.from_pretrained(folder)


def uni2ts_step(module, batch) -> None:
    """One forward and backward of MoiraiModule with uni2ts's packed loss, on windows already in its layout."""
    from uni2ts.loss.packed import PackedNLLLoss

    fields = packed(batch, max(module.patch_sizes))
    distribution = module(**fields)
    names = ("target", "prediction_mask", "observed_mask", "sample_id", "variate_id")
    loss = PackedNLLLoss()(pred=distribution, **{name: fields[name] for name in names})
    loss.backward()


def packed(batch, max_patch: int) -> dict[str, torch.Tensor]:
    values = torch.cat([batch.context, batch.target], dim=1)
    tokens = values.shape[1] // PATCH
    shape = (len(values), tokens)
    ids = torch.arange(tokens, device=values.device).expand(shape)
    return {
        "target": F.pad(torch.nan_to_num(values).unflatten(1, (tokens, PATCH)), (0, max_patch - PATCH)),
        "observed_mask": F.pad(~torch.isnan(values).unflatten(1, (tokens, PATCH)), (0, max_patch - PATCH)),
        "sample_id": torch.ones(shape, dtype=torch.long, device=values.device),
        "time_id": ids,
        "variate_id": torch.zeros(shape, dtype=torch.long, device=values.device),
        "prediction_mask": ids >= CONTEXT // PATCH,
        "patch_size": torch.full(shape, PATCH, device=values.device),
    }


def bench_steps(task: ForecastTask, name: str, weights: MoiraiWeights, device: torch.device) -> None:
    batch = task.gather("train", device).batch(torch.arange(BATCH))
    theirs = uni2ts_module(weights).to(device)
    model = Moirai()
    model.prediction_length, model.prediction_tokens, model.num_samples = PREDICTION, PREDICTION // PATCH, 25
    model.module = FixedPatchMoirai(weights, PATCH).to(device)
    compare(
        f"{name}, full: training step against MoiraiModule's",
        lambda: model.loss(batch).mean().backward(),
        lambda: uni2ts_step(theirs, batch),
        device,
    )
    compare(
        f"{name}: evaluation, loss and quantiles, against a training step of as many windows",
        lambda: evaluate(model, batch),
        lambda: model.loss(batch).mean().backward(),
        device,
    )
    for parameter_name, parameter in model.module.named_parameters():
        parameter.requires_grad_("param_proj" in parameter_name)
    with torch.no_grad():
        kept = replace(batch, features=model.prediction_states(batch))
    compare(
        f"{name}, head_only: step on kept features against the same without",
        lambda: model.loss(kept).mean().backward(),
        lambda: model.loss(batch).mean().backward(),
        device,
    )


@torch.no_grad()
def evaluate(model: Moirai, batch) -> None:
    model.validate(batch)


def bench_start_up() -> None:
    ours = "from trainables.moirai.trainable import Moirai"
    theirs = "from uni2ts.model.moirai import MoiraiModule"
    pairs = []
    for _ in range(2):
        pairs.append([_seconds_of(code) for code in (ours, theirs)])
    best = [min(side) for side in zip(*pairs, strict=True)]
    print(
        f"import of the model: {best[0]:.1f} s against uni2ts.model.moirai {best[1]:.1f} s, "
        f"ratio {best[0] / best[1]:.2f}"
    )


def _seconds_of(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = torch.device(parser.parse_args().device)
    print(f"torch {torch.__version__} on {device}, {torch.get_num_threads()} threads, batch {BATCH}")
    panel = read_panel(SAMPLES["sample"])
    task = ForecastTask(panel, TaskSpec(context_length=CONTEXT, prediction_length=PREDICTION, scale="standard"))
    bench_steps(task, "small (384 wide, 6 layers)", untrained(SMALL), device)
    bench_steps(task, "moirai-tiny (96 wide, 3 layers)", load_moirai("moirai-tiny"), device)
    bench_start_up()


if __name__ == "__main__":
    main()
