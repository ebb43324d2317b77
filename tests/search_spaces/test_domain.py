"""The specification of search_spaces/domain.py: what a parameter may be, and how it is written."""

from __future__ import annotations

import pytest

from search_spaces.domain import Domain, build_domain, parse_domain, show
from search_spaces.mistakes import SpaceError

LOG = Domain("log", low=1e-6, high=1e-4)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("log:1e-6:1e-4", LOG),
        ("uniform:0:0.2", Domain("uniform", low=0.0, high=0.2)),
        ("int:1:10", Domain("int", low=1, high=10)),
        ("int:0:200:50", Domain("int", low=0, high=200, step=50)),
        ("logint:8:512", Domain("logint", low=8, high=512)),
        ("choice:16,32", Domain("choice", values=(16, 32))),
        ("choice:true, null ,0.5,full", Domain("choice", values=(True, None, 0.5, "full"))),
        ("choice:'a,b',\"16\"", Domain("choice", values=("a,b", "16"))),
    ],
)
def test_domain_is_read_from_text(text: str, domain: Domain) -> None:
    assert parse_domain(text) == domain


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        (LOG, "log:1e-06:0.0001"),
        (Domain("uniform", low=0.0, high=0.2), "uniform:0:0.2"),
        (Domain("int", low=1, high=10), "int:1:10"),
        (Domain("int", low=0, high=200, step=50), "int:0:200:50"),
        (Domain("choice", values=(16, 32)), "choice:16,32"),
        (Domain("choice", values=("16", "a,b", None, True)), 'choice:"16","a,b",null,true'),
    ],
)
def test_domain_is_written_as_the_text_that_reads_back(domain: Domain, text: str) -> None:
    assert domain.to_text() == text
    assert parse_domain(text) == domain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("-3", -3),
        ("64", 64),
        ("true", True),
        ("False", False),
        ("null", None),
        ("moirai-tiny", "moirai-tiny"),
        ("on", "on"),
        ("010", "010"),
        ("1e999", "1e999"),
        ('"1e-5"', "1e-5"),
        ("log", "log"),
        (r"C:\models\tiny", r"C:\models\tiny"),
        ("Salesforce/moirai-1.1-R-small", "Salesforce/moirai-1.1-R-small"),
    ],
)
def test_text_without_a_kind_is_one_plain_value(text: str, value: object) -> None:
    parsed = parse_domain(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("log:1e-4:5e-7", "low must be below high, got [1e-4, 5e-7]; swap them"),
        ("log:0:1", "low must be above 0 for log, got 0; raise it"),
        ("logint:-1:8", "low must be above 0 for logint, got -1; raise it"),
        ("int:5:5", "low must be below high, got [5, 5]; give the one value itself"),
        ("int:1.5:3", "low must be a whole number, got 1.5; round it, or use uniform or log"),
        ("int:0:205:50", "step must lead from low to high, got [0, 205, 50]; end at 200"),
        ("int:0:10:0", "step must be 1 or more, got 0"),
        ("log:1e-4", "log takes [low, high], got [1e-4]"),
        ("log:a:b", "low must be a number, got 'a'; high must be a number, got 'b'"),
        ("uniform:true:2", "low must be a number, got true"),
        ("choice:", "choice takes a list of at least one value, such as [16, 32], got []"),
        ("choice:16,32,16", "choices must differ, got 16 twice; keep one"),
        ("choice:16,", "a choice must not be empty text; leave it out"),
        ("lgo:1e-6:1e-4", "unknown kind of domain 'lgo'; did you mean 'log'?"),
        ("choise:a,b", "unknown kind of domain 'choise'; did you mean 'choice'?"),
        ("normal:0:1", "unknown kind of domain 'normal'"),
        ("log:1e-6:inf", "high must be a finite number, got inf"),
        ("uniform:-.inf:1", "low must be a finite number, got -.inf"),
        ("1e-3:1e-5", "must name the kind of domain, got '1e-3:1e-5'; write log:1e-5:0.001 or uniform:1e-5:0.001"),
        ("1:3", "write int:1:3 or uniform:1:3, or quote a plain text"),
        ("8, 16,32", "write choice:8,16,32, or quote a plain text"),
        ("", "must be one value or a domain, got ''"),
        ("[1, 2]", "must be one value or a domain, got '[1, 2]'"),
    ],
)
def test_broken_domain_names_the_rule_the_value_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        parse_domain(text)
    assert message in str(caught.value)


