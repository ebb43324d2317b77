"""Time-LLM as a trainable: prompts made once, large states kept small in number, memory that does not grow."""

from __future__ import annotations

import ctypes
import gc
import json
import math
import platform

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from tests.paths import TINY_GPT2
from trainables.errors import CheckpointError, HyperError
from trainables.time_llm import TimeLlm
from trainables.time_llm.hyper import TimeLlmHyper
from trainables.time_llm.modeling import TimeLLM
from trainables.time_llm.prompts import prompt_texts, tokenize
from trainables.time_llm.trainable import describe
from trainables.time_llm.workload import workload
from trainables.trial.folders import SharedFolder
from trainables.trial.trial import Trial, TrialSpec

CPU = torch.device("cpu")
GPT2 = TINY_GPT2
VALUES = {
    "lr": 1e-3, "epochs": 2, "batch_size": 8, "llm": str(GPT2), "llm_layers": 2, "d_model": 16, "d_ff": 16,
    "n_heads": 2, "num_prototypes": 50,
}  # fmt: skip


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(3)
    steps = np.arange(600)
    values = {f"s{i}": 5 + i + 2 * np.sin(2 * np.pi * steps / 24 + i) + rng.normal(0, 0.3, 600) for i in range(2)}
    values["s0"][50:60] = np.nan
    panel = Panel.from_series("waves", {k: v.astype(np.float32) for k, v in values.items()}, freq="h")
    spec = TaskSpec(context_length=48, prediction_length=12, train_stride=23, eval_stride=11, scale="standard")
    return ForecastTask(panel, spec)


def hyper(**changes):
    return TimeLlmHyper(**{**VALUES, **changes})


def built(task, **changes):
    model = TimeLlm()
    model.build(hyper(**changes), task)
    return model


def trial_in(folder, task, *, name="t0000", reported_epoch=-1.0, **changes):
    spec = TrialSpec(
        folder / name, SharedFolder(folder / "shared"), {**VALUES, **changes}, "val_loss", 0, reported_epoch
    )
    return Trial(TimeLlm(), spec, task, CPU)


def run(trial):
    reports = [trial.step()]
    while not (reports[-1].stopped_by is not None):
        reports.append(trial.step())
    return reports


# --- training


def test_prompts_are_made_once_a_sweep_and_never_in_training(task, tmp_path, monkeypatch):
    made = []
    prompts = TimeLLM.prompts
    monkeypatch.setattr(TimeLLM, "prompts", lambda self, series: made.append(len(series)) or prompts(self, series))
    for number in range(3):
        run(trial_in(tmp_path, task, name=f"t000{number}", d_model=[8, 16, 32][number]))
    assert sum(made) == len(task.train) + len(task.val)
    assert len(list((tmp_path / "shared" / "features").glob("*.npy"))) == 2


def test_prompts_of_other_words_are_other_features(task, tmp_path):
    trial_in(tmp_path, task)
    trial_in(tmp_path, task, name="t0001", description="Something else.")
    assert len(list((tmp_path / "shared" / "features").glob("*.npy"))) == 4


def test_all_trials_of_one_size_start_from_one_model_whatever_their_seed(task, tmp_path):
    specs = [
        TrialSpec(tmp_path / f"t{seed}", SharedFolder(tmp_path / f"shared{seed}"), VALUES, "val_loss", seed)
        for seed in (0, 1)
    ]
    first, second = (Trial(TimeLlm(), spec, task, CPU).step() for spec in specs)
    assert first.scores.val_loss == second.scores.val_loss


def test_the_loss_is_the_mean_squared_error_of_observed_points_by_hand(task):
    model = built(task)
    batch = task.gather("val").batch(torch.arange(3))
    target = batch.target.clone()
    target[0, 3:] = math.nan
    target[2] = math.nan
    batch = type(batch)(batch.context, target, batch.series, batch.ids)
    point = torch.full_like(target, 0.5)
    expected = [float((target[0, :3] - 0.5).square().mean()), float((target[1] - 0.5).square().mean()), 0.0]
    assert model.point_loss(point, batch).tolist() == pytest.approx(expected, rel=1e-6)


def test_validation_loss_is_val_mse_and_beside_it_stands_the_naive(task, tmp_path):
    report = trial_in(tmp_path, task).step()
    assert report.scores.val_loss == pytest.approx(report.scores.val_mse, rel=1e-6)
    naive = json.loads((tmp_path / "shared" / "baselines" / "seasonal-naive.json").read_text())
    assert naive["val_loss"] == pytest.approx(naive["val_mse"], rel=1e-6)


