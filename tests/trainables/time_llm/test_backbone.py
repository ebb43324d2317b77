"""The specification of trainables/time_llm/backbone.py: any language model, cut, frozen and hashed."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from tests.trainables.time_llm.published import GPT2, close, save_random
from trainables.errors import CheckpointError, HyperError
from trainables.time_llm import TimeLLM, TimeLlmConfig
from trainables.time_llm.backbone import load_backbone


@pytest.mark.parametrize("kind", ["llama", "qwen2", "bert", "gpt2"])
def test_any_backbone_from_a_folder_is_cut_frozen_and_batch_independent(kind, tmp_path):
    save_random(kind, tmp_path)
    config = TimeLlmConfig(
        llm=str(tmp_path), llm_layers=2, description="D.", context_length=64, prediction_length=8, d_model=16, d_ff=24
    )
    model = TimeLLM.from_config(config).eval()
    assert model.backbone.config.num_hidden_layers == 2
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad} == {
        "patch_embedding", "mapping_layer", "reprogramming_layer", "output_projection"
    }  # fmt: skip
    series = torch.randn(3, 64, 1).cumsum(1) * torch.tensor([1.0, 1e-3, 1e4])[:, None, None]
    series[1] = 7.0  # whose statistics are short: prompts of several lengths
    tokens = model.prompt_tokens(series)
    assert (tokens == -1).any()
    with torch.no_grad():
        together = model(series, tokens)
        alone = torch.cat([model(series[i : i + 1], tokens[i : i + 1]) for i in range(3)])
    scale = series.std(1, keepdim=True).clamp_min(1e-2)
    close(together / scale, alone / scale, 1e-5)


@pytest.mark.parametrize("prompt", ["masked", "published"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2"])
def test_a_prompt_that_goes_first_changes_no_forecast_and_no_gradient_and_keeps_less(
    kind, prompt, tmp_path, monkeypatch
):
    save_random(kind, tmp_path)
    config = TimeLlmConfig(
        llm=str(tmp_path), llm_layers=2, prompt=prompt, description="D.", context_length=64, prediction_length=8,
        d_model=16, d_ff=24,
    )  # fmt: skip
    model = TimeLLM.from_config(config).eval()
    series = torch.randn(3, 64, 1).cumsum(1)
    series[1] = 7.0  # prompts of several lengths
    tokens = model.prompt_tokens(series)

    def trained():
        kept = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: kept.setdefault(t.untyped_storage().data_ptr(), t.untyped_storage().nbytes()) and t, lambda t: t
        ):
            output = model(series, tokens)
        model.zero_grad()
        output.square().mean().backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
        return output.detach(), gradients, sum(kept.values())

    assert model.prompt_goes_first
    output, gradients, kept = trained()
    monkeypatch.setattr(model, "prompt_goes_first", False)
    whole_output, whole_gradients, whole_kept = trained()
    torch.testing.assert_close(output, whole_output, rtol=1e-5, atol=1e-5)
    # A bias on attention's keys adds one number to all scores of a query: its gradient is zero, but for rounding.
    key_bias = "reprogramming_layer.key_projection.bias"
    key_weight = float(whole_gradients["reprogramming_layer.key_projection.weight"].abs().max())
    for rounding in (gradients.pop(key_bias), whole_gradients[key_bias]):
        assert float(rounding.abs().max()) <= 1e-4 * key_weight
    for name, gradient in gradients.items():
        largest = float(whole_gradients[name].abs().max())
        assert float((gradient - whole_gradients[name]).abs().max()) <= 1e-4 * largest + 1e-9, name
    assert kept < 0.7 * whole_kept


def test_a_model_that_looks_both_ways_reads_prompt_and_patches_together(tmp_path):
    save_random("bert", tmp_path)
    assert not load_backbone(str(tmp_path), 2, "float32").is_causal


def test_more_layers_than_the_model_has_are_rejected():
    with pytest.raises(HyperError, match=r"llm_layers must be at most the 3 layers of .*gpt2, got 4"):
        load_backbone(str(GPT2), 4, "float32")


def test_what_is_no_language_model_is_rejected(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_backbone(str(tmp_path), 1, "float32")
    with pytest.raises(CheckpointError, match="no such folder"):
        load_backbone("nowhere", 1, "float32")


def test_four_bits_need_a_gpu():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(HyperError, match="load_in_4bit needs a GPU with CUDA, and there is none"):
        load_backbone(str(GPT2), 2, "4bit")


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="needs the extra 4bit")
def test_four_bits_train_and_come_back_the_same_on_bitsandbytes_own_cpu_path(tmp_path, monkeypatch):
    """What a GPU does is not tried here; loading, hashing, a gradient and reloading are the same code."""
    monkeypatch.setattr("trainables.time_llm.backbone.check_4bit", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: "cpu")
    llm = tmp_path / "llm"
    save_random("qwen2", llm)
    config = TimeLlmConfig(
        llm=str(llm),
        llm_layers=2,
        llm_storage="4bit",
        description="D.",
        context_length=64,
        prediction_length=8,
        d_ff=24,
    )
    model = TimeLLM.from_config(config).train()  # as trials do; weights packed for a CPU's inference cannot train
    assert torch.uint8 in {p.dtype for p in model.llm_model.parameters()}
    series = torch.randn(3, 64, 1).cumsum(1)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(series)
        output.square().mean().backward()
    assert output.dtype == torch.float32
    assert model.mapping_layer.weight.grad.abs().sum() > 0
    model.save_pretrained(tmp_path / "saved")
    load_backbone.cache_clear()
    again = TimeLLM.from_pretrained(tmp_path / "saved")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(again(series), model.eval()(series))


def test_a_prompt_that_does_not_fit_the_models_positions_is_rejected(gpt2):
    model = gpt2.model(description="word " * 900)
    with pytest.raises(HyperError, match=r"must fit into the 1024 positions .* got \d+ \+ 12; shorten the description"):
        model.prompt_tokens(gpt2["main.x"])
