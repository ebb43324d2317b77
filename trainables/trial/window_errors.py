"""What each window says of a forecaster: its share in every score, kept so that nothing is forecast twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from data.errors import DamagedFileError
from data.files import check_readable, replace_bytes

SERIES = "series"


@dataclass(frozen=True, eq=False)
class WindowErrors:
    """The windows of a part, series after series and in time order within each, and their shares in the scores.

    series: (n_windows,) int32, the number of each window's series.
    shares: by score, (n_windows,) float32 each; the mean of a score's shares is the score over all windows. NaN where
    the score is not defined. val_rmse has none: it is the root of val_mse.
    """

    series: NDArray[np.int32]
    shares: Mapping[str, NDArray[np.float32]]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.series)

    def of(self, metric: str) -> NDArray[np.float64] | None:
        """Return a metric's shares, (n_windows,) float64; None where one is not known or not finite.

        Of val_rmse, which is no mean, those of val_mse: what has the smaller one has the smaller other.
        """
        shares = self.shares.get("val_mse" if metric == "val_rmse" else metric)
        return None if shares is None or not np.isfinite(shares).all() else shares.astype(np.float64)

    def score(self, metric: str) -> float | None:
        """Return a metric over all windows; None where it is not known or not finite."""
        shares = self.of(metric)
        return None if shares is None else score_of(metric, float(shares.mean()))

    def is_of_same_windows(self, other: WindowErrors) -> bool:
        return np.array_equal(self.series, other.series)

    @classmethod
    def mean(cls, found: Sequence[WindowErrors]) -> WindowErrors | None:
        """Return the mean over several of the same windows, of the scores that all have; None of none, or of others."""
        if not found or not all(errors.is_of_same_windows(found[0]) for errors in found):
            return None
        names = [name for name in found[0].shares if all(name in errors.shares for errors in found)]
        sums = {name: np.stack([errors.shares[name] for errors in found]).astype(np.float64) for name in names}
        return cls(found[0].series, {name: of.mean(axis=0).astype(np.float32) for name, of in sums.items()})

    def write(self, path: Path) -> None:
        """Write a safetensors file in one step."""
        replace_bytes(path, save({SERIES: self.series, **self.shares}))

    @classmethod
    def read(cls, path: Path) -> WindowErrors:
        """Read what `write` wrote; raises FileNotFoundError or DamagedFileError."""
        try:
            check_readable(path)
            arrays = load_file(path)
        except FileNotFoundError:
            raise
        except (OSError, SafetensorError) as error:
            raise DamagedFileError(f"{path}: the file is damaged ({error})") from error
        series = arrays.pop(SERIES, None)
        if series is None or any(shares.shape != series.shape or series.ndim != 1 for shares in arrays.values()):
            raise DamagedFileError(f"{path}: the file is damaged (it does not hold a share a window)")
        return cls(series.astype(np.int32), {name: shares.astype(np.float32) for name, shares in arrays.items()})


def score_of(metric: str, mean: float) -> float:
    """Return the score of which this is the mean over windows: of val_rmse, the root."""
    return max(mean, 0.0) ** 0.5 if metric == "val_rmse" else mean
