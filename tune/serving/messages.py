"""What requests and answers are made of, as the OpenAPI page describes it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

Value = Annotated[float, Strict()]  # neither true nor "1"
Times = list[str] | list[int]


class SeriesInput(BaseModel):
    """The past of one series."""

    model_config = ConfigDict(extra="forbid")

    values: list[Value | None] = Field(
        description="In the order of time; null is a missing value. At least as many as the server's context length: "
        "the model sees the last of them."
    )
    name: str | None = Field(
        default=None, description="Returned with the forecast; else the place in the list, from 1."
    )
    timestamps: list[str] | None = Field(
        default=None,
        description="The time of each value, such as 2024-01-31 13:00; gaps between them are missing values. A zone is "
        "converted to UTC.",
    )
    start: str | None = Field(default=None, description="The time of the first value alone, with frequency.")
    frequency: str | None = Field(
        default=None, description="The step, as pandas writes it: h, 15min, D, B, MS; else found in the timestamps."
    )


class PredictRequest(BaseModel):
    """The series to be forecast, and what is wanted of them."""

    model_config = ConfigDict(extra="forbid")

    series: Annotated[list[SeriesInput], BeforeValidator(lambda v: [v] if isinstance(v, dict) else v)] = Field(
        description="One series, or a list of them.", min_length=1
    )
    prediction_length: Annotated[int, Strict()] | None = Field(
        default=None, description="How many values, up to the server's prediction length, which is the default.", ge=1
    )
    quantiles: list[Value] | None = Field(
        default=None, description="Levels from 0.1 to 0.9. By default 0.1, 0.5 and 0.9 if the model has quantiles."
    )


class SeriesForecast(BaseModel):
    """The forecast of one series, in its units. A value that is no number is null."""

    name: str
    frequency: str | None = Field(description="The step, null if it is unknown.")
    timestamps: Times | None = Field(description="The times of the forecast, null if those of the values are unknown.")
    point: list[float | None] = Field(description="The forecast as one number a step: the median if there is one.")
    median: list[float | None] | None = Field(description="Null of a model that forecasts no distribution.")
    quantiles: dict[str, list[float | None]] = Field(description="By level, as it was asked for.")
    notes: list[str] = Field(description="What reading the series changed.")


class PredictResponse(BaseModel):
    """One forecast a series, in the order of the request."""

    model: str = Field(description="The checkpoint, and what it was exported from.")
    prediction_length: int
    forecasts: list[SeriesForecast]


class Health(BaseModel):
    """What the server is and does."""

    status: str = Field(description="ok")
    version: str
    checkpoint: str
    model: str = Field(description="The kind of model: moirai, time-moe, ...")
    device: str
    precision: str
    context_length: int = Field(description="Values that the model sees.")
    prediction_length: int = Field(description="The most values that it forecasts.")
    frequency: str | None = Field(description="The step that series must have; null takes any.")
    norm: str = Field(description="What a context is normalised by.")
    has_quantiles: bool
    uptime_seconds: float
    requests: int = Field(description="Requests for forecasts that were answered with them.")
    rejected: int = Field(description="Requests for forecasts that were answered with an error.")
    series: int = Field(description="Series that were forecast.")
    batches: int = Field(description="Forward passes; series / batches is the mean batch.")
    max_batch: int
    waiting: int = Field(description="Series in the queue now.")


class Mistake(BaseModel):
    """Why there is no forecast."""

    detail: str = Field(description="The rule, the value that broke it, and the remedy; a line a mistake.")


def example(
    context_length: int, prediction_length: int, frequency: str | None, *, has_quantiles: bool
) -> dict[str, object]:
    """Return a request that this server answers: a wave of as many values as it needs."""
    wave = 100 + 20 * np.sin(np.arange(context_length) * 2 * np.pi / 24)
    series = {"name": "a", "values": wave.round().tolist(), "start": "2024-01-01 00:00", "frequency": frequency or "h"}
    levels = {"quantiles": [0.1, 0.9]} if has_quantiles else {}
    return {"series": [series], "prediction_length": min(prediction_length, 24), **levels}
