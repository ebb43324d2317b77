"""TensorBoard's messages: curves, images, texts and HPARAMS; and the writer of an event file."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.image import metadata as images
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

EVENT_FILES = "events.out.tfevents.*"
_PNG_SIZE = slice(16, 24)  # of the header: width and height, four bytes each


class EventFile:
    """A new event file in a run's folder; what was added is on the disk when a call returns."""

    def __init__(self, folder: Path, suffix: str = "") -> None:
        self._writer = EventFileWriter(str(folder), filename_suffix=suffix)

    def add(self, summary: Summary, *, step: int = 0) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()

    def forget_from(self, step: int) -> None:
        """Let TensorBoard know that a session starts here: earlier ones' points at this step or later do not count."""
        self._writer.add_event(Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START)))

    def close(self) -> None:
        self._writer.close()


def curve_points(values: Mapping[str, Any]) -> Summary:
    """A point of each curve whose value is a number; float32, as the data server of `tensorboard` reads no other."""
    return Summary(value=[scalar_pb(tag, value).value[0] for tag, value in values.items() if is_number(value)])


def image(tag: str, png: bytes, description: str) -> Summary:
    """A picture. description: Markdown below its title."""
    width, height = struct.unpack(">II", png[_PNG_SIZE])
    content = tensor_util.make_tensor_proto([str(width).encode(), str(height).encode(), png], dtype=np.object_)
    about = images.create_summary_metadata(display_name=None, description=plain(description))
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=content)])


def text(tag: str, markdown: str) -> Summary:
    return text_pb(tag, plain(markdown))


def experiment(
    description: str, columns: Mapping[str, api_pb2.HParamInfo], metrics: Mapping[str, str], created: float
) -> Summary:
    """What HPARAMS lists. metrics: their titles by tag, in the order of its columns. created: seconds since 1970."""
    infos = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=tag), display_name=title, dataset_type=api_pb2.DATASET_VALIDATION
        )
        for tag, title in metrics.items()
    ]
    content = api_pb2.Experiment(
        description=plain(description),
        time_created_secs=created,
        hparam_infos=columns.values(),
        metric_infos=infos,
    )
    return _hparams_summary(hparams.EXPERIMENT_TAG, experiment=content)


def session_start(start: plugin_data_pb2.SessionStartInfo) -> Summary:
    return _hparams_summary(hparams.SESSION_START_INFO_TAG, session_start_info=start)


def session_end(*, failed: bool) -> Summary:
    status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    return _hparams_summary(hparams.SESSION_END_INFO_TAG, session_end_info=info)


def is_number(value: object) -> bool:
    """Whether TensorBoard can hold a value as a number; a whole one of hundreds of digits is text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def plain(words: str) -> str:
    """Return a text as UTF-8 can hold it."""
    return words.encode("utf-8", "replace").decode()


def _hparams_summary(tag: str, **content: Any) -> Summary:
    plugin_data = plugin_data_pb2.HParamsPluginData(**content)
    about = hparams.create_summary_metadata(plugin_data)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=hparams.NULL_TENSOR)])
