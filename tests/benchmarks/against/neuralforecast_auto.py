"""NeuralForecast's AutoNHITS or AutoMLP on the default sweep's data, in an environment that has neuralforecast and Ray.

    python tests/benchmarks/against/neuralforecast_auto.py --data sample.csv --model AutoNHITS --trials 8

Every column is standardised by its training rows beforehand, so that the error is in the units of val_mae; the
validation part is the same rows. Prints a JSON line a trial: seconds since the start, and its mean absolute error.
"""

from __future__ import annotations

import argparse
import json
import time

import pandas as pd
from neuralforecast import NeuralForecast, auto
from neuralforecast.losses.pytorch import MAE

CONTEXT, PREDICTION, TRAIN, VALIDATION = 256, 64, 0.8, 0.1


def long_frame(path: str) -> tuple[pd.DataFrame, int]:
    """All series below one another, standardised, without the test rows; and the rows of validation."""
    wide = pd.read_csv(path, index_col=0, parse_dates=True).interpolate(limit_direction="both")
    rows = len(wide)
    train, seen = int(TRAIN * rows), int((TRAIN + VALIDATION) * rows)
    scaled = (wide - wide[:train].mean()) / wide[:train].std(ddof=0)
    long = scaled[:seen].rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    return long, seen - train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="AutoNHITS")
    parser.add_argument("--trials", type=int, default=8)
    arguments = parser.parse_args()
    frame, validation = long_frame(arguments.data)
    started = time.time()
    kind = getattr(auto, arguments.model)
    config = kind.get_default_config(h=PREDICTION, backend="ray")
    config.update(input_size=CONTEXT, step_size=16, enable_progress_bar=False, logger=False)
    model = kind(h=PREDICTION, loss=MAE(), config=config, num_samples=arguments.trials)
    forecast = NeuralForecast(models=[model], freq="h")
    forecast.fit(frame, val_size=validation)
    for result in forecast.models[0].results.get_dataframe().to_dict("records"):
        seconds = result["timestamp"] - started
        print(json.dumps({"seconds": seconds, "own": result["time_total_s"], "mae": result["loss"]}), flush=True)
    print(json.dumps({"wall": time.time() - started, "trials": arguments.trials}), flush=True)


if __name__ == "__main__":
    main()
