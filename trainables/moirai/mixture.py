"""Moirai's predictive distribution: a mixture of distributions, its density, draws and quantiles.

Source: uni2ts 2.0, package uni2ts.distribution, whose densities and gradients are the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.moirai.distributions import KNOWN, PACKAGE, SHARED, Distribution, Pareto, Randomness, Raw

WEIGHTS = "weights_logits"
MIXTURE = f"{PACKAGE}.mixture.MixtureOutput"


def _distribution(config: object) -> Distribution:
    values = dict(config) if isinstance(config, Mapping) else {}
    target = str(values.pop("_target_", None))
    if target not in KNOWN:
        raise ValueError(f"distr_output must be a distribution of {PACKAGE}, got {target!r}")
    made: Distribution = KNOWN[target](**values)
    return made


@dataclass(frozen=True)
class Mixture:
    """What a checkpoint predicts with: several distributions with weights, or a single one without."""

    components: tuple[Distribution, ...]
    is_single: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Mixture:
        """Make it of `distr_output`; ValueError or TypeError for a distribution that uni2ts does not have."""
        if config.get("_target_") != MIXTURE:
            return cls((_distribution(config),), is_single=True)
        components = config.get("components")
        if not isinstance(components, Sequence) or not components or set(config) != {"_target_", "components"}:
            raise ValueError(f"distr_output: a mixture has a list of components, got {components!r}")
        return cls(tuple(map(_distribution, components)))

    def arguments(self) -> dict[str, int]:
        """Return what the head gives, by uni2ts's paths, and how many numbers each is for a point."""
        if self.is_single:
            return dict.fromkeys(self.components[0].arguments, 1)
        weights = {WEIGHTS: len(self.components)}
        return weights | {f"components.{i}.{name}": 1 for i, c in enumerate(self.components) for name in c.arguments}

    def predict(self, raw: Raw) -> Prediction:
        """Return the distribution of each point. raw: by path, (…) each, the weights (…, components)."""
        if self.is_single:
            return Prediction(self.components, (raw,), None)
        prefixes = [f"components.{i}." for i in range(len(self.components))]
        found = [
            {name: raw[prefix + name] for name in component.arguments}
            for prefix, component in zip(prefixes, self.components, strict=True)
        ]
        return Prediction(self.components, tuple(found), raw[WEIGHTS])


