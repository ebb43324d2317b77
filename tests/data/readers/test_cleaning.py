"""The specification of data/readers/cleaning.py: what is missing is interpolated."""

from __future__ import annotations

import numpy as np
import pytest

from data.readers.cleaning import interpolate
from tests.data.readers.series_files import NAN


@pytest.mark.parametrize(
    ("values", "filled"),
    [
        ([1, NAN, 3], [1, 2, 3]),
        ([0, NAN, NAN, NAN, 8], [0, 2, 4, 6, 8]),  # 8 / 4 a step
        ([NAN, NAN, 5, 7], [5, 5, 5, 7]),  # the nearest at the ends
        ([5, 7, NAN], [5, 7, 7]),
        ([1, np.inf, 2, -np.inf, 4], [1, 1.5, 2, 3, 4]),
        ([NAN, 9, NAN], [9, 9, 9]),
        ([1, 2], [1, 2]),
    ],
)
def test_what_is_not_finite_lies_on_the_line_between_its_neighbours(values, filled):
    found = interpolate(np.array(values, dtype=np.float64))
    assert found.tolist() == filled
