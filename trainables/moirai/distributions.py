"""The distributions that a component of Moirai's predictive mixture may be: those that uni2ts knows.

Densities are the same numbers as uni2ts's (2.0, package uni2ts.distribution), in fewer operations, and their
derivatives are written out; parameters and values are standardised, and of one shape. A config.json names the
distributions by uni2ts's classes, of which none is imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Raw = Mapping[str, Tensor]  # what the head gives for each argument, of any real value
Draw = Callable[..., Tensor]  # of torch's: takes parameters and a generator

LOG_ROOT_TAU, LOG_PI = 0.5 * math.log(2 * math.pi), math.log(math.pi)


def _scale(raw: Tensor) -> Tensor:
    return F.softplus(raw).clamp_min(torch.finfo(raw.dtype).eps)


def _scale_slope(raw: Tensor, scale: Tensor) -> Tensor:
    """Return the derivative of `_scale`, of which scale is the value."""
    slope: Tensor = raw.sigmoid() * (scale > torch.finfo(scale.dtype).eps)
    return slope


def _normal_quantile(uniform: Tensor) -> Tensor:
    quantile: Tensor = torch.special.ndtri(uniform)
    return quantile


@dataclass(frozen=True)
class Randomness:
    """Where draws come from that have no formula: torch's own generator, or one for each window.

    generators: one a window, none for torch's own. counts: how many of the parameters, in their order, each window has.
    """

    generators: tuple[torch.Generator, ...] = ()
    counts: tuple[int, ...] = ()

    def gamma(self, shape: Tensor) -> Tensor:
        """Draw from gamma distributions of scale 1; shape: (draws, ...), window after window."""
        return self._draw(torch._standard_gamma, shape)

    def poisson(self, rate: Tensor) -> Tensor:
        """Draw counts; rate: (draws, ...), window after window."""
        return self._draw(torch.poisson, rate)

    def _draw(self, draw: Draw, parameter: Tensor) -> Tensor:
        if not self.generators:
            return draw(parameter)
        parts = zip(parameter.split(self.counts), self.generators, strict=True)
        return torch.cat([draw(part, generator=generator) for part, generator in parts])


SHARED = Randomness()


class Distribution(Protocol):
    """One distribution. arguments: the names of what the head gives.

    parameters: from what the head gives to what the others take. support: where the density is above zero; None is
    everywhere. log_prob: of values in the support. slopes: its derivative by each of what the head gives, in the order
    of arguments. sample: a draw for each parameter, from a uniform number each: its inverse cumulative distribution
    where there is a formula; else the number decides a part of the draw, and `randomness` the rest.
    """

    arguments: ClassVar[tuple[str, ...]]

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]: ...
    def support(self, values: Tensor, *parameters: Tensor) -> Tensor | None: ...
    def log_prob(self, values: Tensor, *parameters: Tensor) -> Tensor: ...
    def slopes(self, raw: Raw, values: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]: ...
    def sample(self, uniform: Tensor, *parameters: Tensor, randomness: Randomness = SHARED) -> Tensor: ...


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

    def slopes(self, raw: Raw, values: Tensor, df: Tensor, loc: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        standard = (values - loc) / scale
        ratio = standard.square() / df
        pull = (df + 1) / (df * (1 + ratio))
        digammas = torch.digamma(0.5 * (df + 1)) - torch.digamma(0.5 * df)
        by_df = 0.5 * (digammas - torch.log1p(ratio) + (pull * ratio * df - 1) / df)
        by_scale = (pull * ratio * df - 1) / scale
        return by_df * raw["df"].sigmoid(), pull * standard / scale, by_scale * _scale_slope(raw["scale"], scale)

    def sample(
        self, uniform: Tensor, df: Tensor, loc: Tensor, scale: Tensor, *, randomness: Randomness = SHARED
    ) -> Tensor:
        chi_squared = 2 * randomness.gamma(0.5 * df)
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

    def slopes(self, raw: Raw, values: Tensor, loc: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        standard = (values - loc) / scale
        if self.scale is not None:
            return (standard / scale,)
        return standard / scale, (standard.square() - 1) / scale * _scale_slope(raw["scale"], scale)

    def sample(self, uniform: Tensor, loc: Tensor, scale: Tensor, *, randomness: Randomness = SHARED) -> Tensor:
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

    def slopes(self, raw: Raw, values: Tensor, loc: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        distance = values - loc
        by_loc = distance.sign() / scale
        if self.scale is not None:
            return (by_loc,)
        return by_loc, (distance.abs() / scale - 1) / scale * _scale_slope(raw["scale"], scale)

    def sample(self, uniform: Tensor, loc: Tensor, scale: Tensor, *, randomness: Randomness = SHARED) -> Tensor:
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

    def slopes(self, raw: Raw, values: Tensor, loc: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        standard = (values.log() - loc) / scale
        return standard / scale, (standard.square() - 1) / scale * _scale_slope(raw["scale"], scale)

    def sample(self, uniform: Tensor, loc: Tensor, scale: Tensor, *, randomness: Randomness = SHARED) -> Tensor:
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

    def slopes(self, raw: Raw, values: Tensor, total_count: Tensor, logits: Tensor) -> tuple[Tensor, ...]:
        both = total_count + values
        by_count = F.logsigmoid(-logits) + torch.digamma(1 + both) - torch.digamma(total_count) - 1 / both
        return by_count * raw["total_count"].sigmoid(), values - both * logits.sigmoid()

    def sample(
        self, uniform: Tensor, total_count: Tensor, logits: Tensor, *, randomness: Randomness = SHARED
    ) -> Tensor:
        return randomness.poisson(randomness.gamma(total_count) * logits.exp())


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

    def slopes(self, raw: Raw, values: Tensor, scale: Tensor, alpha: Tensor) -> tuple[Tensor, ...]:
        by_scale = alpha / scale * _scale_slope(raw["scale"], scale)
        if self.alpha is not None:
            return (by_scale,)
        return by_scale, (1 / alpha + scale.log() - values.log()) * _scale_slope(raw["alpha"], _scale(raw["alpha"]))

    def sample(self, uniform: Tensor, scale: Tensor, alpha: Tensor, *, randomness: Randomness = SHARED) -> Tensor:
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