@dataclass(frozen=True)
class Prediction:
    """A distribution for each of (…) points, by what the head gives, whose gradient its density has.

    raw: of each component, (…) each by name. logits: of the weights, (…, components), None of a single distribution.
    """

    components: tuple[Distribution, ...]
    raw: tuple[Raw, ...]
    logits: Tensor | None

    @cached_property
    def parameters(self) -> tuple[tuple[Tensor, ...], ...]:
        """Those of each component, (…) each, without a gradient."""
        with torch.no_grad():
            return tuple(c.parameters(raw) for c, raw in zip(self.components, self.raw, strict=True))

    @cached_property
    def log_weights(self) -> Tensor | None:
        """(components, …), without a gradient."""
        return None if self.logits is None else self.logits.detach().movedim(-1, 0).log_softmax(0)

    def log_prob(self, values: Tensor) -> Tensor:
        """Return the log density of values, (…), with the gradient by what the head gives, not by values.

        uni2ts draws a sample for every point outside of a component's support, only to mask it; here that point is 1,
        or the lower end where 1 is below it.
        """
        given = [] if self.logits is None else [self.logits]
        given += [raw[name] for c, raw in zip(self.components, self.raw, strict=True) for name in c.arguments]
        density: Tensor = _LogDensity.apply(self, values, *given)
        return density

    def _log_terms(self, values: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return each component's log density, and the values it was asked for: all within its support."""
        terms, asked = [], []
        for component, parameters in zip(self.components, self.parameters, strict=True):
            supported = component.support(values, *parameters)
            if supported is None:
                asked.append(values)
                terms.append(component.log_prob(values, *parameters))
                continue
            asked.append(torch.where(supported, values, parameters[0] if isinstance(component, Pareto) else 1.0))
            terms.append(torch.where(supported, component.log_prob(asked[-1], *parameters), float("-inf")))
        return terms, asked

    def _slopes(self, asked: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Return the derivatives of each component's log density by what the head gives."""
        of_each = zip(self.components, self.raw, asked, self.parameters, strict=True)
        return [component.slopes(raw, values, *parameters) for component, raw, values, parameters in of_each]

    @torch.no_grad()
    def sample(self, count: int, seed: int | None = None) -> Tensor:
        """Draw `count` values for each point, (…, count), in no random order.

        They come from uniform numbers a `count`-th apart, with a random offset for each point (systematic sampling):
        each component gets its share of them to within one, and within a component they are spread evenly too. A
        quantile of 25 such draws is as good as one of 100 independent ones, see docs/benchmarks.md.
        seed: of each window, the first of the dimensions: its draws are those that it has alone after
        `torch.manual_seed(seed)`, whatever is beside it. None takes torch's own generator for all windows in turn.
        """
        shape = self.parameters[0][0].shape
        flat = [tuple(p.flatten() for p in parameters) for parameters in self.parameters]
        device, dtype = flat[0][0].device, flat[0][0].dtype
        points, windows = len(flat[0][0]), 1 if seed is None else shape[0]
        generators = () if seed is None else tuple(torch.Generator(device).manual_seed(seed) for _ in range(windows))
        steps = torch.arange(count, device=device, dtype=dtype)
        offsets = [
            torch.rand(points // windows, 1, device=device, dtype=dtype, generator=generator)
            for generator in generators or (None,)
        ]
        uniform = (steps + torch.cat(offsets)) / count  # (points, count)

        def randomness(point: Tensor) -> Randomness:
            """Of draws for these points, in order."""
            if seed is None:
                return SHARED
            counts = torch.bincount(point // (points // windows), minlength=windows)
            return Randomness(generators, tuple(counts.tolist()))

        if self.log_weights is None:
            own = [p[:, None].expand_as(uniform) for p in flat[0]]
            alone = self.components[0].sample(
                _inside(uniform), *own, randomness=randomness(torch.arange(points, device=device))
            )
            return alone.unflatten(0, shape)  # type: ignore[no-any-return]
        shares = self.log_weights.exp().movedim(0, -1).flatten(0, -2)
        bounds = F.pad(shares.cumsum(-1), (1, 0))  # (points, components + 1)
        bounds[:, -1] = 2.0  # whatever rounding has made of 1
        values = torch.empty_like(uniform)
        for number, (component, parameters) in enumerate(zip(self.components, flat, strict=True)):
            low, high = bounds[:, number, None], bounds[:, number + 1, None]
            where = ((uniform >= low) & (uniform < high)).nonzero(as_tuple=True)
            point = where[0]
            place = (uniform[where] - low[point, 0]) / shares[point, number]
            values[where] = component.sample(
                _inside(place), *(p[point] for p in parameters), randomness=randomness(point)
            )
        drawn: Tensor = values.unflatten(0, shape)
        return drawn

    def quantiles(self, levels: Sequence[float], count: int, seed: int | None = None) -> Tensor:
        """Estimate quantiles from `count` draws, (…, levels); between two draws, by a straight line.

        The draw of rank i, from 0, is the quantile of (i + 0.5) / count (Hazen 1914). seed: as of `sample`.
        """
        ranked = self.sample(count, seed).sort(dim=-1).values
        places = (torch.tensor(levels, device=ranked.device) * count - 0.5).clamp(0, count - 1)
        below, above = ranked[..., places.floor().long()], ranked[..., places.ceil().long()]
        estimated: Tensor = torch.lerp(below, above, places.frac().to(ranked.dtype))
        return estimated


class _LogDensity(torch.autograd.Function):
    """The log density, with its derivatives written out: a third of the operations that autograd would record.

    Of a mixture with weights w, softmax of its logits: the derivative by a component's numbers is that of its own log
    density times its responsibility r, the share of the density that it gives; by the logits it is r - w.
    """

    @staticmethod
    def forward(ctx: Any, prediction: Prediction, values: Tensor, *given: Tensor) -> Tensor:
        terms, asked = prediction._log_terms(values)
        weights = prediction.log_weights
        if weights is None:
            density, joint = terms[0], None
        else:
            joint = torch.stack(terms) + weights  # the components first: sums over a last one of four are slow
            density = joint.logsumexp(dim=0)
        if any(ctx.needs_input_grad):
            slopes = prediction._slopes(asked)
            if joint is None or weights is None:
                ctx.save_for_backward(*slopes[0])
            else:
                shares = (joint - density).exp()
                by_logits = (shares - weights.exp()).movedim(0, -1)
                of_each = zip(slopes, shares.unbind(), strict=True)
                ctx.save_for_backward(by_logits, *(s * share for own, share in of_each for s in own))
        return density

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        slopes = ctx.saved_tensors
        return None, None, *(s * (gradient if s.ndim == gradient.ndim else gradient[..., None]) for s in slopes)


def _inside(uniform: Tensor) -> Tensor:
    """Keep uniform numbers off 0 and 1, where inverse distributions are infinite."""
    tiny = torch.finfo(uniform.dtype).eps / 2
    kept: Tensor = uniform.clamp(tiny, 1 - tiny)
    return kept
