"""Moirai's predictive distribution: a mixture whose components are distributions that uni2ts knows.

Densities are the same numbers as uni2ts's (2.0, package uni2ts.distribution), in fewer operations; parameters and
values are standardised, and of one shape. A config.json names the distributions by uni2ts's classes, of which none is
imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Raw = Mapping[str, Tensor]  # what the head gives for each argument, of any real value

SMALLEST = torch.finfo(torch.float32).eps  # of a scale
LOG_ROOT_TAU, LOG_PI = 0.5 * math.log(2 * math.pi), math.log(math.pi)
WEIGHTS = "weights_logits"


def _scale(raw: Tensor) -> Tensor:
    return F.softplus(raw).clamp_min(SMALLEST)


def _normal_quantile(uniform: Tensor) -> Tensor:
    quantile: Tensor = torch.special.ndtri(uniform)
    return quantile


class Distribution(Protocol):
    """One distribution. arguments: the names of what the head gives.

    parameters: from what the head gives to what the others take. support: where the density is above zero; None is
    everywhere. log_prob: of values in the support. sample: a draw for each parameter, from a uniform number each:
    its inverse cumulative distribution where there is a formula; else the number decides a part of the draw.
    """

    arguments: ClassVar[tuple[str, ...]]

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]: ...
    def support(self, values: Tensor, *parameters: Tensor) -> Tensor | None: ...
    def log_prob(self, values: Tensor, *parameters: Tensor) -> Tensor: ...
    def sample(self, uniform: Tensor, *parameters: Tensor) -> Tensor: ...


class _Everywhere:
    def support(self, values: Tensor, *parameters: Tensor) -> Tensor | None:
        return None


class StudentT(_Everywhere):
    """Student's t; its degrees of freedom are above 2."""

    arguments = ("df", "loc", "scale")

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]:
        return 2.0 + F.softplus(raw["df"]), raw["loc"], _scale(raw["scale"])

    def log_prob(self, values: Tensor, df: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        squared = ((values - loc) / scale).square()
        normaliser = scale.log() + 0.5 * (df.log() + LOG_PI) + torch.lgamma(0.5 * df) - torch.lgamma(0.5 * (df + 1))
        return -0.5 * (df + 1) * torch.log1p(squared / df) - normaliser

    def sample(self, uniform: Tensor, df: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        chi_squared = 2 * torch._standard_gamma(0.5 * df)
        return loc + scale * _normal_quantile(uniform) * torch.rsqrt(chi_squared / df)


@dataclass(frozen=True)
class Normal(_Everywhere):
    """The normal distribution; scale: None where the head gives it."""

    scale: float | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("loc", "scale") if self.scale is None else ("loc",)

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]:
        loc = raw["loc"]
        return loc, _scale(raw["scale"]) if self.scale is None else torch.full_like(loc, self.scale)

    def log_prob(self, values: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        return -0.5 * ((values - loc) / scale).square() - scale.log() - LOG_ROOT_TAU

    def sample(self, uniform: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        return loc + scale * _normal_quantile(uniform)


@dataclass(frozen=True)
class Laplace(_Everywhere):
    """The Laplace distribution; scale: None where the head gives it."""

    scale: float | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("loc", "scale") if self.scale is None else ("loc",)

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]:
        loc = raw["loc"]
        return loc, _scale(raw["scale"]) if self.scale is None else torch.full_like(loc, self.scale)

    def log_prob(self, values: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        return -(values - loc).abs() / scale - (2 * scale).log()

    def sample(self, uniform: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        centred = uniform - 0.5
        return loc - scale * centred.sign() * torch.log1p(-2 * centred.abs())


class LogNormal:
    """A variable whose logarithm is normal."""

    arguments = ("loc", "scale")

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]:
        return raw["loc"], _scale(raw["scale"])

    def support(self, values: Tensor, *parameters: Tensor) -> Tensor | None:
        return values > 0

    def log_prob(self, values: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        logs = values.log()
        return -0.5 * ((logs - loc) / scale).square() - scale.log() - LOG_ROOT_TAU - logs

    def sample(self, uniform: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        return (loc + scale * _normal_quantile(uniform)).exp()


class NegativeBinomial:
    """The negative binomial, with a density on all numbers from 0; draws are counts."""

    arguments = ("total_count", "logits")

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]:
        return F.softplus(raw["total_count"]), raw["logits"]

    def support(self, values: Tensor, *parameters: Tensor) -> Tensor | None:
        return values >= 0

    def log_prob(self, values: Tensor, total_count: Tensor, logits: Tensor) -> Tensor:
        both = total_count + values
        chosen = torch.lgamma(1 + values) + torch.lgamma(total_count) - torch.lgamma(1 + both) + both.log()
        return total_count * F.logsigmoid(-logits) + values * F.logsigmoid(logits) - chosen

    def sample(self, uniform: Tensor, total_count: Tensor, logits: Tensor) -> Tensor:
        return torch.poisson(torch._standard_gamma(total_count) * logits.exp())


@dataclass(frozen=True)
class Pareto:
    """The Pareto distribution; alpha: None where the head gives it, above 2."""

    alpha: float | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("scale", "alpha") if self.alpha is None else ("scale",)

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]:
        scale = _scale(raw["scale"])
        return scale, 2.0 + _scale(raw["alpha"]) if self.alpha is None else torch.full_like(scale, self.alpha)

    def support(self, values: Tensor, *parameters: Tensor) -> Tensor | None:
        return values >= parameters[0]

    def log_prob(self, values: Tensor, scale: Tensor, alpha: Tensor) -> Tensor:
        return alpha.log() + alpha * scale.log() - (alpha + 1) * values.log()

    def sample(self, uniform: Tensor, scale: Tensor, alpha: Tensor) -> Tensor:
        return scale * (1 - uniform).pow(-1 / alpha)


# The classes that a config.json names, and how each is made of its arguments.
PACKAGE = "uni2ts.distribution"
KNOWN: dict[str, Callable[..., Any]] = {
    f"{PACKAGE}.student_t.StudentTOutput": StudentT,
    f"{PACKAGE}.normal.NormalOutput": Normal,
    f"{PACKAGE}.normal.NormalFixedScaleOutput": lambda scale=1e-3: Normal(float(scale)),
    f"{PACKAGE}.negative_binomial.NegativeBinomialOutput": NegativeBinomial,
    f"{PACKAGE}.log_normal.LogNormalOutput": LogNormal,
    f"{PACKAGE}.laplace.LaplaceOutput": Laplace,
    f"{PACKAGE}.laplace.LaplaceFixedScaleOutput": lambda scale=1e-3: Laplace(float(scale)),
    f"{PACKAGE}.pareto.ParetoOutput": Pareto,
    f"{PACKAGE}.pareto.ParetoFixedAlphaOutput": lambda alpha=3.0: Pareto(float(alpha)),
}
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
            return Prediction(self.components, (self.components[0].parameters(raw),), None)
        prefixes = [f"components.{i}." for i in range(len(self.components))]
        found = [
            component.parameters({name: raw[prefix + name] for name in component.arguments})
            for prefix, component in zip(prefixes, self.components, strict=True)
        ]
        return Prediction(self.components, tuple(found), raw[WEIGHTS].log_softmax(-1))


@dataclass(frozen=True)
class Prediction:
    """A distribution for each of (…) points.

    parameters: of each component, (…) each. log_weights: (…, components), None of a single distribution.
    """

    components: tuple[Distribution, ...]
    parameters: tuple[tuple[Tensor, ...], ...]
    log_weights: Tensor | None

    def log_prob(self, values: Tensor) -> Tensor:
        """Return the log density of values, (…).

        uni2ts draws a sample for every point outside of a component's support, only to mask it; here that point is 1,
        or the lower end where 1 is below it.
        """
        terms = []
        for component, parameters in zip(self.components, self.parameters, strict=True):
            supported = component.support(values, *parameters)
            if supported is None:
                terms.append(component.log_prob(values, *parameters))
                continue
            inside = torch.where(supported, values, parameters[0] if isinstance(component, Pareto) else 1.0)
            terms.append(torch.where(supported, component.log_prob(inside, *parameters), float("-inf")))
        if self.log_weights is None:
            return terms[0]
        return (torch.stack(terms, dim=-1) + self.log_weights).logsumexp(dim=-1)

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Draw `count` values for each point, (…, count), in no random order.

        They come from uniform numbers a `count`-th apart, with a random offset for each point (systematic sampling):
        each component gets its share of them to within one, and within a component they are spread evenly too. A
        quantile of 25 such draws is as good as one of 100 independent ones, see docs/benchmarks.md.
        """
        shape = self.parameters[0][0].shape
        flat = [tuple(p.flatten() for p in parameters) for parameters in self.parameters]
        device, dtype = flat[0][0].device, flat[0][0].dtype
        steps = torch.arange(count, device=device, dtype=dtype)
        uniform = (steps + torch.rand(len(flat[0][0]), 1, device=device, dtype=dtype)) / count  # (points, count)
        if self.log_weights is None:
            alone: Tensor = self.components[0].sample(
                _inside(uniform), *(p[:, None].expand_as(uniform) for p in flat[0])
            )
            return alone.unflatten(0, shape)  # type: ignore[no-any-return]
        shares = self.log_weights.exp().flatten(0, -2)
        bounds = F.pad(shares.cumsum(-1), (1, 0))  # (points, components + 1)
        bounds[:, -1] = 2.0  # whatever rounding has made of 1
        values = torch.empty_like(uniform)
        for number, (component, parameters) in enumerate(zip(self.components, flat, strict=True)):
            low, high = bounds[:, number, None], bounds[:, number + 1, None]
            where = ((uniform >= low) & (uniform < high)).nonzero(as_tuple=True)
            point = where[0]
            own = (uniform[where] - low[point, 0]) / shares[point, number]
            values[where] = component.sample(_inside(own), *(p[point] for p in parameters))
        drawn: Tensor = values.unflatten(0, shape)
        return drawn

    def quantiles(self, levels: Sequence[float], count: int) -> Tensor:
        """Estimate quantiles from `count` draws, (…, levels); between two draws, by a straight line.

        The draw of rank i, from 0, is the quantile of (i + 0.5) / count (Hazen 1914).
        """
        ranked = self.sample(count).sort(dim=-1).values
        places = (torch.tensor(levels, device=ranked.device) * count - 0.5).clamp(0, count - 1)
        below, above = ranked[..., places.floor().long()], ranked[..., places.ceil().long()]
        estimated: Tensor = torch.lerp(below, above, places.frac().to(ranked.dtype))
        return estimated


def _inside(uniform: Tensor) -> Tensor:
    """Keep uniform numbers off 0 and 1, where inverse distributions are infinite."""
    tiny = torch.finfo(uniform.dtype).eps / 2
    kept: Tensor = uniform.clamp(tiny, 1 - tiny)
    return kept
