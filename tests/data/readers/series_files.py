"""Files of series, and what reading them gives: all series as lists, or the message."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import DataError
from data.readers.panel_reader import read_panel

NAN = np.nan
WIDE = "date,a,b\n2020-01-01 00:00,1,10\n2020-01-01 01:00,2,20\n2020-01-01 02:00,3,30\n"
LONG = "unique_id,ds,y\nx,2020-01-02,2\ny,2020-01-05,7\nx,2020-01-01,1\nx,2020-01-04,4\ny,2020-01-06,8\n"


def series_of(panel):
    """All series as lists, by id."""
    return {name: panel.series(i).tolist() for i, name in enumerate(panel.ids)}


def rejection(path, **options):
    """The message with which reading is rejected; it always names the file."""
    with pytest.raises(DataError) as error:
        read_panel(path, **options)
    if "format" not in options:
        assert str(path) in str(error.value)
    return str(error.value)
