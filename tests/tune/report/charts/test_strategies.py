"""A strategy's colour is its own in every report, and its colour and marker differ to everybody's eyes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.tune.report.written_sweep import ZERO_SHOT, add_trial, read_board
from tune.registry import find_trainable
from tune.report.charts.plot_style import COLOURS
from tune.report.charts.strategies import assign_styles, strategy_of, style_of

NAMES = ("blue", "orange", "green", "violet", "rose", "gold")
# Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113, of severity 1; in linear RGB.
EYES = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# Oklab, Ottosson 2020: a distance of 0.02 can just be seen.
TO_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def linear(colour: str) -> np.ndarray:
    shares = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def seen(colour: str, eyes: str) -> np.ndarray:
    return np.array(TO_OKLAB) @ np.cbrt(np.clip(np.array(TO_CONES) @ np.array(EYES[eyes]) @ linear(colour), 0, None))


def brightness(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("ground", [0, 1])
@pytest.mark.parametrize("eyes", EYES)
def test_colours_differ_to_all_eyes_on_light_and_on_dark_ground(eyes: str, ground: int) -> None:
    for one, other in itertools.combinations(NAMES, 2):
        distance = np.linalg.norm(seen(COLOURS[one][ground], eyes) - seen(COLOURS[other][ground], eyes))
        assert distance > 0.08, (one, other, distance)


@pytest.mark.parametrize("ground", [0, 1])
def test_colours_stand_out_from_the_ground(ground: int) -> None:
    """WCAG 2.2, 1.4.11: 3 to 1."""
    card = brightness(COLOURS["card"][ground])
    for name in (*NAMES, "grey", "muted"):
        light, dark = sorted((brightness(COLOURS[name][ground]), card), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, name


def test_a_strategy_has_the_same_style_whatever_else_a_sweep_has(tmp_path):
    add_trial(tmp_path / "a", "t0000", [ZERO_SHOT, 0.4], strategy="full")
    add_trial(tmp_path / "b", "t0000", [ZERO_SHOT, 0.4], strategy="full")
    add_trial(tmp_path / "b", "t0001", [ZERO_SHOT, 0.4], strategy="a_strategy_of_my_own")
    alone, beside = (assign_styles(read_board(tmp_path / name).standings) for name in "ab")
    assert alone["full"] == beside["full"] == style_of("full")
    assert beside["a_strategy_of_my_own"] == style_of("a_strategy_of_my_own") != style_of("full")


@pytest.mark.parametrize("trainable", ["moirai", "time-moe"])
def test_no_two_strategies_of_a_model_have_one_colour_or_one_marker(trainable: str) -> None:
    module = __import__(find_trainable(trainable).__module__, fromlist=["STRATEGIES"])
    styles = [style_of(name) for name in module.STRATEGIES]
    assert len(styles) == len({colour for colour, _ in styles}) == len({marker for _, marker in styles}) > 1


def test_a_trial_without_a_strategy_has_a_name_too() -> None:
    assert strategy_of({}) == strategy_of({"strategy": None}) == "no strategy"
