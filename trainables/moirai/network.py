"""Moirai for one fixed patch size: the same numbers as uni2ts's MoiraiModule at a fraction of its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution


@dataclass(frozen=True)
class Standardised:
    """Windows as Moirai sees them.

    values: (batch, token, patch), missing points as 0 in the units of the series, standardised.
    loc, scale: (batch, 1), of the observed context.
    """

    values: Tensor
    loc: Tensor
    scale: Tensor


class PatchHead(nn.Module):
    """One distribution parameter's projection, with only the rows that act for one patch size.

    uni2ts gives a patch size's `dim * patch` outputs zero-padded to `dim * max_patch`, reads them as (dim, max_patch)
    and uses the first `patch` columns; the bias is not masked. So for dim > 1 only some rows of the weight act, and
    every (dim, column) has a bias. Source: uni2ts 2.0 module/ts_embed.py, MultiOutSizeLinear.
    """

    def __init__(self, source: Any, size_index: int, patch_size: int) -> None:
        super().__init__()
        max_rows = source.weight.shape[1]
        self.dim, self.patch_size = int(source.dim), patch_size
        max_patch = max_rows // self.dim
        entries = [
            row * max_patch + column for row in range(self.dim) for column in range(patch_size)
        ]  # (dim, patch) in uni2ts's output order
        acting = [place for place, entry in enumerate(entries) if entry < source.out_features_ls[size_index]]
        self.bias_rows = torch.tensor(entries)
        self.weight_rows = self.bias_rows[acting]
        self.register_buffer("places", torch.tensor(acting), persistent=False)
        self.weight = nn.Parameter(source.weight.detach()[size_index, self.weight_rows].clone())
        self.bias = nn.Parameter(source.bias.detach()[size_index, self.bias_rows].clone())

    def forward(self, states: Tensor) -> Tensor:
        """Map (batch, token, d_model) to (batch, token, patch, dim)."""
        out = F.linear(states, self.weight)
        if self.dim > 1:
            spread = out.new_zeros(*out.shape[:-1], self.dim * self.patch_size)
            out = spread.index_copy(-1, self.places, out)  # type: ignore[arg-type]
        spread_out: Tensor = (out + self.bias).unflatten(-1, (self.dim, self.patch_size))
        return spread_out.transpose(-1, -2)

    @torch.no_grad()
    def write_back(self, source: Any, size_index: int) -> None:
        source.weight[size_index, self.weight_rows] = self.weight.to(source.weight)
        source.bias[size_index, self.bias_rows] = self.bias.to(source.bias)


class PatchEmbedding(nn.Module):
    """uni2ts's MultiInSizeLinear for one patch size."""

    def __init__(self, source: Any, size_index: int, patch_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(source.weight.detach()[size_index, :, :patch_size].clone())
        self.bias = nn.Parameter(source.bias.detach()[size_index].clone())

    def forward(self, patches: Tensor) -> Tensor:
        """Map (batch, token, patch) to (batch, token, d_model)."""
        return F.linear(patches, self.weight, self.bias)

    @torch.no_grad()
    def write_back(self, source: Any, size_index: int) -> None:
        source.weight[size_index, :, : self.weight.shape[1]] = self.weight.to(source.weight)
        source.bias[size_index] = self.bias.to(source.bias)


class DistributionHead(nn.Module):
    """The projections of all distribution parameters, in uni2ts's tree and under its names."""

    def __init__(self, source: Any, size_index: int, patch_size: int) -> None:
        super().__init__()
        self.proj = self._mirror(source.proj, size_index, patch_size)
        self.domain_map = source.domain_map

    def _mirror(self, node: nn.Module, size_index: int, patch_size: int) -> nn.Module:
        if isinstance(node, nn.ModuleDict):
            return nn.ModuleDict({k: self._mirror(v, size_index, patch_size) for k, v in node.items()})
        if isinstance(node, nn.ModuleList):
            return nn.ModuleList([self._mirror(v, size_index, patch_size) for v in node])
        return PatchHead(node, size_index, patch_size)

    def forward(self, states: Tensor) -> Any:
        """Map (batch, token, d_model) to uni2ts's tree of distribution parameters, each (batch, token, patch)."""
        return self._apply_tree(self.proj, self.domain_map, states)

    def _apply_tree(self, node: nn.Module, domain: Any, states: Tensor) -> Any:
        if isinstance(node, nn.ModuleDict):
            return {k: self._apply_tree(v, domain[k], states) for k, v in node.items()}
        if isinstance(node, nn.ModuleList):
            return [self._apply_tree(v, d, states) for v, d in zip(node, domain, strict=True)]
        return domain(node(states))


class FixedPatchMoirai(nn.Module):
    """A univariate MoiraiModule that holds only what one patch size uses; parameter names are uni2ts's.

    Everything of other patch sizes stays in `source`, where neither gradients nor weight decay change it.
    Source: Woo et al. 2024, arXiv:2402.02592; uni2ts 2.0 model/moirai/module.py.
    """

    def __init__(self, source: Any, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.size_index = list(source.patch_sizes).index(patch_size)
        self.distr_output = source.distr_output
        self.standardises = bool(source.scaling)
        self.mask_encoding = source.mask_encoding
        self.in_proj = PatchEmbedding(source.in_proj, self.size_index, patch_size)
        self.encoder = source.encoder
        self.param_proj = DistributionHead(source.param_proj, self.size_index, patch_size)
        self.__dict__["source"] = source  # not a submodule: its other patch sizes are not this model's parameters

    def standardise(self, context: Tensor) -> Standardised:
        """Cut (batch, context_length), NaN = missing, into standardised patches, padded at the left.

        Mean and std (ddof 1, variance + 1e-5) are of the observed points, in float64, as uni2ts's PackedStdScaler.
        """
        padded = F.pad(context, (-context.shape[-1] % self.patch_size, 0), value=float("nan"))
        observed = ~torch.isnan(padded)
        filled = torch.where(observed, padded, 0.0)
        loc, scale = self._loc_scale(filled, observed)
        patches = ((filled - loc) / scale).unflatten(-1, (-1, self.patch_size))
        return Standardised(patches, loc, scale)

    def _loc_scale(self, filled: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        if not self.standardises:
            return filled.new_zeros(len(filled), 1), filled.new_ones(len(filled), 1)
        wide = filled.double()
        count = observed.sum(-1, keepdim=True)
        loc = wide.sum(-1, keepdim=True) / count.clamp_min(1)
        squares = ((wide - loc) ** 2 * observed).sum(-1, keepdim=True)
        correction = torch.where(count == 1, 1, count - 1)  # uni2ts divides by 1 where the denominator is 0
        return loc.float(), torch.sqrt(squares / correction + 1e-5).float()

    def encode(self, patches: Tensor, prediction_tokens: int) -> Tensor:
        """Run the encoder: (batch, token, patch) to the prediction tokens' (batch, prediction_tokens, d_model)."""
        tokens = self.in_proj(patches)
        masked = self.mask_encoding.weight.expand(len(tokens), prediction_tokens, -1)
        tokens = torch.cat([tokens, masked.to(tokens.dtype)], dim=1)
        time_id = torch.arange(tokens.shape[1], device=tokens.device).expand(len(tokens), -1)
        states: Tensor = self.encoder(tokens, None, var_id=torch.zeros_like(time_id), time_id=time_id)
        return states[:, -prediction_tokens:]

    def distribution(self, states: Tensor) -> Distribution:
        """Give the standardised predictive distribution, batch shape (batch, prediction_tokens, patch)."""
        distribution: Distribution = self.distr_output._distribution(self.param_proj(states), validate_args=False)
        return distribution

    def write_back(self) -> Any:
        """Put the trained rows into the full MoiraiModule and return it."""
        source = self.__dict__["source"]
        self.in_proj.write_back(source.in_proj, self.size_index)
        for name, head in self.param_proj.proj.named_modules():
            if isinstance(head, PatchHead):
                head.write_back(source.param_proj.proj.get_submodule(name), self.size_index)
        return source


def log_prob(distribution: Distribution, values: Tensor) -> Tensor:
    """Log density of standardised values, mixtures included; the same numbers and gradients as uni2ts's.

    uni2ts draws a sample for every point outside a component's support, only to mask it; here that point is 1,
    which every support holds. Source: uni2ts 2.0 distribution/mixture.py.
    """
    mixture: Any = distribution
    if not hasattr(mixture, "components"):
        return distribution.log_prob(values)
    terms = []
    for component, weight in zip(mixture.components, mixture.weights.logits.unbind(-1), strict=True):
        supported = component.support.check(values)
        density = component.log_prob(torch.where(supported, values, 1.0))
        density = torch.where(supported, density, float("-inf"))
        terms.append(torch.where(torch.isinf(density), 0.0, weight) + density)
    return torch.stack(terms).logsumexp(dim=0)
