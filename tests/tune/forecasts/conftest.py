"""What tests of forecasts share: two short series, longer waves, and a tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tune.forecasts.measured import A, B, Jsonl
from trainables.pretraining.time_moe import tiny_config
from trainables.time_moe.modeling import TimeMoeForPrediction


@pytest.fixture
def two(jsonl: Jsonl) -> Path:
    return jsonl(a=A, b=B)


@pytest.fixture
def waves(jsonl: Jsonl) -> Path:
    rng, steps = np.random.default_rng(3), np.arange(300)
    values = {f"s{i}": 20 + 9 * i + 5 * np.sin(steps / 24 * 6.283 + i) + rng.normal(0, 0.5, 300) for i in range(3)}
    values["s1"][100:110] = np.nan
    lists = {key: [None if np.isnan(v) else v for v in row.tolist()] for key, row in values.items()}
    return jsonl(start="2024-01-01 00:00:00", freq="h", **lists)


@pytest.fixture(scope="session")
def time_moe_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("time-moe")
    torch.manual_seed(0)
    TimeMoeForPrediction(tiny_config()).save_pretrained(folder)
    return folder
