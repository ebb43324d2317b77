"""The predictive distributions against uni2ts's own, and their draws against their densities."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from data.samples.bundled import PRETRAINED
from trainables.moirai.distributions import KNOWN, PACKAGE, NegativeBinomial
from trainables.moirai.mixture import WEIGHTS, Mixture, Prediction

SHAPE = (3, 4, 5)
OPTIONS = {"NormalFixedScaleOutput": {"scale": 0.3}, "LaplaceFixedScaleOutput": {"scale": 0.3}}
PUBLISHED = json.loads((PRETRAINED["moirai-tiny"] / "config.json").read_text())["distr_output"]


def config_of(target: str) -> dict[str, Any]:
    return {"_target_": target, **OPTIONS.get(target.rpartition(".")[2], {})}


def raw_numbers(mixture: Mixture) -> dict[str, Tensor]:
    """What a head may give, by path."""
    generator = torch.Generator().manual_seed(7)
    shapes = {path: SHAPE if dim == 1 else (*SHAPE, dim) for path, dim in mixture.arguments().items()}
    return {path: torch.randn(shape, generator=generator, dtype=torch.float64) for path, shape in shapes.items()}


def by_uni2ts(config: dict[str, Any], raw: dict[str, Tensor]) -> Any:
    """The same distribution, made by uni2ts: its tree of parameters, through its own domain maps."""
    from uni2ts.model.moirai.module import decode_distr_output

    output = decode_distr_output(config)

    def at(tree: Any, path: str) -> Any:
        if isinstance(tree, dict):
            return {key: at(child, f"{path}.{key}" if path else key) for key, child in tree.items()}
        if isinstance(tree, list):
            return [at(child, f"{path}.{i}") for i, child in enumerate(tree)]
        numbers = raw[path]
        return tree(numbers if path == WEIGHTS else numbers[..., None])

    return output.distribution(at(output.domain_map, ""))


def values_for(target: str) -> Tensor:
    generator = torch.Generator().manual_seed(8)
    values = torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    inside = target.rpartition(".")[2]
    if inside.startswith(("LogNormal", "NegativeBinomial")):
        return values.abs()
    return values.abs() + 5 if inside.startswith("Pareto") else values


@pytest.mark.parametrize("target", sorted(KNOWN))
def test_each_density_and_its_gradient_are_those_of_uni2ts(target: str) -> None:
    compare(config_of(target), values_for(target))


def test_density_and_gradient_of_the_published_mixture_are_those_of_uni2ts() -> None:
    """On values outside of the support of two of its components, and at its end."""
    values = values_for("")
    values[0, 0, :2] = 0.0
    assert (values < 0).any()
    compare(PUBLISHED, values)


def compare(config: dict[str, Any], values: Tensor) -> None:
    """Hold the density, and the gradient of a weighted sum of it, against what autograd gives for uni2ts's."""
    mixture = Mixture.of(config)
    mine, theirs = ({k: v.clone().requires_grad_() for k, v in raw_numbers(mixture).items()} for _ in range(2))
    for path in set(mine) - {WEIGHTS}:
        for numbers in (mine, theirs):
            numbers[path].data[0, 0, 3] = -40.0  # where a scale is at its least
    own, expected = mixture.predict(mine).log_prob(values), by_uni2ts(config, theirs).log_prob(values)
    assert torch.allclose(own, expected, rtol=1e-9, atol=1e-9)
    weights = torch.linspace(-1, 1, own.numel(), dtype=own.dtype).view_as(own)
    (own * weights).sum().backward()
    (expected * weights).sum().backward()
    for path in mine:
        assert torch.allclose(mine[path].grad, theirs[path].grad, rtol=1e-8, atol=1e-10), path  # type: ignore[arg-type]


