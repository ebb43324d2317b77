"""Time-LLM against the published code, run in float32 with weights drawn from a seed (parity/: data only).

`parity/` and `gpt2/` keep one backbone; with ../shared beside the checkout BERT is compared too, and with the extra
`time-llm` the real MiniLM.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import AutoModel

from tests.trainables.time_llm.published import GPT2, GRADIENT, HEAD, LOSS, OUTPUT, STATES, close
from trainables.errors import CheckpointError
from trainables.time_llm import TimeLLM
from trainables.time_llm.backbone import load_backbone
from trainables.time_llm.prompts import as_rows, normalise

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


# --- files


def test_what_is_saved_is_what_trains_and_comes_back_whole(gpt2, tmp_path):
    model = gpt2.model("masked")
    model.save_pretrained(tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) == set(gpt2.tensors)
    again = TimeLLM.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(again(gpt2["main.x"]), model(gpt2["main.x"]))
    assert json.loads((tmp_path / "config.json").read_text())["llm_hash"] == model.backbone.hash


def test_another_language_model_under_the_same_name_is_rejected(gpt2, tmp_path):
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
    with pytest.raises(CheckpointError, match=r"1 of another shape \(mapping_layer\.bias is \(3,\) for "):
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
