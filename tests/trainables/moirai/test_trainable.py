"""Moirai against uni2ts itself: loss, gradients, decay split, forecasts and checkpoints."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from data.panel import Panel
from data.samples.bundled import PRETRAINED
from data.task.task import ForecastTask, TaskSpec
from trainables.errors import CheckpointError, HyperError
from trainables.moirai.checkpoint import load_moirai
from trainables.moirai.head import PatchHead
from trainables.moirai.hyper import MoiraiHyper
from trainables.moirai.trainable import STRATEGIES, Moirai, resolve_patch_size
from trainables.parameters import trainable_tensors

CONTEXT, PREDICTION = 500, 90  # neither is a whole number of patches


def hyper(**changes):
    values = {
        "lr": 1e-4,
        "epochs": 1,
        "batch_size": 8,
        "pretrained": "moirai-tiny",
        "strategy": "full",
        "patch_size": 32,
    }
    return MoiraiHyper(**{**values, **changes})


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(3)
    steps = np.arange(2000)
    values = 5 + 2 * np.sin(2 * np.pi * steps / 24) + rng.normal(0, 0.5, 2000)
    values[rng.random(2000) < 0.02] = np.nan
    panel = Panel.from_series("waves", {"a": values.astype(np.float32)}, freq="h")
    return ForecastTask(panel, TaskSpec(context_length=CONTEXT, prediction_length=PREDICTION, train_stride=60))


def as_double(fields):
    return {name: value.double() if value.is_floating_point() else value for name, value in fields.items()}


def uni2ts_module(folder=PRETRAINED["moirai-tiny"]):
    """The checkpoint as uni2ts itself loads it."""
    from uni2ts.model.moirai import MoiraiModule

    return MoiraiModule.from_pretrained(str(folder))


@pytest.fixture(scope="module")
def uni2ts_finetune():
    from uni2ts.model.moirai import MoiraiFinetune

    return MoiraiFinetune


def uni2ts_batch(finetune, batch, patch_size):
    """Put windows through uni2ts's own fine-tuning transformation and collation."""
    from uni2ts.data.loader import PadCollate

    transform = finetune.train_transform_map["default"](
        distance=1, prediction_length=PREDICTION, context_length=CONTEXT, patch_size=patch_size
    )
    windows = torch.cat([batch.context, batch.target], dim=1).numpy()
    entries = [transform({"target": [window], "freq": "h", "window": 0}) for window in windows]
    collate = PadCollate(512, finetune.seq_fields, finetune.pad_func_map)
    length = len(entries[0]["target"])
    collate.max_length = length
    return collate(entries)


@pytest.mark.parametrize("patch_size", [8, 16, 32, 64])
def test_loss_and_gradients_are_those_of_uni2ts_finetuning(task, uni2ts_finetune, patch_size):
    """In float64, but for the windows' mean and deviation, float32 on both sides: the narrow normal, 1e-3 wide, turns
    their last digit into a 1e-4 of the gradient. Encoder and densities by themselves agree to 1e-9, see beside."""
    source = uni2ts_module().double()
    finetune = uni2ts_finetune(
        min_patches=1,
        min_mask_ratio=0.1,
        max_mask_ratio=0.5,
        max_dim=128,
        num_training_steps=10,
        num_warmup_steps=0,
        module=source,
        context_length=CONTEXT,
        prediction_length=PREDICTION,
        patch_size=patch_size,
    )
    finetune.log = lambda *args, **kwargs: None
    batch = task.gather("train").batch(torch.arange(6))
    assert torch.isnan(batch.context).any()
    assert torch.isnan(batch.target).any()

    expected = finetune.training_step(as_double(uni2ts_batch(finetune, batch, patch_size)), 0)
    expected.backward()

    model = Moirai()
    module = model.build(hyper(patch_size=patch_size), task).double()
    loss = model.loss(replace(batch, context=batch.context.double(), target=batch.target.double())).mean()
    loss.backward()

    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    theirs = dict(source.named_parameters())
    index = module.size_index
    used = 0.0
    for name, parameter in module.named_parameters():
        head = module.get_submodule(name.rsplit(".", 1)[0])
        gradient = theirs[name].grad
        if isinstance(head, PatchHead):
            rows = head.weight_rows if name.endswith("weight") else head.bias_rows
            gradient = gradient[index, rows]
        elif name == "in_proj.weight":
            gradient = gradient[index, :, :patch_size]
        elif name == "in_proj.bias":
            gradient = gradient[index]
        used += gradient.square().sum().item()
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-3 * gradient.abs().max().item() + 1e-9), name
    assert used > 0
    every = sum(p.grad.square().sum().item() for p in theirs.values() if p.grad is not None)
    assert used == pytest.approx(every, rel=1e-4), "uni2ts has gradient where this network has no parameter"


def test_weight_decay_acts_where_uni2ts_lets_it_act(task, uni2ts_finetune):
    source = uni2ts_module()
    finetune = uni2ts_finetune(
        min_patches=1,
        min_mask_ratio=0.1,
        max_mask_ratio=0.5,
        max_dim=128,
        num_training_steps=10,
        num_warmup_steps=0,
        module=source,
        weight_decay=0.1,
    )
    groups = finetune.configure_optimizers()["optimizer"].param_groups
    names = {id(p): n for n, p in source.named_parameters()}
    expected = {names[id(p)]: g["weight_decay"] > 0 for g in groups for p in g["params"]}
    without_effect = [name for name in expected if "var_attn_bias" in name]
    assert not any(expected.pop(name) for name in without_effect)
    model = Moirai()
    module = model.build(hyper(), task)
    assert {n: model.optimizer.decays(n, p) for n, p in module.named_parameters()} == expected