def test_the_arguments_have_the_names_of_uni2tss_tree() -> None:
    paths = list(Mixture.of(PUBLISHED).arguments().items())
    assert paths[:3] == [(WEIGHTS, 4), ("components.0.df", 1), ("components.0.loc", 1)]
    assert paths[-1] == ("components.3.scale", 1)
    assert list(Mixture.of({"_target_": f"{PACKAGE}.student_t.StudentTOutput"}).arguments()) == ["df", "loc", "scale"]


@pytest.mark.parametrize("target", sorted(set(KNOWN) - {f"{PACKAGE}.negative_binomial.NegativeBinomialOutput"}))
def test_draws_of_a_distribution_have_its_density(target: str) -> None:
    """The share of draws in an interval is the density's integral over it, by the trapezoid rule."""
    mixture = Mixture.of(config_of(target))
    prediction = mixture.predict({path: torch.full((1,), 0.4, dtype=torch.float64) for path in mixture.arguments()})
    torch.manual_seed(0)
    draws = prediction.sample(40_000).flatten()
    low, high = draws.quantile(0.2), draws.quantile(0.7)
    grid = torch.linspace(float(low), float(high), 4001, dtype=torch.float64)
    assert torch.trapezoid(prediction.log_prob(grid).exp(), grid).item() == pytest.approx(0.5, abs=0.015)


def test_draws_of_the_negative_binomial_have_its_mean_and_variance() -> None:
    """Mean r e^l, variance r e^l (1 + e^l) (uni2ts's parametrisation)."""
    count, logit = torch.full((200_000,), 3.0), torch.full((200_000,), 0.5)
    torch.manual_seed(0)
    draws = NegativeBinomial().sample(torch.rand(200_000), count, logit)
    odds = torch.tensor(0.5).exp().item()
    assert draws.mean().item() == pytest.approx(3 * odds, rel=0.02)
    assert draws.var().item() == pytest.approx(3 * odds * (1 + odds), rel=0.03)


def test_each_component_gets_its_share_of_the_draws() -> None:
    """Components far apart, with weights 0.62, 0.28 and 0.1: of 50 draws 31, 14 and 5, to within one each."""
    config = {
        "_target_": f"{PACKAGE}.mixture.MixtureOutput",
        "components": [{"_target_": f"{PACKAGE}.normal.NormalFixedScaleOutput", "scale": 0.1}] * 3,
    }
    raw = {f"components.{i}.loc": torch.full((2, 3), 10.0 * i) for i in range(3)}
    weights = torch.tensor([0.62, 0.28, 0.1])
    prediction = Mixture.of(config).predict({**raw, WEIGHTS: weights.log().expand(2, 3, 3)})
    torch.manual_seed(0)
    draws = prediction.sample(50)
    assert draws.shape == (2, 3, 50)
    counts = torch.stack([((draws - 10 * i).abs() < 5).sum(-1) for i in range(3)], dim=-1)
    assert (counts.sum(-1) == 50).all()
    assert ((counts - weights * 50).abs() <= 1).all()


def test_a_mixtures_quantiles_are_those_of_uni2tss_draws() -> None:
    """Counts are draws too, so many draws may lie on a quantile: the share below and up to it holds its level."""
    mixture = Mixture.of(PUBLISHED)
    raw = raw_numbers(mixture)
    torch.manual_seed(0)
    own, theirs = mixture.predict(raw).sample(6000), by_uni2ts(PUBLISHED, raw).sample(torch.Size((6000,)))
    for level in (0.1, 0.5, 0.9):
        quantile = theirs.quantile(level, dim=0)[..., None]
        below, up_to = (own < quantile).double().mean(-1), (own <= quantile).double().mean(-1)
        assert (below <= level + 0.03).all()
        assert (up_to >= level - 0.03).all()


