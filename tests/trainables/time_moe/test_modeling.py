"""Time-MoE against the published code, run with weights drawn from a seed (parity/: data only).

`parity/` keeps a few steps of the large arrays; with ../shared beside the checkout, all are compared.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.paths import SHARED
from trainables.time_moe import TimeMoeConfig, TimeMoeForPrediction

KEPT = Path(__file__).parent / "parity"
WHOLE = SHARED / "parity" / "time_moe"
HORIZONS = (1, 8, 32, 64)
PREDICTIONS, LOSSES = 1e-5, 2e-6


class Golden:
    """Stored arrays, and how ours are cut to what is stored."""

    def __init__(self, path):
        with np.load(path) as arrays:
            self.arrays = dict(arrays)
        self.steps = self.arrays.get("steps")

    def __getitem__(self, name):
        return torch.from_numpy(self.arrays[name])

    def agrees(self, name, ours, *, atol=PREDICTIONS, rtol=0.0, where=None):
        ours, expected = ours.detach(), self[name]
        if name.startswith("base.router") and expected.dim() == 3:
            ours = ours.unflatten(0, (4, 64))
        if ours.shape != expected.shape:
            axis = 2 if "attn" in name else 1
            ours = ours.index_select(axis, torch.from_numpy(self.steps))
            where = None if where is None else where[:, self.steps]
        if where is not None:
            ours, expected = ours[where.bool()], expected[where.bool()]
        torch.testing.assert_close(ours, expected, atol=atol, rtol=rtol)


@pytest.fixture(scope="module", params=["kept", "whole"])
def golden(request):
    folder = KEPT if request.param == "kept" else WHOLE
    if not folder.is_dir():
        pytest.skip("needs ../shared beside the checkout")
    return Golden(folder / "golden.npz")


def load(attention="eager"):
    return TimeMoeForPrediction.from_pretrained(KEPT / "checkpoint", attn_implementation=attention).eval()


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def model(request):
    return load(request.param)


@pytest.fixture(scope="module")
def eager():
    return load()


def test_hidden_states_are_the_published_ones(model, golden):
    states = model(golden["base.x"]).hidden_states
    for number, state in enumerate(states):
        golden.agrees(f"base.hidden_{number}", state, rtol=1e-6)


def test_attention_and_routing_are_the_published_ones(eager, golden):
    out = eager(golden["base.x"])
    golden.agrees("base.attn_layer0", out.attentions[0])
    for layer in range(2):
        logits = out.router_logits[layer]
        golden.agrees(f"base.router_logits_{layer}", logits)
        weights, chosen = logits.softmax(-1).topk(2, dim=-1)
        golden.agrees(f"base.router_topk_weight_{layer}", weights)
        golden.agrees(f"base.router_topk_idx_{layer}", chosen, atol=0)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_every_head_predicts_what_the_published_code_predicts(model, golden, horizon):
    golden.agrees(f"base.pred_h{horizon}", model(golden["base.x"], max_horizon_length=horizon).logits)


@pytest.mark.parametrize(("name", "wanted"), [("default", None), ("max20", 20), ("max500", 500)])
def test_the_head_is_the_largest_that_fits(model, golden, name, wanted):
    golden.agrees(f"base.pred_{name}", model(golden["base.x"], max_horizon_length=wanted).logits)


def test_a_horizon_below_the_first_head_is_cut_from_it():
    model = TimeMoeForPrediction(small_config(horizon_lengths=[4, 8])).eval()
    states = torch.randn(2, 5, 16)
    torch.testing.assert_close(model.predict(states, 3), model.predict(states, 4)[..., :3])


@pytest.mark.parametrize("side", ["leftpad", "rightpad"])
@pytest.mark.parametrize("horizon", HORIZONS)
def test_padding_on_either_side_gives_the_published_predictions(model, golden, side, horizon):
    mask = golden[f"{side}.attention_mask"]
    logits = model(golden[f"{side}.x"], attention_mask=mask, max_horizon_length=horizon).logits
    golden.agrees(f"{side}.pred_h{horizon}", logits, where=mask)


def test_given_positions_are_used(model, golden):
    mask, positions = golden["leftpad.attention_mask"], golden["leftpad.position_ids_generate_style"]
    out = model(golden["leftpad.x"], attention_mask=mask, position_ids=positions, max_horizon_length=64)
    golden.agrees("leftpad.pred_h64_with_position_ids", out.logits, where=mask)


def inputs_of(golden, case):
    left, right = golden["leftpad.attention_mask"], golden["rightpad.attention_mask"]
    x, labels = golden["base.x"], golden["base.labels"]
    return {
        "nomask": {"input_ids": x, "labels": labels},
        "lossmask": {"input_ids": x, "labels": labels, "loss_masks": golden["loss.loss_masks"]},
        "rightpad": {
            "input_ids": golden["rightpad.x"],
            "attention_mask": right,
            "labels": golden["loss.rightpad.labels"],
            "loss_masks": golden["loss.rightpad.loss_masks"],
        },
        "leftpad": {"input_ids": golden["leftpad.x"], "attention_mask": left, "labels": labels},
        "leftpad_lm": {"input_ids": golden["leftpad.x"], "attention_mask": left, "labels": labels, "loss_masks": left},
    }[case]


CASES = ["nomask", "lossmask", "rightpad", "leftpad", "leftpad_lm"]


@pytest.mark.parametrize("case", CASES)
def test_losses_are_the_published_ones(model, golden, case):
    inputs = inputs_of(golden, case)
    out = model(**inputs)
    golden.agrees(f"loss.{case}.total", out.loss, atol=LOSSES)
    golden.agrees(f"loss.{case}.total.logits_returned", out.logits, where=inputs.get("attention_mask"))
    assert out.aux_loss is None

    decoded = model.model(inputs["input_ids"], inputs.get("attention_mask"))
    states, masks = decoded.last_hidden_state, inputs.get("loss_masks")
    balance = model.auxiliary_loss(decoded.router_logits, inputs.get("attention_mask")) / 0.02
    golden.agrees(f"loss.{case}.aux_raw", balance, atol=LOSSES * 50)  # divided by the factor, so is its error
    golden.agrees(f"loss.{case}.ar", model.loss_of(states, inputs["labels"], masks), atol=LOSSES)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("number", range(4))
def test_each_heads_huber_loss_is_the_published_one(eager, golden, case, number):
    from trainables.time_moe.losses import horizon_loss

    inputs = inputs_of(golden, case)
    states = eager.model(inputs["input_ids"], inputs.get("attention_mask")).last_hidden_state
    loss = horizon_loss(eager.lm_heads[number](states), inputs["labels"], inputs.get("loss_masks"))
    golden.agrees(f"loss.{case}.ar_h{HORIZONS[number]}", loss, atol=LOSSES)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("count", [12, 40, 96])
def test_generation_is_the_published_one(model, golden, count, use_cache):
    values = model.generate(golden["base.x"], max_new_tokens=count, use_cache=use_cache)
    golden.agrees(f"generate.n{count}{'' if use_cache else '_nocache'}", values)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("count", [12, 40])
def test_generation_after_left_padding_is_the_published_one(model, golden, count, use_cache):
    values = model.generate(
        golden["leftpad.x"],
        attention_mask=golden["leftpad.attention_mask"],
        max_new_tokens=count,
        use_cache=use_cache,
    )
    golden.agrees(f"generate.leftpad_n{count}{'' if use_cache else '_nocache'}", values)


@pytest.mark.parametrize("case", ["nomask", "lossmask"])
@pytest.mark.parametrize("with_balance", [True, False])
def test_gradient_norms_are_the_published_ones(golden, case, with_balance):
    model = load("sdpa")
    gradients(model, golden, case, with_balance=with_balance)
    expected = json.loads((KEPT / "grad_norms.json").read_text())[f"{case}_{'total' if with_balance else 'ar'}"]
    ours = {name: float(p.grad.norm()) for name, p in model.named_parameters()}
    assert ours.keys() == expected.keys()
    for name, norm in expected.items():
        assert ours[name] == pytest.approx(norm, rel=1e-5, abs=1e-9), name


def gradients(model, golden, case, *, with_balance=True):
    inputs = inputs_of(golden, case)
    if with_balance:
        model(**inputs).loss.backward()
    else:
        states = model.model(inputs["input_ids"]).last_hidden_state
        model.loss_of(states, inputs["labels"], inputs.get("loss_masks")).backward()


@pytest.mark.skipif(not WHOLE.is_dir(), reason="needs ../shared beside the checkout")
@pytest.mark.parametrize(("file", "case"), [("grads_lossmask_total", "lossmask"), ("grads_nomask_ar", "nomask")])
def test_gradients_are_the_published_ones(file, case):
    model = load()
    gradients(model, Golden(WHOLE / "golden.npz"), case, with_balance=case == "lossmask")
    for name, expected in load_file(WHOLE / f"{file}.safetensors").items():
        torch.testing.assert_close(model.get_parameter(name).grad, expected, atol=1e-6, rtol=1e-5)


def test_an_expert_without_tokens_gets_a_zero_gradient_not_none():
    torch.manual_seed(0)
    model = TimeMoeForPrediction(small_config(num_experts=16))
    x = torch.randn(1, 2)  # two tokens cannot reach sixteen experts
    model(x, labels=x).loss.backward()
    expert_gradients = [p.grad for name, p in model.named_parameters() if ".experts." in name]
    assert all(gradient is not None for gradient in expert_gradients)
    assert any(not gradient.any() for gradient in expert_gradients)


def test_gradient_checkpointing_changes_no_gradient(golden):
    plain, thrifty = load("sdpa"), load("sdpa")
    thrifty.activation_checkpointing_enable()
    for model in (plain, thrifty):
        model.train()
        gradients(model, golden, "lossmask")
    for (name, one), other in zip(plain.named_parameters(), thrifty.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, atol=1e-7, rtol=1e-5, msg=name)


def test_names_and_shapes_are_the_published_ones(eager):
    stored = load_file(KEPT / "checkpoint" / "model.safetensors")
    assert {name: tuple(t.shape) for name, t in eager.state_dict().items()} == {
        name: tuple(t.shape) for name, t in stored.items()
    }


def test_what_is_saved_has_the_published_config_keys_and_weights(eager, tmp_path):
    eager.save_pretrained(tmp_path)
    published = json.loads((KEPT / "checkpoint" / "config.json").read_text())
    ours = json.loads((tmp_path / "config.json").read_text())
    assert {k: v for k, v in ours.items() if k in published and k != "transformers_version"} == {
        k: v for k, v in published.items() if k != "transformers_version"
    }
    stored = load_file(KEPT / "checkpoint" / "model.safetensors")
    for name, tensor in load_file(tmp_path / "model.safetensors").items():
        assert torch.equal(tensor, stored[name]), name


def test_the_published_sizes_come_out():
    """113.35 M parameters, 49.65 M of them active, as the paper's table has it for the 50M model."""
    with torch.device("meta"):
        model = TimeMoeForPrediction(TimeMoeConfig())
    parameters = sum(p.numel() for p in model.parameters())
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    assert round(parameters / 1e6, 2) == 113.35
    assert round((parameters - experts * 6 / 8) / 1e6, 2) == 49.65


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_dense": True}, "exactly one of use_dense and apply_aux_loss"),
        ({"apply_aux_loss": False}, "exactly one of use_dense and apply_aux_loss"),
        ({"horizon_lengths": [8, 1]}, "must be positive and ascending"),
        ({"num_attention_heads": 3}, "multiple of num_attention_heads"),
    ],
)
def test_a_config_that_breaks_a_rule_is_rejected(changes, message):
    with pytest.raises(ValueError, match=message):
        small_config(**changes)


