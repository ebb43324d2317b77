"""Extremes: configurations in which a rule between a few parameters must show, if a space can break it anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from search_spaces.branch import Branch
from search_spaces.domain import Domain, Scalar

TOGETHER = 3  # parameters: the longest rule that models have is of batch size, evaluations and training windows
MOST_LISTED = 9  # values of a domain that are all taken; of more, the ends


def list_extremes(paths: Iterable[Branch]) -> Iterator[dict[str, object]]:
    """Give configurations in which any three parameters of a path take their marks together, each once.

    The marks of a domain are its values, where they are few, else its two ends, and where it has fractions one of them;
    the parameters that are not among the three have their first value.
    """
    for path in paths:
        marks = {name: _marks(domain) for name, domain in path.search.items()}
        first = {name: values[0] for name, values in marks.items()}
        seen = set()
        for names in itertools.combinations(marks, min(TOGETHER, len(marks))):
            for values in itertools.product(*(marks[name] for name in names)):
                chosen = first | dict(zip(names, values, strict=True))
                key = tuple(map(repr, chosen.values()))  # 1 and true are different choices
                if key not in seen:
                    seen.add(key)
                    yield {**path.fixed, **chosen}


def _marks(domain: Domain) -> list[Scalar]:
    if domain.is_finite and domain.size <= MOST_LISTED:
        return domain.grid()
    fraction = domain.fraction()
    return [*domain.ends(), *(() if fraction is None else (fraction,))]
