"""Window errors as a sweep keeps them, made up."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from trainables.trial.window_errors import WindowErrors


def errors(loss: ArrayLike, *, mae: ArrayLike | None = None, series: ArrayLike | None = None) -> WindowErrors:
    """Errors of these losses a window; MAE and WQL go with the loss unless MAE is given."""
    of_loss = np.asarray(loss, dtype=np.float32)
    of_mae = of_loss + 10 if mae is None else np.asarray(mae, dtype=np.float32)
    of_series = np.zeros(len(of_loss)) if series is None else np.asarray(series)
    shares = {"val_loss": of_loss, "val_mae": of_mae, "val_mse": of_mae**2, "val_wql": of_mae / 10}
    return WindowErrors(of_series.astype(np.int32), shares)
