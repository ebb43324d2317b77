"""What every model of ours must do, whatever it is: one suite over all of them and their strategies."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from data.panel import Panel
from data.samples.bundled import PRETRAINED
from data.task.task import ForecastTask, TaskSpec
from tests.paths import TINY_GPT2
from trainables.base import check_hyper
from trainables.device.memory import MicroBatch
from trainables.parameters import trainable_tensors
from trainables.trial.evaluation import evaluate
from trainables.trial.folders import SharedFolder
from trainables.trial.frozen import FrozenFeatures
from trainables.trial.trial import Trial, TrialSpec
from tune.registry import find_trainable, recognise_trainable, shipped_trainables

SHARED_VALUES = {"lr": 1e-3, "epochs": 1, "batch_size": 8, "weight_decay": 0.1}
CASES = {
    "moirai": {
        "pretrained": "moirai-tiny",
        "strategies": ["full", "freeze_ffn", "head_only"],
        "num_samples": 20,
    },
    "time-moe": {
        "pretrained": "time-moe-tiny",
        "strategies": ["full", "freeze_experts", "heads_only"],
        "max_length": 64,
        "stride": 40,
    },
    "time-llm": {
        "llm": str(TINY_GPT2),
        "llm_layers": 2,
        "strategies": ["all"],
        "d_model": 16,
        "n_heads": 2,
    },
    "moirai-distill": {
        "teacher": "moirai-tiny",
        "strategies": ["all"],
        "num_samples": 20,
        "d_model": 16,
        "n_heads": 2,
        "n_layers": 2,
    },
}
BUNDLED = [name for name, case in CASES.items() if "pretrained" in case]
PAIRS = [(name, strategy) for name, case in CASES.items() for strategy in case["strategies"]]
each = pytest.mark.parametrize(("name", "strategy"), PAIRS, ids=[f"{n}-{s}" for n, s in PAIRS])


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(3)
    steps = np.arange(600)
    values = {f"s{i}": 5 + i + 2 * np.sin(2 * np.pi * steps / 24 + i) + rng.normal(0, 0.3, 600) for i in range(2)}
    values["s0"][50:60] = np.nan
    panel = Panel.from_series("waves", {k: v.astype(np.float32) for k, v in values.items()}, freq="h")
    spec = TaskSpec(context_length=64, prediction_length=12, train_stride=24, eval_stride=12, scale="standard")
    return ForecastTask(panel, spec)


def values_of(name, strategy):
    """The hyperparameters of a case; a model with one way to train has no parameter for it."""
    case = {k: v for k, v in CASES[name].items() if k != "strategies"}
    return {**SHARED_VALUES, **case, **({} if strategy == "all" else {"strategy": strategy})}


def built(name, strategy, task):
    """A model as a trial builds it, its hyperparameters, and its first training windows."""
    model = find_trainable(name)()
    hyper = check_hyper(type(model), values_of(name, strategy))
    model.check(hyper, task)
    model.build(hyper, task)
    windows = model.training_windows(hyper, task, torch.device("cpu"))
    return model, hyper, windows.batch(torch.arange(6))


def test_every_shipped_model_is_in_this_suite():
    assert sorted(CASES) == sorted(shipped_trainables())


@each
def test_the_loss_is_a_finite_number_a_window_and_gradients_reach_what_trains_alone(name, strategy, task):
    model, _, batch = built(name, strategy, task)
    torch.manual_seed(0)  # of dropout
    whole, parts = model.loss_and_parts(batch)
    torch.manual_seed(0)
    loss = model.loss(batch)
    assert loss.shape == (6,)
    assert loss.isfinite().all()
    assert torch.equal(whole, loss)
    assert list(parts) == [name for name in model.loss_parts if name in parts]
    assert all(part.shape == (6,) for part in parts.values())
    loss.mean().backward()
    trains = set(trainable_tensors(model.module))
    for parameter_name, parameter in model.module.named_parameters():
        assert (parameter.grad is not None) == (parameter_name in trains), parameter_name
    assert any(model.module.get_parameter(n).grad.any() for n in trains)


@each
def test_a_forecast_has_one_value_a_step_in_the_units_of_its_context(name, strategy, task):
    model, _, _ = built(name, strategy, task)
    model.module.eval()
    batch = task.gather("val").batch(torch.arange(4))
    with torch.no_grad():
        forecast = model.forecast(batch)
    assert forecast.point.shape == batch.target.shape
    assert forecast.point.isfinite().all()
    level = batch.context.nanmean(1)
    assert ((forecast.point.mean(1) - level).abs() < 3).all()  # a scaled series stays within a few deviations


@each
def test_what_is_saved_comes_back_with_the_same_scores(name, strategy, task, tmp_path):
    model, hyper, batch = built(name, strategy, task)
    optimizer = model.optimizer.over(model.module, hyper)
    model.loss(batch).mean().backward()
    optimizer.step()
    model.save_pretrained(tmp_path)
    again = type(model)()
    again.rebuild(tmp_path, hyper, task)
    one, other = (evaluate(m, task, "val", micro_batch=MicroBatch(64)).scores for m in (model, again))
    given, again = ({k: v for k, v in scores.to_row().items() if v is not None} for scores in (one, other))
    assert {"val_loss", "val_mae", "val_mase", "val_wql"} <= set(given)  # a point forecast has no coverage
    assert given == pytest.approx(again, rel=1e-5)


@each
def test_a_step_changes_what_trains_and_nothing_else(name, strategy, task):
    model, hyper, batch = built(name, strategy, task)
    before = {n: p.detach().clone() for n, p in model.module.named_parameters()}
    optimizer = model.optimizer.over(model.module, hyper)
    model.loss(batch).mean().backward()
    optimizer.step()
    changed = {n for n, p in model.module.named_parameters() if not torch.equal(p, before[n])}
    assert changed
    assert changed <= set(trainable_tensors(model.module))


@each
def test_kept_features_change_no_gradient(name, strategy, task, tmp_path):
    model, hyper, batch = built(name, strategy, task)
    part = model.frozen_part(hyper, "train")
    if part is None:
        assert strategy not in ("head_only", "heads_only")
        return
    windows = model.training_windows(hyper, task, torch.device("cpu"))
    features = FrozenFeatures.obtain(
        SharedFolder(tmp_path), part.name, part, model.module, windows, micro_batch=MicroBatch(4), precision="fp32"
    )
    model.module.train()
    gradients = []
    for given in (batch, features.attach(batch)):
        model.module.zero_grad()
        torch.manual_seed(0)
        model.loss(given).mean().backward()
        gradients.append({n: p.grad.clone() for n, p in model.module.named_parameters() if p.grad is not None})
    for n, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][n], gradient, atol=1e-6, rtol=1e-4, msg=n)


@each
def test_weight_decay_spares_every_bias(name, strategy, task):
    model, hyper, _ = built(name, strategy, task)
    names = {id(p): n for n, p in model.module.named_parameters()}
    decayed, *spared = model.optimizer.over(model.module, hyper).param_groups
    assert decayed["weight_decay"] == 0.1
    assert all(group["weight_decay"] == 0 for group in spared)
    assert not [n for p in decayed["params"] if (n := names[id(p)]).endswith("bias")]


@each
def test_a_trial_starts_at_zero_shot_trains_and_keeps_its_best_epoch(name, strategy, task, tmp_path):
    values = {**values_of(name, strategy), "lr": 1e-4}
    spec = TrialSpec(
        folder=tmp_path / "t", shared=SharedFolder(tmp_path / "shared"), hyper=values, metric="val_mae", seed=0
    )
    trial = Trial(find_trainable(name)(), spec, task, torch.device("cpu"))
    zero, first = trial.step(), trial.step()
    assert (zero.epoch, first.epoch, first.stopped_by) == (0, 1, "epochs")
    assert zero.scores.val_mae != first.scores.val_mae
    kept = load_file(next((tmp_path / "t").glob("best_*")) / "trained.safetensors")
    assert set(kept) == set(trainable_tensors(trial.model.module))


@each
def test_a_checkpoint_is_recognised_by_its_config(name, strategy, task, tmp_path):
    model, _, _ = built(name, strategy, task)
    model.save_pretrained(tmp_path)
    assert recognise_trainable(json.loads((tmp_path / "config.json").read_text()), "it") == name


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_checkpoint_is_under_three_megabytes(name):
    folder = PRETRAINED[CASES[name]["pretrained"]]
    assert sum(file.stat().st_size for file in folder.iterdir()) < 3_000_000


@each
def test_saving_memory_keeps_less_for_the_backward_pass_and_changes_no_gradient(name, strategy, task):
    """What is kept is what autograd saves; parameters are there anyway."""
    found = {}
    for saves in (False, True):
        model, _, batch = built(name, strategy, task)
        if saves:
            assert model.save_memory()
        kept = []
        own = {p.untyped_storage().data_ptr() for p in model.module.parameters()}

        def keep(tensor, kept=kept, own=own):
            if tensor.untyped_storage().data_ptr() not in own:
                kept.append(tensor.numel() * tensor.element_size())
            return tensor

        model.module.train()
        for module in model.module.modules():  # its draws are others where prompt and patches go together
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        torch.manual_seed(0)  # a teacher draws samples
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model.loss(batch).mean()
        loss.backward()
        gradients = {n: p.grad.clone() for n, p in model.module.named_parameters() if p.grad is not None}
        found[saves] = (loss.detach(), gradients, sum(kept))
    torch.testing.assert_close(found[True][0], found[False][0])
    assert found[True][1].keys() == found[False][1].keys()
    for parameter, gradient in found[False][1].items():
        torch.testing.assert_close(found[True][1][parameter], gradient, rtol=1e-4, atol=1e-6)
    if strategy in ("full", "freeze_ffn", "freeze_experts", "all"):
        assert found[True][2] < found[False][2]