def test_quantiles_of_a_normal_are_nearly_exact_from_25_draws() -> None:
    """The standard normal's 0.1, 0.5 and 0.9 quantiles are -1.2816, 0 and 1.2816."""
    mixture = Mixture.of({"_target_": f"{PACKAGE}.normal.NormalFixedScaleOutput", "scale": 1.0})
    prediction = mixture.predict({"loc": torch.zeros(2000)})
    torch.manual_seed(0)
    found = prediction.quantiles((0.1, 0.5, 0.9), 25)
    assert found.shape == (2000, 3)
    assert found.mean(0).tolist() == pytest.approx([-1.2816, 0.0, 1.2816], abs=0.01)
    assert (found.std(0) < 0.08).all()  # of 25 independent draws: 0.34, 0.25, 0.34


def test_a_quantile_between_two_draws_is_on_a_line_between_them() -> None:
    """Of two draws, the quantiles 0.25 and 0.75 are the draws (Hazen), and the median is their middle."""
    mixture = Mixture.of({"_target_": f"{PACKAGE}.normal.NormalFixedScaleOutput", "scale": 1.0})
    prediction = mixture.predict({"loc": torch.zeros(1)})
    torch.manual_seed(3)
    low, high = prediction.sample(2)[0].tolist()
    torch.manual_seed(3)
    found = prediction.quantiles((0.1, 0.25, 0.5, 0.75, 0.9), 2)[0].tolist()
    assert found == pytest.approx([low, low, (low + high) / 2, high, high])


def test_a_prediction_in_bfloat16s_neighbourhood_has_finite_draws() -> None:
    """Weights that underflow, and numbers at the ends of float32."""
    mixture = Mixture.of(PUBLISHED)
    raw = {path: numbers.float() for path, numbers in raw_numbers(mixture).items()}
    raw[WEIGHTS] = torch.tensor([90.0, -90.0, 0.0, -3e4]).expand(*SHAPE, 4)
    torch.manual_seed(0)
    assert mixture.predict(raw).sample(200).isfinite().all()


@pytest.mark.parametrize(
    "config",
    [
        {"_target_": f"{PACKAGE}.mixture.MixtureOutput"},
        {"_target_": f"{PACKAGE}.mixture.MixtureOutput", "components": []},
        {"_target_": f"{PACKAGE}.mixture.MixtureOutput", "components": [PUBLISHED]},
        {"_target_": f"{PACKAGE}.mixture.MixtureOutput", "components": [3]},
        {"_target_": f"{PACKAGE}.student_t.StudentTOutput", "colour": 3},
    ],
)
def test_what_is_no_distribution_is_rejected(config: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Mixture.of(config)


def test_a_prediction_of_one_component_needs_no_weights() -> None:
    mixture = Mixture.of({"_target_": f"{PACKAGE}.normal.NormalOutput"})
    prediction = mixture.predict(raw_numbers(mixture))
    assert isinstance(prediction, Prediction)
    assert prediction.log_weights is None
    assert prediction.sample(7).shape == (*SHAPE, 7)


def test_a_window_with_a_seed_has_the_draws_that_it_has_alone() -> None:
    """All three windows at once, and each by itself with torch's own generator; gamma and count draws among them."""
    mixture = Mixture.of(PUBLISHED)
    raw = raw_numbers(mixture)
    together = mixture.predict(raw).sample(25, seed=5)
    for i in range(SHAPE[0]):
        torch.manual_seed(5)
        alone = mixture.predict({path: numbers[i : i + 1] for path, numbers in raw.items()}).sample(25)
        assert torch.allclose(together[i], alone[0], rtol=1e-12, atol=1e-12)


def test_a_seeded_window_of_one_component_has_the_draws_that_it_has_alone() -> None:
    mixture = Mixture.of({"_target_": f"{PACKAGE}.student_t.StudentTOutput"})
    raw = raw_numbers(mixture)
    together = mixture.predict(raw).quantiles((0.1, 0.5), 9, seed=5)
    torch.manual_seed(5)
    alone = mixture.predict({path: numbers[2:] for path, numbers in raw.items()}).quantiles((0.1, 0.5), 9)
    assert torch.allclose(together[2], alone[0], rtol=1e-12, atol=1e-12)