def test_it_learns_waves(task, tmp_path):
    reports = run(trial_in(tmp_path, task, epochs=8, lr=5e-3, dropout=0.0))
    assert reports[-1].best_so_far < 0.6 * reports[0].scores.val_loss


def test_only_what_trains_is_kept_one_best_and_one_latest(task, tmp_path):
    trial = trial_in(tmp_path, task, epochs=4, lr=5e-3)
    for _ in range(4):
        trial.step()
    names = {n for n, p in trial.model.module.named_parameters() if p.requires_grad}
    best, *older = sorted((tmp_path / "t0000").glob("best_*"), reverse=True)
    assert len(older) <= 1  # until the record has the newest
    assert set(load_file(best / "trained.safetensors")) == names
    assert not [n for n in names if n.startswith("llm_model.")]
    (latest,) = (tmp_path / "t0000").glob("checkpoint_*")
    assert set(torch.load(latest / "state.pt", weights_only=True)["trained"]) == names
    trial.best.prune(1)
    assert [folder.name for folder in (tmp_path / "t0000").glob("best_*")] == [best.name]


def test_the_older_best_goes_when_the_next_epoch_begins(task, tmp_path, monkeypatch):
    trial = trial_in(tmp_path, task, epochs=4, lr=5e-3)
    while len(list((tmp_path / "t0000").glob("best_*"))) < 2:
        assert trial.step().stopped_by is None
    seen = []
    training = trial.training.run
    monkeypatch.setattr(
        trial.training,
        "run",
        lambda *span, **more: seen.append(len(list((tmp_path / "t0000").glob("best_*")))) or training(*span, **more),
    )
    trial.step()
    assert seen == [1]


def test_a_trial_goes_on_from_its_state_as_if_never_interrupted(task, tmp_path):
    whole = run(trial_in(tmp_path / "a", task, epochs=3))
    cut = trial_in(tmp_path / "b", task, epochs=3)
    cut.step(), cut.step()
    again = trial_in(tmp_path / "b", task, epochs=3, reported_epoch=1)
    rest = run(again)
    assert [r.epoch for r in rest] == [2, 3]
    for one, other in zip(whole[2:], rest, strict=True):
        assert one.scores.val_loss == other.scores.val_loss


