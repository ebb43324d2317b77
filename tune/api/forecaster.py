"""A checkpoint that forecasts data frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from data.errors import DataError, near_names
from data.read_options import ReadOptions
from tune.api.frames import Data, data_path
from tune.forecasts.evaluation import evaluate
from tune.forecasts.files import Tables
from tune.forecasts.forecaster import Checkpoint, open_checkpoint
from tune.forecasts.many import plan_forecasts
from tune.forecasts.quantiles import parse_levels
from tune.forecasts.request import ForecastRequest

LISTS = ("columns", "id_columns", "na")  # of the options of reading; as text, with commas between, as they are typed


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
        quantiles: float | Sequence[float] = (),
        *,
        context_length: int | None = None,
        series: str | Sequence[str] = (),
        at: str | pd.Timestamp | Sequence[str | pd.Timestamp] = (),
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
            names, times, wanted = (tuple(map(str, _several(values))) for values in (series, at, quantiles))
            levels = parse_levels(",".join(wanted)) if wanted else ()
            plan = plan_forecasts(request, series=names, at=times, levels=levels)
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
        split: str | None = None,
        **reading: object,
    ) -> dict[str, object]:
        """Measure the checkpoint on the windows of a part; what `foretune evaluate --json` gives.

        split: as of `search`; None for that of the checkpoint on its own data, which on others leaves all to val.
        """
        with TemporaryDirectory() as folder:
            request = replace(self._request(data, folder, prediction_length, context_length, reading), split=split)
            return evaluate(request, part=part).to_dict()  # type: ignore[arg-type]  # checked there

    def _request(
        self,
        data: Data | None,
        folder: str,
        prediction_length: int | None,
        context_length: int | None,
        reading: dict[str, object],
    ) -> ForecastRequest:
        unknown = [name for name in reading if name not in ReadOptions.model_fields]
        if unknown:
            near = (
                near_names(unknown[0], ReadOptions.model_fields) or f"; there are {', '.join(ReadOptions.model_fields)}"
            )
            raise DataError(f"{unknown[0]} must be an option of how data are read{near}")
        as_typed = {k: v.split(",") if k in LISTS and isinstance(v, str) else v for k, v in reading.items()}
        return ForecastRequest(
            checkpoint=self._name,
            trust=self._trust,
            data=None if data is None else data_path(data, Path(folder)),
            reading=as_typed,
            context_length=context_length,
            prediction_length=prediction_length,
        )


def _several(values: Any) -> Sequence[Any]:
    """Return values, also where one was given alone."""
    is_one = isinstance(values, str) or not isinstance(values, Iterable)
    return (values,) if is_one else tuple(values)


def load_forecaster(path_or_id: str | Path, *, trust: str | None = None) -> Forecaster:
    """Open a checkpoint: an exported folder, a folder with a config.json, a bundled model, or a Hub id.

    >>> load_forecaster("moirai-tiny")
    Forecaster(moirai-tiny (moirai, as it is))
    """
    return Forecaster(path_or_id, trust=trust)