@pytest.mark.parametrize(
    ("strategy", "trained", "frozen"),
    [
        ("full", "encoder.layers.0.ffn.fc1.weight", None),
        ("freeze_ffn", "in_proj.weight", "encoder.layers.0.ffn.fc1.weight"),
        ("head_only", "param_proj.proj.components.0.df.weight", "encoder.norm.weight"),
    ],
)
def test_strategies_train_and_freeze_by_uni2ts_names(task, strategy, trained, frozen):
    model = Moirai()
    module = model.build(hyper(strategy=strategy), task)
    assert module.get_parameter(trained).requires_grad
    assert frozen is None or not module.get_parameter(frozen).requires_grad
    assert set(trainable_tensors(model.module)) == {n for n, _ in module.named_parameters() if STRATEGIES[strategy](n)}


def test_an_untouched_export_is_the_same_model_for_uni2ts(task, tmp_path):
    model = Moirai()
    model.build(hyper(), task)
    model.save_pretrained(tmp_path / "copy")
    mine = uni2ts_module(tmp_path / "copy").state_dict()
    for name, tensor in uni2ts_module().state_dict().items():
        assert torch.equal(mine[name], tensor), name


def test_training_leaves_other_patch_sizes_alone(task, tmp_path):
    model = Moirai()
    module = model.build(hyper(weight_decay=0.1), task)
    optimizer = model.optimizer.over(model.module, hyper(weight_decay=0.1))
    model.loss(task.gather("train").batch(torch.arange(4))).mean().backward()
    optimizer.step()
    model.save_pretrained(tmp_path / "trained")
    before, after = uni2ts_module(), uni2ts_module(tmp_path / "trained")
    others = [i for i in range(len(before.patch_sizes)) if i != module.size_index]
    assert torch.equal(before.in_proj.weight[others], after.in_proj.weight[others])
    assert not torch.equal(before.in_proj.weight[module.size_index], after.in_proj.weight[module.size_index])


def test_median_forecast_agrees_with_uni2ts_forecasting(task):
    """Both draw samples: medians of 2,000 of them differ by sampling error alone."""
    from uni2ts.model.moirai import MoiraiForecast

    batch = task.gather("val").batch(torch.arange(2))
    context = torch.nan_to_num(batch.context, nan=5.0)
    model = Moirai()
    model.build(hyper(num_samples=2000), task)
    with torch.no_grad():
        torch.manual_seed(0)
        mine = model.forecast(type(batch)(context, batch.target, batch.series, batch.ids)).point
        theirs = MoiraiForecast(
            prediction_length=PREDICTION,
            target_dim=1,
            feat_dynamic_real_dim=0,
            past_feat_dynamic_real_dim=0,
            context_length=CONTEXT,
            module=uni2ts_module(),
            patch_size=32,
            num_samples=2000,
        )(
            past_target=context[..., None],
            past_observed_target=torch.ones_like(context, dtype=torch.bool)[..., None],
            past_is_pad=torch.zeros_like(context, dtype=torch.bool),
        )
    assert (mine - theirs.median(dim=1).values.reshape(mine.shape)).abs().mean() < 0.05


def test_frozen_features_give_the_loss_of_the_whole_model(task):
    model = Moirai()
    model.build(hyper(strategy="head_only"), task)
    batch = task.gather("train").batch(torch.arange(5))
    with torch.no_grad():
        whole = model.loss(batch)
        kept = model.loss(replace(batch, features=model.prediction_states(batch)))
    assert torch.equal(whole, kept)


def test_only_head_only_has_a_frozen_part_before_all_that_trains(task):
    for strategy in STRATEGIES:
        model = Moirai()
        model.build(hyper(strategy=strategy), task)
        assert (model.frozen_part(hyper(strategy=strategy), "val") is not None) == (strategy == "head_only")


@pytest.mark.parametrize(
    ("freq", "patch_size"),
    [("h", 32), ("15min", 32), ("D", 16), ("W-SUN", 16), ("ME", 8), ("QS-OCT", 8), ("s", 64), (None, 32)],
)
def test_auto_patch_size_goes_by_the_frequency(freq, patch_size):
    panel = Panel.from_series("x", {"a": np.zeros(3, dtype=np.float32)}, freq=freq)
    assert resolve_patch_size("auto", panel, (8, 16, 32, 64, 128)) == patch_size


def test_a_patch_size_that_the_checkpoint_lacks_is_rejected(task):
    with pytest.raises(HyperError, match=r"must be one that the checkpoint has \(8, 16, 32, 64\), got 100"):
        Moirai().build(hyper(patch_size=100), task)


def test_too_many_tokens_are_rejected(task):
    panel = Panel.from_series("x", {"a": np.arange(30_000, dtype=np.float32)}, freq="h")
    long = ForecastTask(panel, TaskSpec(context_length=4090, prediction_length=96, train_stride=500))
    with pytest.raises(HyperError, match="must fit into 512 tokens of 8 points, got 524"):
        Moirai().build(hyper(patch_size=8), long)
    assert math.ceil(4090 / 8) + 96 // 8 == 524


def test_a_folder_that_is_no_checkpoint_is_rejected(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds config\.json"):
        load_moirai(str(tmp_path))


def test_a_damaged_checkpoint_is_rejected(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"d_model": 8}))
    with pytest.raises(CheckpointError, match="cannot be loaded as a Moirai checkpoint"):
        load_moirai(str(tmp_path))


def test_an_unreachable_hub_names_the_local_alternative(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="pretrained=moirai-tiny"):
        load_moirai("Salesforce/moirai-1.1-R-small")


def test_the_bundled_model_is_small():
    assert sum(f.stat().st_size for f in PRETRAINED["moirai-tiny"].iterdir()) < 3_000_000
