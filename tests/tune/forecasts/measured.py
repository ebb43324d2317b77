"""Two short series, and the errors of a checkpoint on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.errors import UserError
from tests.paths import TOYS
from tune.forecasts.evaluation import Evaluation, evaluate
from tune.forecasts.request import ForecastRequest

TOY = str(TOYS / "last_plus_one.py")
Export = Callable[..., Path]
Jsonl = Callable[..., Path]

# Context 2, prediction 2, stride 2: two windows a series, their targets from rows 2 and 4 on. The model says the last
# value and 1 more, of what it sees: 1 more in the units of the data with norm none, a deviation more with the others.
A = [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]
B = [5.0, 5.0, 5.0, 5.0, 7.0, 9.0]
SHORT = {"context_length": 2, "prediction_length": 2, "eval_stride": 2}


def measured(folder: Path, **asked: Any) -> Evaluation:
    more = {key: asked.pop(key) for key in ("part", "batch_size") if key in asked}
    return evaluate(ForecastRequest(str(folder), trust=TOY, gpus=0, **asked), **more)


def refusal(**asked: Any) -> str:
    with pytest.raises(UserError) as caught:
        measured(**asked)
    return str(caught.value)
