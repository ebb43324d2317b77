"""Five rows by hand, and passages counted as the tests ask for it."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import UserError
from data.passages import PassageFormat, count_passages

HEADER = "KKMC,FXLX,GCSJ,HPHM\n"
FIVE = (
    "东站,1,2023/12/1 0:00:01,a\n"
    "东站,1,2023-12-01 00:04:59,b\n"
    "东站,1,2023-12-01T00:05:00,c\n"
    "东站,2,2023/12/31 23:59:59,d\n"
    "西站,2,2023-12-25 00:00:00,e\n"
)


def count(*files, bucket="5min", start=None, end=None, **format):
    return count_passages(files, PassageFormat(**format), bucket=bucket, start=start, end=end)


def filled(counts):
    """The buckets that are not 0: {(id, time): passages}."""
    return {
        (counts.ids[series], counts.time_of(bucket).isoformat()): int(counts.values[series, bucket])
        for series, bucket in np.argwhere(counts.values).tolist()
    }


def rejection(*files, **options):
    with pytest.raises(UserError) as error:
        count(*files, **options)
    return str(error.value)
