"""The encoder against uni2ts's own: states, gradients, dropout, and five steps of training."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.moirai.checkpoint import MoiraiConfig
from trainables.moirai.encoder import Encoder, RmsNorm

BATCH, TOKENS, OUTPUTS = 3, 11, 2


def config(width: int, layers: int = 2) -> MoiraiConfig:
    return MoiraiConfig(
        distr_output={}, d_model=width, num_layers=layers, patch_sizes=(8,), max_seq_len=64,
        attn_dropout_p=0.0, dropout_p=0.0,
    )  # fmt: skip


def uni2ts_encoder(width: int, layers: int) -> nn.Module:
    from uni2ts.module.norm import RMSNorm
    from uni2ts.module.position import BinaryAttentionBias, QueryKeyProjection, RotaryProjection
    from uni2ts.module.transformer import TransformerEncoder

    rotary = partial(QueryKeyProjection, proj_layer=RotaryProjection, kwargs={"max_len": 64}, partial_factor=(0.0, 0.5))
    encoder: nn.Module = TransformerEncoder(
        width, layers, num_heads=None, pre_norm=True, attn_dropout_p=0.0, dropout_p=0.0, norm_layer=RMSNorm,
        activation=F.silu, use_glu=True, use_qk_norm=True, var_attn_bias_layer=partial(BinaryAttentionBias),
        time_qk_proj_layer=rotary, shared_var_attn_bias=False, shared_time_qk_proj=True, d_ff=None,
    )  # fmt: skip
    for parameter in encoder.parameters():  # norms, too, are no longer 1
        nn.init.normal_(parameter, 0.0 if parameter.ndim > 1 else 1.0, 0.2)
    return encoder


def their_states(encoder: nn.Module, tokens: Tensor) -> Tensor:
    ids = torch.arange(tokens.shape[1]).expand(len(tokens), -1)
    states: Tensor = encoder(tokens, None, var_id=torch.zeros_like(ids), time_id=ids)
    return states[:, -OUTPUTS:]


@pytest.fixture(params=[64, 96, 384])
def pair(request: pytest.FixtureRequest) -> tuple[Encoder, nn.Module]:
    torch.manual_seed(request.param)
    theirs = uni2ts_encoder(request.param, 2)
    own = Encoder(config(request.param))
    missing, unexpected = own.load_state_dict(theirs.state_dict(), strict=False)
    assert not missing
    assert unexpected == [f"layers.{i}.self_attn.var_attn_bias.emb.weight" for i in range(2)]
    return own, theirs


def test_states_and_gradients_are_those_of_uni2ts(pair: tuple[Encoder, nn.Module]) -> None:
    own, theirs = (encoder.double() for encoder in pair)
    tokens = torch.randn(BATCH, TOKENS, own.norm.weight.shape[0], dtype=torch.float64)
    mine, expected = own(tokens, OUTPUTS), their_states(theirs, tokens)
    assert torch.allclose(mine, expected, rtol=1e-6, atol=1e-6)  # the angles are float32 on both sides
    mine.square().sum().backward()
    expected.square().sum().backward()
    named = dict(theirs.named_parameters())
    for name, parameter in own.named_parameters():
        gradient = named.pop(name).grad
        assert parameter.grad is not None
        assert gradient is not None
        assert torch.allclose(parameter.grad, gradient, rtol=1e-5, atol=1e-6 * gradient.abs().max().item()), name
    for name, parameter in named.items():
        assert name.endswith("var_attn_bias.emb.weight")
        assert parameter.grad is not None
        assert parameter.grad.abs().max() < 1e-10  # of one series: no effect


def test_five_steps_of_adamw_end_at_the_same_weights(pair: tuple[Encoder, nn.Module]) -> None:
    own, theirs = pair
    width = own.norm.weight.shape[0]
    for encoder, states in ((own, lambda t: own(t, OUTPUTS)), (theirs, lambda t: their_states(theirs, t))):
        optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-4, eps=1e-6)
        torch.manual_seed(1)
        for _ in range(5):
            loss = (states(torch.randn(BATCH, TOKENS, width)) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    named = dict(theirs.named_parameters())
    for name, parameter in own.named_parameters():
        assert torch.allclose(parameter, named[name], rtol=1e-5, atol=1e-5), name


def test_the_norms_gradient_is_autograds() -> None:
    norm = RmsNorm(6).double()
    nn.init.normal_(norm.weight, 1, 0.5)
    assert torch.autograd.gradcheck(norm, (torch.randn(2, 3, 6, dtype=torch.float64, requires_grad=True),))
    assert torch.autograd.gradcheck(
        lambda weight: torch.func.functional_call(norm, {"weight": weight}, torch.ones(2, 6, dtype=torch.float64)),
        (torch.randn(6, dtype=torch.float64, requires_grad=True),),
    )


def test_frozen_weights_get_no_gradient_and_states_still_do() -> None:
    encoder = Encoder(config(64)).requires_grad_(False)
    tokens = torch.randn(1, 5, 64, requires_grad=True)
    encoder(tokens, 1).sum().backward()
    assert tokens.grad is not None
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_dropout_acts_in_training_alone() -> None:
    encoder = Encoder(config(64).model_copy(update={"dropout_p": 0.5, "attn_dropout_p": 0.5}))
    tokens = torch.randn(1, 5, 64)
    assert not torch.equal(encoder(tokens, 2), encoder(tokens, 2))
    encoder.eval()
    assert torch.equal(encoder(tokens, 2), encoder(tokens, 2))