def test_both_ends_of_a_range_are_inside() -> None:
    assert LOG.contains(1e-6)
    assert LOG.contains(1e-4)
    assert not LOG.contains(1.1e-4)
    assert not LOG.contains(float("nan"))


def test_whole_domain_holds_its_steps_alone() -> None:
    domain = Domain("int", low=0, high=200, step=50)
    assert [value for value in (0, 25, 50, 50.0, 50.5, 200, 250, True, "50") if domain.contains(value)] == [
        0, 50, 50.0, 200,
    ]  # fmt: skip


def test_true_is_not_the_choice_one() -> None:
    assert not Domain("choice", values=(0, 1)).contains(True)
    assert Domain("choice", values=(0, 1, True)).contains(True)


def test_value_takes_the_type_of_its_domain() -> None:
    assert type(LOG.cast(1e-5)) is float
    assert type(Domain("uniform", low=0.0, high=2.0).cast(1)) is float
    assert type(Domain("int", low=1, high=10).cast(5.0)) is int
    assert type(Domain("choice", values=(16, 32)).cast(16.0)) is int


def test_finite_domain_lists_its_values_in_order() -> None:
    assert build_domain("int", [0, 200, 50]).grid() == [0, 50, 100, 150, 200]
    assert build_domain("logint", [2, 5]).grid() == [2, 3, 4, 5]
    assert build_domain("choice", [64, 16]).grid() == [64, 16]
    assert not LOG.is_finite
    with pytest.raises(SpaceError, match="has infinitely many values; list some"):
        LOG.grid()


def test_small_numbers_are_shown_without_padding() -> None:
    assert show([5e-7, 1.5e-5, 0.1, 64, 0.0]) == "[5e-7, 1.5e-5, 0.1, 64, 0]"


@pytest.mark.parametrize(
    ("domain", "value", "nearest"),
    [
        (Domain("int", 1, 3), 10, 3),
        (Domain("int", 2, 9, step=3), 100, 8),  # 2, 5, 8
        (Domain("int", 2, 9, step=3), 6, 5),
        (Domain("int", 2, 9, step=3), -1, 2),
        (Domain("log", 1e-5, 1e-4), 5e-6, 1e-5),
        (Domain("uniform", 0.0, 0.2), 0.1, 0.1),
        (Domain("choice", values=(16, 32)), 64, 64),
        (Domain("int", 1, 3), "many", "many"),
    ],
)
def test_the_nearest_value_of_a_range(domain: Domain, value: object, nearest: object) -> None:
    assert domain.nearest(value) == nearest


@pytest.mark.parametrize(
    ("text", "fraction"),
    [
        ("uniform:1:3", 1.6),
        ("uniform:1:4", 2.5),
        ("uniform:-1.5e308:1.7e308", 1.01327412e308),
        ("log:1e-6:1e-4", 5.05e-5),
        ("int:1:3", None),
        ("choice:1,2.5", None),
    ],
)
def test_a_range_with_fractions_shows_one(text: str, fraction: float | None) -> None:
    domain = parse_domain(text)
    assert isinstance(domain, Domain)
    assert domain.fraction() == (None if fraction is None else pytest.approx(fraction))


@pytest.mark.parametrize("text", ["'1:3'", "a:1", "1e-3:x", "::"])
def test_text_that_only_looks_like_numbers_is_text(text: str) -> None:
    assert isinstance(parse_domain(text), str)
