"""What one writes without foretune: Optuna around a training loop of uni2ts's own module, loss and forecaster.

    uv run python tests/benchmarks/against/optuna_uni2ts.py --minutes 5 [--each-in-a-process]

The default space of `foretune sweep`, on its data and windows. Prints a JSON line a finished epoch: seconds since the
start, the trial, and its mean absolute error on the validation windows. With a process a trial it is the loop of a
shell over a training script; values are then drawn at random.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import optuna
import torch
from torch.nn import functional as F
from uni2ts.loss.packed import PackedNLLLoss
from uni2ts.model.moirai import MoiraiForecast, MoiraiModule

from data.samples.bundled import PRETRAINED
from data.task.task import ForecastTask
from data.task.windows import Batch
from tune.planning.plan import plan_sweep
from tune.planning.request import SweepRequest, check_request

PATCH, PATIENCE, SAMPLES_DRAWN = 32, 3, 100
STRATEGIES = {
    "full": lambda name: True,
    "freeze_ffn": lambda name: ".ffn." not in name,
    "head_only": lambda name: name.startswith("param_proj."),
}


def values_of(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "strategy": trial.suggest_categorical("strategy", list(STRATEGIES)),
        "lr": trial.suggest_float("lr", 5e-6, 1e-4, log=True),
        "epochs": trial.suggest_int("epochs", 2, 8),
        "warmup_steps": trial.suggest_int("warmup_steps", 0, 30),
        "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64]),
        "weight_decay": trial.suggest_float("weight_decay", 0, 0.2),
    }


def packed(batch: Batch, widest: int) -> dict[str, torch.Tensor]:
    """Windows in uni2ts's layout."""
    values = torch.cat([batch.context, batch.target], dim=1)
    shape = (len(values), values.shape[1] // PATCH)
    ids = torch.arange(shape[1]).expand(shape)
    return {
        "target": F.pad(torch.nan_to_num(values).unflatten(1, (-1, PATCH)), (0, widest - PATCH)),
        "observed_mask": F.pad(~torch.isnan(values).unflatten(1, (-1, PATCH)), (0, widest - PATCH)),
        "sample_id": torch.ones(shape, dtype=torch.long),
        "time_id": ids,
        "variate_id": torch.zeros(shape, dtype=torch.long),
        "prediction_mask": ids >= batch.context.shape[1] // PATCH,
        "patch_size": torch.full(shape, PATCH),
    }


def epochs_of(values: dict[str, Any], task: ForecastTask) -> Iterator[float]:
    """Train; yield each epoch's mean absolute error on the validation windows."""
    module = MoiraiModule.from_pretrained(str(PRETRAINED["moirai-tiny"]))
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(STRATEGIES[values["strategy"]](name))
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=values["lr"], weight_decay=values["weight_decay"])
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / (values["warmup_steps"] + 1)))
    windows, loss_of = task.gather("train", torch.device("cpu")), PackedNLLLoss()
    names = ("target", "prediction_mask", "observed_mask", "sample_id", "variate_id")
    for _ in range(values["epochs"]):
        module.train()
        for ids in torch.randperm(len(windows)).split(values["batch_size"]):
            fields = packed(windows.batch(ids), max(module.patch_sizes))
            loss = loss_of(pred=module(**fields), **{name: fields[name] for name in names})
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            warm.step()
        yield validation_mae(module, task)


@torch.no_grad()
def validation_mae(module: MoiraiModule, task: ForecastTask) -> float:
    forecaster = MoiraiForecast(
        prediction_length=task.prediction_length,
        target_dim=1,
        feat_dynamic_real_dim=0,
        past_feat_dynamic_real_dim=0,
        context_length=task.context_length,
        module=module.eval(),
        patch_size=PATCH,
        num_samples=SAMPLES_DRAWN,
    )
    total, count = 0.0, 0
    for batch in task.gather("val", torch.device("cpu")).batches(64):
        observed = ~torch.isnan(batch.context)[..., None]
        drawn = forecaster(
            past_target=torch.nan_to_num(batch.context)[..., None],
            past_observed_target=observed,
            past_is_pad=torch.zeros_like(batch.context, dtype=torch.bool),
        )
        errors = (drawn.median(dim=1).values.reshape(batch.target.shape) - batch.target).abs()
        known = ~torch.isnan(batch.target)
        total, count = total + float(errors[known].sum()), count + int(known.sum())
    return total / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--each-in-a-process", action="store_true")
    parser.add_argument("--values")
    arguments = parser.parse_args()
    started, end = time.time(), time.time() + 60 * arguments.minutes
    if arguments.values:
        for mae in epochs_of(json.loads(arguments.values), plan_task()):
            print(json.dumps({"mae": mae}), flush=True)
        return
    task = plan_task()

    def objective(trial: optuna.Trial) -> float:
        best, since = float("inf"), 0
        for mae in in_process(trial) if arguments.each_in_a_process else epochs_of(values_of(trial), task):
            if time.time() > end:
                trial.study.stop()
                break
            print(json.dumps({"seconds": time.time() - started, "trial": trial.number, "mae": mae}), flush=True)
            since = 0 if mae < best else since + 1
            best = min(best, mae)
            if since >= PATIENCE:
                break
        return best

    def in_process(trial: optuna.Trial) -> Iterator[float]:
        command = [sys.executable, __file__, "--values", json.dumps(values_of(trial))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if line.startswith("{"):  # uni2ts prints where it loads from
                        yield json.loads(line)["mae"]
            finally:
                process.kill()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    random = optuna.samplers.RandomSampler(seed=0)
    sampler = random if arguments.each_in_a_process else optuna.samplers.TPESampler(seed=0)
    optuna.create_study(sampler=sampler).optimize(objective, n_trials=100_000)


def plan_task() -> ForecastTask:
    return plan_sweep(check_request(SweepRequest(space="quickstart"))).task


if __name__ == "__main__":
    main()