def memory_in_use() -> int:
    """Resident memory in bytes once glibc has returned what is free in its heap (man 3 malloc_trim).

    Untrimmed it wanders by tens of MB with where the blocks happen to lie.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return psutil.Process().memory_info().rss


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs malloc_trim of glibc")
def test_memory_does_not_grow_over_twenty_epochs(task, tmp_path):
    few = ForecastTask(task.panel, task.spec.model_copy(update={"train_stride": 97, "eval_stride": 29}))
    trial = trial_in(tmp_path, few, epochs=20, patience=20)
    used, reported = [], []
    for _ in range(21):
        reported.append(trial.step().peak_memory_bytes)
        used.append(memory_in_use())
    assert all(value > 100e6 for value in reported)  # a process with torch in it
    assert min(used[-6:]) - min(used[3:9]) < 12 * 0.25e6  # 12 epochs lie between: less than 0.25 MB each


# --- checked before it starts


def test_a_preview_loads_no_weights(task, monkeypatch):
    monkeypatch.setattr("trainables.time_llm.modeling.load_backbone", lambda *_: pytest.fail("loaded"))
    assert TimeLlm().preview(hyper(), task) == len(task.train)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"llm_layers": 9}, r"llm_layers must be at most the 3 layers of .*gpt2, got 9"),
        ({"d_ff": 65}, r"d_ff must be at most the 64 dimensions of .*gpt2, got 65"),
        ({"patch_len": 49}, r"patch_len must be at most the context's 48 rows, got 49"),
        ({"llm": None}, r"llm must name a language model: a folder, a Hub id like openai-community/gpt2"),
        ({"precision": "fp16"}, r"precision fp16 is not for Time-LLM"),
    ],
)
def test_what_does_not_go_together_is_rejected(task, changes, message):
    with pytest.raises(HyperError, match=message):
        checked(hyper(**changes), task)


def checked(values, task):
    """What a sweep checks before it starts."""
    model = TimeLlm()
    model.check(values, task)
    model.preview(values, task)


def test_a_context_beyond_the_positions_is_refused_before_the_sweep(task):
    long = ForecastTask(task.panel, TaskSpec(context_length=400, prediction_length=12, eval_stride=11))
    with pytest.raises(HyperError, match=r"must fit into the 1024 positions of .*gpt2, got \d+ \+ 386; shorten"):
        TimeLlm().preview(hyper(stride=1, description="words " * 120), long)


def test_a_folder_without_weights_is_refused_before_the_sweep(task, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((GPT2 / name).read_bytes())
    with pytest.raises(CheckpointError, match=r"a language model's folder holds weights \(\*\.safetensors, \*\.bin\)"):
        TimeLlm().preview(hyper(llm=str(tmp_path)), task)


def test_the_packaged_model_names_its_extra_where_it_is_missing(task, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"an extra that is not installed; use: uv run --extra time-llm"):
        TimeLlm().preview(hyper(llm="all-minilm-l6-v2"), task)


def test_the_workload_counts_what_there_is(task):
    counted = workload(TimeLlm().configure(hyper(), task), training_precision="fp32")
    module = built(task).module
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert counted.trainable == trained
    assert counted.parameters == sum(p.numel() for p in module.parameters())
    assert counted.weight_bytes == 4 * counted.parameters
    # of the frozen layers alone: 2 layers of 12 * 64^2 weights and biases, a multiply and an add each
    texts = prompt_texts(torch.linspace(-1.7, 1.7, 48)[None], module.config.description, 12)
    tokens = tokenize(texts, module.backbone.tokenizer).shape[1] + 6
    layers = 2 * (12 * 64 * 64 + 13 * 64) + 2 * 64
    patches = module.config.patches
    attention = 2 * 2 * 2 * tokens * 64  # of a token: two layers, two products, a multiply and an add
    reprogramming = 2 * patches * 32 * (16 + 2 * 50 + 64)
    assert counted.eval_flops == (2 * layers + attention) * tokens + reprogramming
    assert counted.train_flops == (2 * layers + attention) * (tokens + patches) + 3 * reprogramming  # GPT-2 is causal
    kept = patches * (34 + 5 * 4 * tokens / 64) + 4 * (tokens - patches)  # 4 heads of 16; keys and values of 2 bytes
    assert counted.activation_bytes == pytest.approx(2 * kept * 64 * 2, rel=1e-6)  # in 32 bit; 2 layers of 64
    assert counted.step_flops == pytest.approx(2 * 2 * 50 * 64 * (300 + 2 * 32))


def test_qwen_in_four_bits_is_counted_without_a_gpu(task, monkeypatch):
    """Qwen2.5-3B's published sizes: 151,936 words of 2,048 dimensions, so the mapping layer alone has 152 M weights."""
    from transformers import Qwen2Config

    published = Qwen2Config(
        vocab_size=151936, hidden_size=2048, intermediate_size=11008, num_hidden_layers=6, num_attention_heads=16,
        num_key_value_heads=2,
    )  # fmt: skip
    monkeypatch.setattr("trainables.time_llm.workload.read_backbone_config", lambda *_: published)
    config = TimeLlm().configure(hyper(d_ff=32, d_model=32, n_heads=8, num_prototypes=1000, load_in_4bit=True), task)
    counted = workload(config, training_precision="bf16")
    assert counted.trainable == pytest.approx(152e6 + 1.7e6, rel=0.01)
    embeddings = 151936 * 2048
    layers = 6 * (2048 * 2048 * 2 + 2 * 2048 * 256 + 3 * 2048 * 11008)
    assert counted.weight_bytes == pytest.approx(0.5 * layers + 2 * embeddings + 4 * counted.trainable, rel=0.01)


# --- what goes out and comes back


def test_an_export_is_gone_on_from_and_refuses_other_sizes(task, tmp_path):
    built(task).save_pretrained(tmp_path)
    sizes = {name: VALUES[name] for name in ("lr", "epochs", "batch_size")}
    model = TimeLlm()
    model.build(TimeLlmHyper(**sizes, pretrained=str(tmp_path)), task)
    with pytest.raises(HyperError, match=r"sizes must be those of .*, got d_model 64; take --set d_model=16"):
        model.build(TimeLlmHyper(**sizes, d_model=64, pretrained=str(tmp_path)), task)


def test_an_export_forecasts_its_own_lengths_or_fewer_steps(task, tmp_path):
    built(task).save_pretrained(tmp_path)
    untouched = TimeLlm.hyper_for_checkpoint(str(tmp_path))
    shorter = ForecastTask(task.panel, TaskSpec(context_length=48, prediction_length=5, eval_stride=11))
    model = TimeLlm()
    model.build(untouched, shorter)
    batch = shorter.gather("val").batch(torch.arange(2))
    assert model.forecast(batch).point.shape == (2, 5)
    longer = ForecastTask(task.panel, TaskSpec(context_length=40, prediction_length=5, eval_stride=11))
    with pytest.raises(HyperError, match=r"forecasts 12 steps from 48, got --context-length 40"):
        model.build(untouched, longer)


