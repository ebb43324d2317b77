"""Moirai's head for one patch size: the parameters of the predictive distribution, all in one matrix product."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.moirai.checkpoint import MoiraiWeights


def _rows(dim: int, widest: int, patch_size: int) -> list[int]:
    """Return where uni2ts has the outputs that one patch size uses, (dim * patch,)."""
    return [row * widest + column for row in range(dim) for column in range(patch_size)]


def acting_rows(dim: int, widest: int, patch_size: int) -> list[int]:
    """Return which of these outputs a weight acts on: the others have a bias alone."""
    return [place for place, row in enumerate(_rows(dim, widest, patch_size)) if row < dim * patch_size]


class PatchHead(nn.Module):
    """One distribution parameter's projection, with only the rows that act for one patch size.

    uni2ts gives a patch size's `dim * patch` outputs zero-padded to `dim * widest`, reads them as (dim, widest) and
    uses the first `patch` columns; the bias is not masked. So for dim > 1 only some rows of the weight act, and every
    (dim, column) has a bias. Source: uni2ts 2.0 module/ts_embed.py, MultiOutSizeLinear.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, dim: int, patch_size: int) -> None:
        """weight: (dim * widest, d_model), bias: (dim * widest,), of this patch size."""
        super().__init__()
        self.dim, self.patch_size = dim, patch_size
        widest = len(bias) // dim
        acting = acting_rows(dim, widest, patch_size)
        self.bias_rows = torch.tensor(_rows(dim, widest, patch_size))
        self.weight_rows = self.bias_rows[acting]
        self.register_buffer("places", torch.tensor(acting), persistent=False)
        self.weight = nn.Parameter(weight[self.weight_rows].clone())
        self.bias = nn.Parameter(bias[self.bias_rows].clone())

    def complete(self, products: Tensor) -> Tensor:
        """Add the bias to the products of states and weight, (…, acting rows): (…, patch), (…, patch, dim) for more."""
        if self.dim == 1:
            return products + self.bias
        spread = products.new_zeros(*products.shape[:-1], self.dim * self.patch_size)
        spread = spread.index_copy(-1, self.places, products)  # type: ignore[arg-type]
        by_patch: Tensor = (spread + self.bias).unflatten(-1, (self.dim, self.patch_size)).transpose(-1, -2)
        return by_patch


class DistributionHead(nn.Module):
    """The projections of all distribution parameters, in uni2ts's tree and under its names."""

    def __init__(self, weights: MoiraiWeights, size_index: int) -> None:
        super().__init__()
        self.dims = weights.mixture.arguments()
        self.proj = nn.Module()
        patch_size = weights.config.patch_sizes[size_index]
        for path, dim in self.dims.items():
            weight, bias = (
                weights.tensors[f"param_proj.proj.{path}.{kind}"][size_index] for kind in ("weight", "bias")
            )
            _set(self.proj, path, PatchHead(weight, bias, dim=dim, patch_size=patch_size))

    def heads(self) -> dict[str, PatchHead]:
        """Return the projections by uni2ts's paths."""
        return {path: self.proj.get_submodule(path) for path in self.dims}  # type: ignore[misc]

    def forward(self, states: Tensor) -> dict[str, Tensor]:
        """Map (batch, token, d_model) to what each argument has, (batch, token, patch), the weights one more."""
        heads = self.heads()
        weights: list[Tensor] = [head.weight for head in heads.values()]
        products = F.linear(states, torch.cat(weights)).split([len(weight) for weight in weights], dim=-1)
        return {path: head.complete(part) for (path, head), part in zip(heads.items(), products, strict=True)}


def _set(root: nn.Module, path: str, module: nn.Module) -> None:
    """Put a module where its path says, such as components.0.df."""
    *folders, name = path.split(".")
    for folder in folders:
        if not hasattr(root, folder):
            root.add_module(folder, nn.Module())
        root = root.get_submodule(folder)
    root.add_module(name, module)
