"""The precision that a trial computes in, on cards that are not there."""

from __future__ import annotations

import pytest
import torch

from trainables.device.precision import autocast, check_precision, precision_on, resolved
from trainables.errors import HyperError
from trainables.hyper import Hyper

CPU, CARD = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> bool:
    """A card that computes in bf16, or does not."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: request.param)
    return bool(request.param)


@pytest.mark.parametrize("bf16", [True, False], indirect=True)
def test_auto_is_bf16_where_a_card_has_it(bf16: bool) -> None:
    assert precision_on(CARD, "auto") == ("bf16" if bf16 else "fp32")
    assert precision_on(CPU, "auto") == "fp32"
    assert precision_on(CARD, "fp16") == "fp16"


@pytest.mark.parametrize("bf16", [True], indirect=True)
def test_a_trials_precision_is_a_plain_one(bf16: bool) -> None:
    hyper = Hyper(lr=0.1, epochs=1, batch_size=1)
    assert hyper.precision == "auto"
    assert (resolved(hyper, CPU).precision, resolved(hyper, CARD).precision) == ("fp32", "bf16")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_not_for_a_cpu(precision: str) -> None:
    with pytest.raises(HyperError, match=f"precision {precision} needs a GPU that has it"):
        check_precision(precision, CPU)


def test_fp32_computes_as_it_is_written() -> None:
    layer, values = torch.nn.Linear(2, 2), torch.ones(1, 2)
    for precision in ("fp32", "auto"):
        with autocast(CPU, precision):
            assert layer(values).dtype == torch.float32
    with autocast(CPU, "bf16"):
        assert layer(values).dtype == torch.bfloat16
