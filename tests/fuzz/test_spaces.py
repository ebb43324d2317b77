"""Search spaces in YAML and `--set`: every field with values that it should not have."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from search_spaces.domain import KINDS
from search_spaces.library import load_space
from search_spaces.override import override_space
from search_spaces.space import SearchSpace
from tests.fuzz.cases import cases, outcome
from tests.fuzz.hostile import NUMBERS, cells, damaged_bytes, damaged_json, damaged_lines, deep, values
from tests.paths import REPOSITORY, TOYS
from tests.search_spaces.my_space import VALID
from tune.planning.space_check import load_fitting_space

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]  # each case has a limit of its own

SHIPPED = sorted((REPOSITORY / "search_spaces").glob("*/*.yaml"))
TEXTS = (VALID, (TOYS / "toy.yaml").read_text(), *(path.read_text() for path in SHIPPED))
_SIGNS = (
    *("&a *a", "<<: *a", "!!python/object:os.system x", "!!binary AAAA", "!!set {a}", "? [a]\n: b", "%YAML 9.9", "---"),
    *(
        "...",
        "\t",
        "- - - -",
        "key: |\n  text",
        "key: >-\n  text",
        "[",
        "{",
        "'",
        '"',
        "\x00",
        "\x85",
        "\u2028",
        "\ufeff",
    ),
    *(
        "a: &a [*a]",
        "0o17",
        "0x1F",
        "1_000",
        "1:30:00",
        ".inf",
        ".nan",
        "~",
        "=",
        "<<",
        "yes",
        "2020-01-01",
        "@x",
        "`x",
    ),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spaces")


def check(path: Path) -> SearchSpace | str:
    """Read a space, and check it against its model; one that is right is the same after a sweep's record of it."""
    size = path.stat().st_size
    found = outcome(lambda: load_space(str(path)), file_bytes=size)
    outcome(lambda: load_fitting_space(str(path), {}), file_bytes=size)
    if isinstance(found, SearchSpace):
        assert SearchSpace.from_dict(found.to_dict()) == found
        assert len(found.enqueued()) == len(found.initial_points)
        for domain in found.parameters().values():
            assert all(domain.contains(value) for value in domain.ends())
        outcome(found.grid)
    return found


@cases(60)
@given(data=st.data())
def test_a_space_of_damaged_text_is_read_or_named(place: Path, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    if data.draw(st.booleans()):
        text = data.draw(damaged_lines(text))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(_SIGNS) | cells()) + text[at:]
    raw = text.encode("utf-8", "surrogatepass")
    path = place / "space.yaml"
    path.write_bytes(data.draw(st.just(raw) | damaged_bytes(raw)))
    check(path)


@st.composite
def domain(draw: st.DrawFn) -> Any:
    """Draw what may come after a parameter's name under 'search'."""
    number = (
        st.floats() | st.integers() | st.integers(-3, 300) | st.sampled_from((1e308, -1e308, 5e-324, 10**300, 2**63))
    )
    bounds = st.lists(number, max_size=4) | st.lists(number, min_size=2, max_size=2).map(
        lambda pair: sorted(pair, key=lambda n: (n != n, n))
    )
    kind = draw(st.sampled_from(KINDS) | cells())
    return {kind: draw(bounds | st.lists(values(), max_size=4) | values())}


@cases(90)
@given(data=st.data())
def test_a_space_of_any_fields_is_read_or_named(place: Path, data: st.DataObject) -> None:
    document = copy.deepcopy(yaml.safe_load(data.draw(st.sampled_from(TEXTS))))
    for name in [name for name in document.get("search", {}) if data.draw(st.integers(0, 4)) == 0]:
        document["search"][name] = data.draw(domain())
    if data.draw(st.booleans()):
        document = data.draw(damaged_json(document))
    path = place / "space.yaml"
    text = yaml.safe_dump(document, allow_unicode=data.draw(st.booleans()), default_flow_style=None)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    check(path)


@cases(40)
@given(data=st.data())
def test_any_setting_of_a_space_is_taken_or_named(data: st.DataObject) -> None:
    space = load_space(data.draw(st.sampled_from([path.stem for path in SHIPPED])))
    names = [*space.parameters(), *space.fixed, "lr", "epochs", "batch_size", "strategy"]
    bound = st.sampled_from(NUMBERS) | st.floats().map(repr) | st.integers(-5, 500).map(str)
    kind = st.sampled_from((*KINDS, "int ", "INT", ""))
    several = st.lists(bound, min_size=1, max_size=4).map(":".join) | st.lists(cells(), max_size=4).map(",".join)
    value = cells() | bound | st.tuples(kind, several).map(":".join)
    settings = data.draw(st.dictionaries(st.sampled_from(names) | cells(), value, min_size=1, max_size=3))
    found = outcome(lambda: override_space(space, settings))
    if isinstance(found, SearchSpace):
        assert SearchSpace.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    "text",
    [
        deep("list", 400),
        deep("object", 400),
        "trainable: moirai\nsearch: " + deep("list", 90_000),
        "trainable: moirai\nsearch: {" + ", ".join(f"p{i}: {{int: [1, 9]}}" for i in range(2000)) + "}",
        "trainable: moirai\nsearch: {lr: {choice: [" + ", ".join(map(str, range(30_000))) + "]}}",
        "trainable: moirai\nsearch: {lr: {log: [1, 2]}}\nfirst: [" + ", ".join(["{lr: 1.5}"] * 20_000) + "]",
        "trainable: moirai\nfixed: {" + ", ".join(f"p{i}: 1" for i in range(20_000)) + "}\nsearch: {lr: {log: [1, 2]}}",
        "trainable: moirai\ndescription: " + "x" * 10_000_000,
        "#" * 10_000_000,
        "- " * 100_000,
        "a: 1\n" * 100_000,
    ],
    ids=lambda text: f"{text[:40]}… {len(text)}",
)
def test_a_space_without_measure_is_one_message(place: Path, text: str) -> None:
    path = place / "large.yaml"
    path.write_text(text)
    assert isinstance(check(path), str)


def test_the_texts_are_right_before_they_are_damaged(place: Path) -> None:
    for text in TEXTS:
        (place / "space.yaml").write_text(text)
        try:
            load_space(str(place / "space.yaml"))
        except UserError as error:
            raise AssertionError(text) from error
