"""Moirai for one fixed patch size: the same numbers as uni2ts's MoiraiModule at a fraction of its work."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.moirai.checkpoint import MoiraiWeights
from trainables.moirai.encoder import Encoder
from trainables.moirai.head import DistributionHead, PatchHead
from trainables.moirai.mixture import Prediction


@dataclass(frozen=True)
class Standardised:
    """Windows as Moirai sees them.

    values: (batch, token, patch), missing points as 0 in the units of the series, standardised.
    loc, scale: (batch, 1), of the observed context.
    """

    values: Tensor
    loc: Tensor
    scale: Tensor


class PatchEmbedding(nn.Module):
    """uni2ts's MultiInSizeLinear for one patch size."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """weight: (d_model, patch), bias: (d_model,)."""
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())

    def forward(self, patches: Tensor) -> Tensor:
        """Map (batch, token, patch) to (batch, token, d_model)."""
        return F.linear(patches, self.weight, self.bias)


class FixedPatchMoirai(nn.Module):
    """A univariate Moirai that holds only what one patch size uses; parameter names are uni2ts's.

    Everything of other patch sizes stays in the checkpoint it is made of, where neither gradients nor weight decay
    change it. Source: Woo et al. 2024, arXiv:2402.02592; uni2ts 2.0 model/moirai/module.py.
    """

    def __init__(self, weights: MoiraiWeights, patch_size: int) -> None:
        super().__init__()
        config, tensors = weights.config, weights.tensors
        self.weights, self.patch_size = weights, patch_size
        self.size_index = config.patch_sizes.index(patch_size)
        self.mixture = weights.mixture
        self.mask_encoding = nn.Embedding.from_pretrained(tensors["mask_encoding.weight"].clone(), freeze=False)
        self.in_proj = PatchEmbedding(
            tensors["in_proj.weight"][self.size_index, :, :patch_size], tensors["in_proj.bias"][self.size_index]
        )
        with torch.device("meta"):
            self.encoder = Encoder(config)
        names = self.encoder.state_dict()
        self.encoder.load_state_dict({name: tensors[f"encoder.{name}"].clone() for name in names}, assign=True)
        self.param_proj = DistributionHead(weights, self.size_index)

    @property
    def checkpoint_parameters(self) -> int:
        """Number of weights of the whole checkpoint, those of other patch sizes included."""
        return sum(tensor.numel() for tensor in self.weights.tensors.values())

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
        if not self.weights.config.scaling:
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
        states: Tensor = self.encoder(torch.cat([tokens, masked.to(tokens.dtype)], dim=1), prediction_tokens)
        return states

    def predict(self, states: Tensor) -> Prediction:
        """Give the standardised predictive distribution of (batch, prediction_tokens, patch) points."""
        return self.mixture.predict(self.param_proj(states))

    @torch.no_grad()
    def write_back(self) -> MoiraiWeights:
        """Return the checkpoint with the trained weights in it."""
        trained = dict(self.named_parameters())
        tensors = {name: trained.get(name, tensor).detach().cpu() for name, tensor in self.weights.tensors.items()}
        for name, parameter in trained.items():
            if not name.startswith(("in_proj.", "param_proj.")):
                continue
            tensors[name] = self.weights.tensors[name].clone()
            slice_ = tensors[name][self.size_index]
            head = self.get_submodule(name.rpartition(".")[0])
            if isinstance(head, PatchHead):
                slice_[head.weight_rows if name.endswith("weight") else head.bias_rows] = parameter.to(slice_)
            else:
                slice_[..., : parameter.shape[-1]] = parameter.to(slice_)
        return MoiraiWeights(self.weights.config, tensors)