def test_a_checkpoint_is_gone_on_from_with_the_dropout_that_is_asked_for(task, tmp_path):
    built(task, dropout=0.1).save_pretrained(tmp_path)
    sizes = {name: VALUES[name] for name in ("lr", "epochs", "batch_size")}
    model = TimeLlm()
    model.build(TimeLlmHyper(**sizes, pretrained=str(tmp_path), dropout=0.4), task)
    assert (model.module.patch_embedding.dropout.p, model.module.output_projection.dropout.p) == (0.4, 0.4)


def test_a_language_model_that_lacks_a_tensor_is_rejected(task, tmp_path):
    for file in GPT2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(GPT2 / "model.safetensors")
    kept = {n: t for n, t in tensors.items() if not n.endswith("h.1.mlp.c_fc.bias")}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 missing \(h\.1\.mlp\.c_fc\.bias\)"):
        built(task, llm=str(tmp_path))


def test_the_untrained_start_does_not_depend_on_what_was_loaded_before(task, tmp_path):
    """Loading may draw random numbers: nothing else may be drawn differently for it."""
    for file in GPT2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    first = built(task, llm=str(tmp_path)).module.trained_state()  # loads it
    second = built(task, llm=str(tmp_path)).module.trained_state()  # finds it loaded
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_published_prompts_are_measured_in_batches_that_fit_any_memory(task):
    assert built(task, prompt="published").eval_batch_size == 16
    assert built(task, prompt="masked").eval_batch_size == 256


@pytest.mark.parametrize("prompt", ["published", "masked"])
def test_windows_apart_are_forecast_as_each_is_alone(task, prompt):
    model = built(task, prompt=prompt)
    model.module.eval()
    windows = task.gather("train")
    with torch.no_grad():
        apart = model.forecast_apart(windows.batch(torch.arange(3)), 0).point
        alone = [model.forecast(windows.batch(torch.tensor([i]))).point for i in range(3)]
    assert torch.allclose(apart, torch.cat(alone), atol=1e-5)


def test_a_gap_at_the_start_of_a_context_is_its_first_value(task):
    model = built(task)
    model.module.eval()
    batch = task.gather("train").batch(torch.arange(2))
    holes = batch.context + 900
    holes[:, :10] = math.nan
    filled = holes.clone()
    filled[:, :10] = holes[:, 10:11]
    with torch.no_grad():
        one, other = (
            model.forecast(type(batch)(context, batch.target, batch.series, batch.ids)).point
            for context in (holes, filled)
        )
    assert torch.equal(one, other)


def test_missing_values_are_the_ones_before_them(task):
    model = built(task)
    model.module.eval()
    batch = task.gather("train").batch(torch.arange(4))
    holes = batch.context.clone()
    holes[:, 10] = math.nan
    filled = batch.context.clone()
    filled[:, 10] = filled[:, 9]
    with torch.no_grad():
        one, other = (
            model.forecast(type(batch)(context, batch.target, batch.series, batch.ids)).point
            for context in (holes, filled)
        )
    assert torch.equal(one, other)


def test_the_data_are_described_in_their_own_words_or_etts(task):
    assert describe(task) == "waves: 2 time series, a value every h."
    ett = Panel.from_series("ETTh1", {"OT": np.arange(600, dtype=np.float32)}, freq="h")
    text = describe(ForecastTask(ett, TaskSpec(context_length=48, prediction_length=12)))
    assert text.startswith("The Electricity Transformer Temperature (ETT) is a crucial indicator")


def test_the_card_tells_the_modes_apart(task):
    masked, published = (" ".join(built(task, prompt=mode).about()) for mode in ("masked", "published"))
    assert "each window's forecast is its own" in masked
    assert "depends on what else is in its batch" in published


def test_etth1_has_the_published_number_of_samples():
    """512 to 96 with every window: 7 x (8640 - 512 - 96 + 1), as many as the published loader counts."""
    rows = {f"s{i}": np.ones(17420, dtype=np.float32) for i in range(7)}
    panel = Panel.from_series("ETTh1", rows, freq="h")
    task = ForecastTask(panel, TaskSpec(context_length=512, prediction_length=96, split="ett"), parts=("train",))
    assert len(task.train) == 56_231
    assert math.ceil(len(task.train) / 4) == 14_058
