"""A model's parameters: which of them train, how AdamW treats them, what a checkpoint holds of them, their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.checkpoints.weights import check_shapes, shapes_of
from trainables.errors import HyperError
from trainables.hyper import Hyper
from trainables.optimizer import FusedAdamW


def decays_by_default(name: str, parameter: nn.Parameter) -> bool:
    """Return whether weight decay acts on a parameter: not on biases and one-dimensional weights."""
    return parameter.ndim > 1 and not name.endswith("bias")


@dataclass(frozen=True)
class AdamW:
    """How a model is optimised. decays: which parameters weight decay acts on, by name and tensor."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    decays: Callable[[str, nn.Parameter], bool] = decays_by_default

    def over(self, module: nn.Module, hyper: Hyper) -> FusedAdamW:
        """Return the optimiser of the parameters that train, in two groups: with weight decay and without."""
        decayed: list[Tensor] = []
        spared: list[Tensor] = []
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                (decayed if self.decays(name, parameter) else spared).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": hyper.weight_decay},
            {"params": spared, "weight_decay": 0.0},
        ]
        return FusedAdamW([g for g in groups if g["params"]], lr=hyper.lr, betas=self.betas, eps=self.eps)


def freeze(module: nn.Module, *, trains: Callable[[str], bool], strategy: str) -> None:
    """Set requires_grad to trains(name) for every parameter; some must train and, unless `full`, some must not.

    Raises HyperError if the strategy would train nothing or freeze nothing.
    """
    kept = 0
    total = 0
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(trains(name))
        kept += parameter.requires_grad
        total += 1
    if kept == 0 or (kept == total) != (strategy == "full"):
        raise HyperError(
            f"strategy {strategy} must train some parameters and freeze some unless it is full; "
            f"it trains {kept} of {total}; choose another strategy for this checkpoint"
        )


def trainable_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that train, by name: all that a trial's checkpoint must hold."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def load_trainable_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy trained tensors back; raises CheckpointError if a name or a shape is not right."""
    own = trainable_tensors(module)
    check_shapes(shapes_of(tensors), shapes_of(own))
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(tensors[name])
    module.train(module.training)  # a module drops here what it has computed from the weights before


def blend_into(module: nn.Module, parts: Sequence[tuple[float, Mapping[str, Tensor]]]) -> None:
    """Move a module's weights a share of the way to those of models trained from it: w + sum of share * (trained - w).

    parts: the shares, and what each training changed, by parameter; what it left alone stays as it is in its part.
    A line from the initial model to one trained one is a single share in 0 to 1 (Wortsman et al. 2022, WiSE-FT,
    arXiv:2109.01903), an average of n is shares of 1 / n (Wortsman et al. 2022, Model soups, arXiv:2203.05482).
    Raises CheckpointError if a name or a shape is not the module's.
    """
    own = dict(module.named_parameters())
    for _, tensors in parts:
        check_shapes(shapes_of(tensors), shapes_of({name: own[name] for name in tensors if name in own}))
    with torch.no_grad():
        for name, parameter in own.items():
            start = parameter.double()
            moves = [share * (tensors[name].to(start) - start) for share, tensors in parts if name in tensors]
            if moves:
                parameter.copy_(start + torch.stack(moves).sum(0))
    module.train(module.training)  # a module drops here what it has computed from the weights before


def frozen_weights_hash(module: nn.Module) -> str:
    """Return the sha256 of the weights that do not train."""
    digest = hashlib.sha256()
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            digest.update(name.encode())
            digest.update(parameter.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
