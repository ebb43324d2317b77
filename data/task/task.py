"""The forecast task: panel, split, lengths, strides and scaling that every model is measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data.errors import DataError, TaskError
from data.metrics import past_seasonal_error
from data.naive import season_length
from data.normalization import series_normalization
from data.panel import Panel
from data.task.split import normalization_ends, parse_split, split_panel
from data.task.task_spec import PARTS, Part, TaskSpec
from data.task.windows import WindowGather, WindowIndex, WindowShape, index_windows

__all__ = ["PARTS", "ForecastTask", "Part", "TaskSpec"]


@dataclass(frozen=True)
class _DeviceCopy:
    """What batches are made of on one device: (rows,) float32 scaled values, (n_series,) float64 zero and std.

    zero: what a scaled 0 is in the units of each series.
    """

    values: torch.Tensor
    zero: torch.Tensor
    std: torch.Tensor


class ForecastTask:
    """A panel cut into windows: the same train, validation and test for every model.

    panel, spec: what it was made from. split: row bounds of each series.
    normalization_end: (n_series,) int64, how many first rows of each series its scale is taken from: its train rows;
    under split 'series', where a validation or test series has none, its first 8/10.
    mean, std: (n_series,) float64, of the panel's values in these rows alone; population deviation, 1 where it is 0;
    zeros and ones when the spec's scale is 'none'.
    train, val, test: the windows of each part.
    Train windows lie wholly in the train rows. The first validation target is the first validation row, and
    its context reaches back into the train rows; test likewise (the ETT protocol of Informer and Time-LLM). A series
    that validates or tests as a whole has its first target right after its first context.

    >>> panel = Panel.from_series("ramp", {"a": np.arange(100)})
    >>> task = ForecastTask(panel, TaskSpec(context_length=12, prediction_length=4, eval_stride=4))
    >>> len(task.train), len(task.val), len(task.test)  # 80 rows train, 10 validate, 10 test
    (65, 2, 2)
    >>> batch = next(task.gather("val").batches(1))
    >>> batch.context[0, -1].item(), batch.target[0].tolist()
    (79.0, [80.0, 81.0, 82.0, 83.0])
    """

    def __init__(self, panel: Panel, spec: TaskSpec, parts: Collection[Part] = PARTS) -> None:
        """List the windows of these parts; to measure a checkpoint, one is enough.

        Raises DataError if a series has no value at all, TaskError if a part has no window.
        """
        _reject_empty_series(panel)
        self.panel = panel
        self.spec = spec
        self.context_length = spec.context_length
        self.prediction_length = spec.prediction_length
        rule = parse_split(spec.split)
        self.split = split_panel(panel, rule)
        self.normalization_end = normalization_ends(panel, rule, self.split)
        self.mean, self.std = self._normalization()
        self._index = {part: self._windows(part) for part in PARTS if part in parts}
        self._on_device: dict[str, _DeviceCopy] = {}
        self._seasonal_error: dict[Part, NDArray[np.float64]] = {}

    @property
    def train(self) -> WindowIndex:
        return self._index["train"]

    @property
    def val(self) -> WindowIndex:
        return self._index["val"]

    @property
    def test(self) -> WindowIndex:
        return self._index["test"]

    def gather(self, part: Part, device: torch.device | str = "cpu") -> WindowGather:
        """Return the part's windows on a device; the scaled panel moves there once and all parts share it."""
        return WindowGather(
            self._copy(torch.device(device)).values,
            self._index[part],
            context_length=self.context_length,
            prediction_length=self.prediction_length,
        )

    def past_seasonal_error(self, part: Part) -> NDArray[np.float64]:
        """Return the scale of each window's MASE, (n_windows,), in the units of the series; see `data.metrics`."""
        if part in self._seasonal_error:
            return self._seasonal_error[part]
        index, offsets = self._index[part], self.panel.offsets
        season = season_length(self.panel.freq)
        ends = index.starts + self.context_length
        scale = past_seasonal_error(self.panel.values, offsets[index.series], ends, season)
        self._seasonal_error[part] = scale
        return scale

    def unscale(self, values: torch.Tensor, series: torch.Tensor) -> torch.Tensor:
        """Bring scaled values back to the units of their series.

        values: (batch, ...), scaled; series: (batch,) int64, on the same device.
        Returns the shape of values, float64: float32 cannot hold every series' variation in its units.
        """
        copy = self._copy(values.device)
        shape = (-1,) + (1,) * (values.dim() - 1)
        return values.double() * copy.std[series].view(shape) + copy.zero[series].view(shape)

    @cached_property
    def fingerprint(self) -> str:
        """Return the sha256 of the panel's content and the spec: equal tasks measure the same thing."""
        text = f"{self.panel.content_hash}\n{self.spec.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def describe(self) -> dict[str, object]:
        """Return the task's facts as plain values that JSON can hold."""
        return {
            "name": self.panel.name,
            "n_series": len(self.panel),
            "rows": len(self.panel.values),
            "freq": self.panel.freq,
            **self.spec.model_dump(),
            "windows": {part: len(index) for part, index in self._index.items()},
            "notes": list(self.panel.notes),
            "hash": self.fingerprint,
        }

    def __getstate__(self) -> dict[str, Any]:
        """Leave the device copies behind: another process makes its own."""
        return {**self.__dict__, "_on_device": {}}

    def _copy(self, device: torch.device) -> _DeviceCopy:
        """Return the scaled panel and its normalization on a device, moved there at the first call."""
        key = str(torch.empty(0, device=device).device)  # so that 'cuda' and 'cuda:0' share one copy
        if key not in self._on_device:
            arrays = (self._scale(), self.mean + self.panel.centers, self.std)
            self._on_device[key] = _DeviceCopy(*(torch.from_numpy(array).to(device) for array in arrays))
        return self._on_device[key]

    def _normalization(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and deviation of each series' observed values in its first `normalization_end` rows."""
        if self.spec.scale == "none":
            return np.zeros(len(self.panel)), np.ones(len(self.panel))
        mean, std = series_normalization(self.panel, self.normalization_end)
        if np.isnan(mean).any():
            i = int(np.isnan(mean).argmax())
            raise TaskError(
                f"--scale standard needs a train value in every series, but {self.panel.ids[i]!r} has none in its "
                f"first {self.normalization_end[i]} rows; drop the series, split later, or take --scale none"
            )
        return mean, std

    def _scale(self) -> NDArray[np.float32]:
        """Return the scaled panel, (rows,) float32, computed in float64 as the upstream loaders do."""
        rows = self.panel.lengths
        centred = self.panel.values.astype(np.float64) - np.repeat(self.mean, rows)
        scaled: NDArray[np.float32] = (centred / np.repeat(self.std, rows)).astype(np.float32)
        return scaled

    def _bounds(self, part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of each series in which the part's targets lie, first and end."""
        if part == "train":
            return np.zeros_like(self.split.train_end), self.split.train_end
        if part == "val":
            return self.split.train_end, self.split.val_end
        return self.split.val_end, self.split.test_end

    def _windows(self, part: Part) -> WindowIndex:
        """List the part's windows, or draw as many as it may have; reject a task that has none."""
        spec = self.spec
        stride = spec.train_stride if part == "train" else spec.eval_stride
        first, end = self._bounds(part)
        shape = WindowShape(spec.context_length, spec.prediction_length, stride)
        index = index_windows(self.panel, first, end, shape=shape)
        if not len(index):
            raise TaskError(self._no_window(part, first, end))
        most = spec.most_windows(part)
        return index if most is None else index.draw(most, spec.window_generator(part))

    def _no_window(self, part: Part, first: NDArray[np.int64], end: NDArray[np.int64]) -> str:
        """Say which rows the part has, which it needs, and what to change."""
        spec = self.spec
        longest = int(np.argmax(end))
        needed = spec.context_length + spec.prediction_length
        rows = f"series {self.panel.ids[longest]!r} has rows {first[longest]} to {end[longest]} there"
        return (
            f"{self.panel.name}: no series has a {part} window: one needs {needed} rows (context_length "
            f"{spec.context_length} + prediction_length {spec.prediction_length}), the last "
            f"{spec.prediction_length} of them {part} rows, with an observed value in context and target; under "
            f"split {spec.split} {rows}; shorten --context-length or --prediction-length, give the part more rows "
            f"with --split, or bring longer series"
        )


def _reject_empty_series(panel: Panel) -> None:
    """Reject a panel without series, or with one that holds no observed value."""
    if not len(panel):
        raise DataError(f"{panel.name}: a task needs at least one series, and the panel has none; add one")
    empty = [name for i, name in enumerate(panel.ids) if np.isnan(panel.series(i)).all()]
    if empty:
        names = ", ".join(map(repr, empty[:5])) + (f" and {len(empty) - 5} more" if len(empty) > 5 else "")
        raise DataError(f"{panel.name}: a series needs an observed value, and {names} has none; drop it")
