"""A checkpoint that forecasts data frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from tune.api.frames import Data, data_path
from tune.forecasts.evaluation import evaluate
from tune.forecasts.files import Tables
from tune.forecasts.forecaster import Checkpoint, open_checkpoint
from tune.forecasts.many import plan_forecasts
from tune.forecasts.request import ForecastRequest


class Forecaster:
    """A checkpoint: an exported folder, a bundled model, or one of the Hub's."""

    def __init__(self, name: str | Path, *, trust: str | None = None) -> None:
        """Raises CheckpointError if there is none. trust: the file of a model of the user's own, which is then run."""
        self._name, self._trust = str(name), trust
        self._checkpoint: Checkpoint = open_checkpoint(self._name, trust)

    def __repr__(self) -> str:
        return f"Forecaster({self._checkpoint.title})"

    def predict(
        self,
        data: Data | None = None,
        prediction_length: int | None = None,
        quantiles: Sequence[float] = (),
        *,
        context_length: int | None = None,
        series: Sequence[str] = (),
        at: Sequence[str] = (),
        **reading: object,
    ) -> pd.DataFrame:
        """Forecast all series, or those named, after their last rows or from the times `at` on.

        data: as of `search`; None for what the checkpoint was trained on. A row a point: series, origin, time, step,
        forecast, a column q0.1 a quantile (from 0.1 to 0.9), and actual where it is known; in the units of the data.
        Lengths may be left out for a checkpoint that a sweep exported. reading: how data are read, such as freq="h".
        Raises a UserError for what cannot be.
        """
        with TemporaryDirectory() as folder:
            request = self._request(data, folder, prediction_length, context_length, reading)
            plan = plan_forecasts(request, series=series, at=[str(moment) for moment in at], levels=tuple(quantiles))
            tables = Tables(plan)
            found = pd.concat([tables.of(block) for block in plan.blocks()], ignore_index=True)
        if tables.are_timed:
            found["origin"], found["time"] = pd.to_datetime(found["origin"]), pd.to_datetime(found["time"])
        return found

    def evaluate(
        self,
        data: Data | None = None,
        prediction_length: int | None = None,
        *,
        context_length: int | None = None,
        part: str = "test",
        **reading: object,
    ) -> dict[str, object]:
        """Measure the checkpoint on the windows of a part; what `foretune evaluate --json` gives."""
        with TemporaryDirectory() as folder:
            request = self._request(data, folder, prediction_length, context_length, reading)
            return evaluate(request, part=part).to_dict()  # type: ignore[arg-type]  # checked there

    def _request(
        self,
        data: Data | None,
        folder: str,
        prediction_length: int | None,
        context_length: int | None,
        reading: dict[str, object],
    ) -> ForecastRequest:
        return ForecastRequest(
            checkpoint=self._name,
            trust=self._trust,
            data=None if data is None else data_path(data, Path(folder)),
            reading=reading,
            context_length=context_length,
            prediction_length=prediction_length,
        )


def load_forecaster(path_or_id: str | Path, *, trust: str | None = None) -> Forecaster:
    """Open a checkpoint: an exported folder, a folder with a config.json, a bundled model, or a Hub id.

    >>> load_forecaster("moirai-tiny")
    Forecaster(moirai-tiny (moirai, as it is))
    """
    return Forecaster(path_or_id, trust=trust)
