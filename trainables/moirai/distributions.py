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


class Distribution(Protocol):
    """One distribution. arguments: the names of what the head gives.

    parameters: from what the head gives to what the others take. support: where the density is above zero; None is
    everywhere. log_prob: of values in the support. sample: one draw for each parameter.
    """

    arguments: ClassVar[tuple[str, ...]]

    def parameters(self, raw: Raw) -> tuple[Tensor, ...]: ...
    def support(self, values: Tensor, *parameters: Tensor) -> Tensor | None: ...
    def log_prob(self, values: Tensor, *parameters: Tensor) -> Tensor: ...
    def sample(self, *parameters: Tensor) -> Tensor: ...


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

    def sample(self, df: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        chi_squared = 2 * torch._standard_gamma(0.5 * df)
        return loc + scale * torch.randn_like(df) * torch.rsqrt(chi_squared / df)


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

    def sample(self, loc: Tensor, scale: Tensor) -> Tensor:
        return torch.normal(loc, scale)


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

    def sample(self, loc: Tensor, scale: Tensor) -> Tensor:
        two_sided = torch.empty_like(loc).exponential_() - torch.empty_like(loc).exponential_()
        return loc + scale * two_sided


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

    def sample(self, loc: Tensor, scale: Tensor) -> Tensor:
        return torch.normal(loc, scale).exp()


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

    def sample(self, total_count: Tensor, logits: Tensor) -> Tensor:
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

    def sample(self, scale: Tensor, alpha: Tensor) -> Tensor:
        return scale * (torch.empty_like(scale).exponential_() / alpha).exp()


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
        """Draw `count` values for each point, (count, …), in no random order: component after component.

        Each component gets its share of them, to within one, instead of a share drawn too; only what it gets is drawn.
        """
        if self.log_weights is None:
            (parameters,) = self.parameters
            return self.components[0].sample(*(p.expand(count, *p.shape) for p in parameters))
        shape = self.log_weights.shape[:-1]
        bounds = self.log_weights.exp().flatten(0, -2).cumsum(-1)  # (points, components)
        offset = torch.rand(len(bounds), device=bounds.device)
        places = (torch.arange(count, device=bounds.device)[:, None] + offset) / count  # (count, points)
        chosen = (places[..., None] >= bounds[:, :-1]).sum(-1)
        values = bounds.new_empty(count, len(bounds))
        for number, (component, parameters) in enumerate(zip(self.components, self.parameters, strict=True)):
            where = (chosen == number).nonzero(as_tuple=True)
            values[where] = component.sample(*(p.flatten()[where[1]].to(values.dtype) for p in parameters))
        drawn: Tensor = values.unflatten(1, shape)
        return drawn