def test_a_dense_model_has_no_router_and_no_balance():
    model = TimeMoeForPrediction(small_config(use_dense=True, apply_aux_loss=False))
    x = torch.randn(2, 6)
    out = model(x, labels=x)
    assert all(logits is None for logits in out.router_logits)
    torch.testing.assert_close(out.loss, model.loss_of(model.model(x).last_hidden_state, x, None))


def test_fewer_key_heads_are_shared_in_blocks():
    """As if each key and value head stood once for each query head of its block."""
    torch.manual_seed(1)
    grouped = TimeMoeForPrediction(small_config(num_attention_heads=4, num_key_value_heads=2)).eval()
    full = TimeMoeForPrediction(small_config(num_attention_heads=4)).eval()
    weights = grouped.state_dict()
    for name, tensor in weights.items():
        if "k_proj" in name or "v_proj" in name:
            heads = tensor.unflatten(0, (2, 4))  # two heads of size 4
            weights[name] = heads.repeat_interleave(2, dim=0).flatten(0, 1)
    full.load_state_dict(weights)
    x = torch.randn(2, 7)
    torch.testing.assert_close(grouped(x).logits, full(x).logits, atol=1e-6, rtol=1e-5)


def test_the_callers_tensors_stay_as_they_are(eager):
    x, labels, masks = torch.randn(2, 8), torch.randn(2, 8), torch.ones(2, 8)
    eager(x, labels=labels, loss_masks=masks)
    assert x.shape == labels.shape == masks.shape == (2, 8)


@pytest.mark.parametrize(("inputs", "count"), [(torch.zeros(2, 4, 1), 3), (torch.zeros(2, 4), 0)])
def test_generation_refuses_other_shapes_and_nothing_to_do(eager, inputs, count):
    with pytest.raises(ValueError, match=r"batch, steps|at least 1"):
        eager.generate(inputs, max_new_tokens=count)


def small_config(**changes):
    values = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return TimeMoeConfig(**{**values, "num_experts": 4, "horizon_lengths": [1, 8], **changes})
