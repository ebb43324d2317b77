"""The task: what every model is measured on, checked against the ETT protocol."""

from __future__ import annotations

import hashlib
import json
import pickle

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from data.errors import DataError, TaskError
from data.panel import Panel
from data.readers.panel_reader import read_panel
from data.task.task import ForecastTask, TaskSpec
from tests.paths import SHARED

NAN = np.nan
GOLDEN = SHARED / "parity" / "ett_protocol" / "golden.npz"
ETT = {"split": "ett", "context_length": 512, "prediction_length": 96}


def small(*series, freq=None, **spec):
    """A task of context 3 and prediction 2 over the given series."""
    panel = Panel.from_series("p", {f"s{i}": np.asarray(values) for i, values in enumerate(series)}, freq=freq)
    return ForecastTask(panel, TaskSpec(**{"context_length": 3, "prediction_length": 2, **spec}))


@pytest.fixture(scope="module")
def counting():
    """The rows 0 .. 17419 of two hourly series, as long as ETTh1: every value tells its row."""
    rows = np.arange(17420, dtype=np.float64)
    panel = Panel.from_series("counting", {"a": rows, "b": rows}, starts=["2016-07-01"] * 2, freq="h")
    return ForecastTask(panel, TaskSpec(**ETT))


@pytest.mark.parametrize(("part", "count"), [("train", 8033), ("val", 2785), ("test", 2785)])
def test_ett_windows_are_as_many_as_the_protocol_has(counting, part, count):
    # train 8640 - 512 - 96 + 1; validation and test 2880 - 96 + 1
    assert len(getattr(counting, part)) == 2 * count
    assert len(counting.gather(part)) == 2 * count


@pytest.mark.parametrize(
    ("part", "first", "last"),
    [("train", (0, 512, 608), (8032, 8544, 8640)),
     ("val", (8128, 8640, 8736), (10912, 11424, 11520)),
     ("test", (11008, 11520, 11616), (13792, 14304, 14400))],
)  # fmt: skip
def test_ett_windows_begin_and_end_at_the_protocols_rows(counting, part, first, last):
    gather = counting.gather(part)
    half = len(gather) // 2
    batch = gather.batch(torch.tensor([0, half - 1, half, len(gather) - 1]))
    found = [
        (int(context[0]), int(target[0]), int(target[-1]) + 1)
        for context, target in zip(batch.context, batch.target, strict=True)
    ]
    assert found == [first, last, first, last]
    assert batch.series.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("prediction_length", "train", "val"), [(192, 55559, 18823), (336, 54551, 17815), (720, 51863, 15127)]
)
def test_ett_counts_hold_for_the_other_prediction_lengths(counting, prediction_length, train, val):
    spec = TaskSpec(**{**ETT, "prediction_length": prediction_length})
    task = ForecastTask(counting.panel, spec)
    assert len(task.train) * 7 == train * 2  # the protocol has seven channels, the panel two
    assert len(task.val) * 7 == len(task.test) * 7 == val * 2


@pytest.fixture(scope="module")
def etth1():
    """The task of the upstream loaders on the file itself."""
    if not (SHARED / "data" / "ETTh1.csv").exists() or not GOLDEN.exists():
        pytest.skip("needs the shared ETTh1.csv and parity data")
    return ForecastTask(read_panel(SHARED / "data" / "ETTh1.csv"), TaskSpec(**ETT, scale="standard"))


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("which", ["first", "last_of_channel0", "first_of_channel1", "last"])
def test_etth1_windows_are_the_upstream_loaders_to_the_last_bit(etth1, part, which):
    with np.load(GOLDEN) as golden:
        number = int(golden[f"{part}.{which}.index"])
        context = golden[f"{part}.{which}.x"][:, 0].astype(np.float32)
        target = golden[f"{part}.{which}.y_with_label48"][48:, 0].astype(np.float32)
    batch = etth1.gather(part).batch(torch.tensor([number]))
    np.testing.assert_array_equal(batch.context[0].numpy(), context)
    np.testing.assert_array_equal(batch.target[0].numpy(), target)


def test_etth1_scaler_is_the_upstream_scaler(etth1):
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(etth1.mean, golden["scaler.mean"], rtol=1e-14)
        np.testing.assert_allclose(etth1.std, golden["scaler.scale"], rtol=1e-14)
    assert len(etth1.train) == 56231
    assert len(etth1.val) == len(etth1.test) == 19495


def test_scaling_sees_observed_train_rows_alone():
    # 30 rows, 24 train: half of them 1, half 3, one of each missing; what follows is far away
    values = np.array([1.0, 3.0] * 12 + [1000.0] * 6)
    values[[4, 7]] = np.nan
    task = small(values, scale="standard")
    assert task.mean.tolist() == [2.0]
    assert task.std.tolist() == [1.0]
    batch = task.gather("train").batch(torch.tensor([3]))  # rows 3, 4, 5 and 6, 7
    np.testing.assert_array_equal(batch.context.numpy(), [[1, np.nan, 1]])
    np.testing.assert_array_equal(batch.target.numpy(), [[-1, np.nan]])


def test_a_constant_series_is_centred_and_not_divided():
    task = small(np.full(30, 5.0), scale="standard")
    assert (task.mean[0], task.std[0]) == (5.0, 1.0)
    assert task.gather("val").batch(torch.tensor([0])).context.tolist() == [[0, 0, 0]]


def test_scale_none_leaves_the_units():
    task = small(np.arange(30.0))
    assert (task.mean[0], task.std[0]) == (0.0, 1.0)
    assert task.gather("train").batch(torch.tensor([1])).context.tolist() == [[1, 2, 3]]


def test_unscaling_gives_back_the_units_of_each_series():
    task = small(np.arange(30.0), np.arange(30.0) * 100 + 7, scale="standard")
    batch = task.gather("test").batch(torch.tensor([0, len(task.test) - 1]))
    assert batch.series.tolist() == [0, 1]
    # 27 is the first test row; the last target is rows 28 and 29
    units = task.unscale(batch.target, batch.series)
    right = torch.tensor([[27.0, 28.0], [2807.0, 2907.0]], dtype=torch.float64)
    torch.testing.assert_close(units, right, rtol=0, atol=1e-4)
    quantiles = batch.target[:, None, :].expand(2, 3, 2)
    torch.testing.assert_close(task.unscale(quantiles, batch.series)[:, 2], units)


def test_unscaling_half_precision_gives_double_precision():
    task = small(np.arange(30.0), scale="standard")
    assert task.unscale(torch.zeros(1, 2, dtype=torch.bfloat16), torch.tensor([0])).dtype == torch.float64


def test_strides_thin_train_and_evaluation_windows_apart():
    # 24 train rows: 20 windows; 3 validation rows: 2 windows; 3 test rows: 2
    task = small(np.arange(30.0))
    assert (len(task.train), len(task.val), len(task.test)) == (20, 2, 2)
    thinned = small(np.arange(30.0), train_stride=4, eval_stride=2)
    assert (thinned.train.starts.tolist(), len(thinned.val), len(thinned.test)) == ([0, 4, 8, 12, 16], 1, 1)


def test_parts_share_one_copy_of_the_panel_on_a_device():
    task = small(np.arange(30.0))
    train, test = task.gather("train", "cpu"), task.gather("test", torch.device("cpu"))
    assert train._windows.data_ptr() == test._windows.data_ptr()


def test_a_short_series_contributes_nothing_and_stops_nobody():
    task = small(np.arange(4.0), np.arange(30.0))
    assert set(task.train.series.tolist()) == {1}


def test_no_window_at_all_is_refused_with_rows_there_rows_needed_and_the_remedy():
    # 30 rows, ratio: validation has rows 24 to 27, too few for a prediction of 4
    with pytest.raises(TaskError) as rejection:
        small(np.arange(30.0), prediction_length=4)
    message = str(rejection.value)
    assert "no series has a val window" in message
    assert "needs 7 rows (context_length 3 + prediction_length 4)" in message
    assert "'s0' has rows 24 to 27" in message
    assert "shorten" in message


def test_an_empty_series_is_refused_by_name():
    with pytest.raises(DataError, match="'s1' has none"):
        small(np.arange(30.0), np.full(30, np.nan))


def test_a_panel_without_series_is_rejected():
    with pytest.raises(DataError, match="at least one series"):
        small()


def test_standard_scaling_refuses_a_series_without_train_values():
    late = np.r_[np.full(25, np.nan), np.arange(5.0)]
    with pytest.raises(TaskError, match="'s1' has none in its first 24 rows"):
        small(np.arange(30.0), late, scale="standard")
    assert len(small(np.arange(30.0), late).train) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"context_length": 0},
        {"prediction_length": 0},
        {"train_stride": 0},
        {"scale": "minmax"},
        {"contxt": 3},
        {"max_windows": 0},
        {"window_seed": -1},
    ],
)
def test_a_spec_refuses_what_it_does_not_know(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TaskSpec(**{"context_length": 3, "prediction_length": 2, **wrong})


def test_a_spec_names_the_nearest_split():
    with pytest.raises(ValidationError, match="did you mean 'ratio'"):
        TaskSpec(split="rato", context_length=3, prediction_length=2)


def test_equal_tasks_have_one_fingerprint_and_others_another():
    plain = small(np.arange(30.0))
    assert plain.fingerprint == small(np.arange(30.0), split="ratio:8:1:1").fingerprint
    assert plain.fingerprint != small(np.arange(30.0) + 1).fingerprint
    assert plain.fingerprint != small(np.arange(30.0), train_stride=2).fingerprint


def test_a_fingerprint_without_drawn_windows_is_what_it_was_before_there_were_any():
    plain = small(np.arange(30.0))
    spec = '{"split":"ratio","context_length":3,"prediction_length":2,"train_stride":1,"eval_stride":1,"scale":"none"}'
    assert plain.fingerprint == hashlib.sha256(f"{plain.panel.content_hash}\n{spec}".encode()).hexdigest()
    assert plain.fingerprint == small(np.arange(30.0), window_seed=5).fingerprint  # nothing is drawn
    fewer = small(np.arange(30.0), max_windows=8)
    assert (
        len({plain.fingerprint, fewer.fingerprint, small(np.arange(30.0), max_windows=8, window_seed=5).fingerprint})
        == 3
    )


def test_a_spec_writes_down_how_windows_are_drawn_only_where_they_are():
    lengths = {"context_length": 3, "prediction_length": 2}
    assert not {"max_windows", "max_eval_windows", "window_seed"} & TaskSpec(**lengths).model_dump().keys()
    spec = TaskSpec(**lengths, max_windows=8, window_seed=5)
    assert (spec.model_dump()["max_windows"], spec.model_dump()["window_seed"]) == (8, 5)
    for each in (spec, TaskSpec(**lengths)):
        assert TaskSpec(**json.loads(each.model_dump_json())) == each


def test_as_many_windows_are_drawn_as_each_part_may_have():
    # 300 rows, ratio: 240 - 5 + 1 train windows, 30 - 2 + 1 of validation and of test
    whole = small(np.arange(300.0))
    assert (len(whole.train), len(whole.val), len(whole.test)) == (236, 29, 29)
    drawn = small(np.arange(300.0), max_windows=40, max_eval_windows=5)
    assert (len(drawn.train), len(drawn.val), len(drawn.test)) == (40, 5, 5)
    assert len(drawn.gather("train")) == 40
    for part in ("train", "val", "test"):
        starts = getattr(drawn, part).starts
        assert (np.diff(starts) > 0).all()
        assert set(starts.tolist()) < set(getattr(whole, part).starts.tolist())
    again, other = (small(np.arange(300.0), max_windows=40, window_seed=seed) for seed in (0, 1))
    assert again.train.starts.tolist() == drawn.train.starts.tolist()
    assert other.train.starts.tolist() != drawn.train.starts.tolist()


@pytest.mark.parametrize(
    ("limits", "counts"),
    [
        ({"max_windows": 15}, (15, 29, 29)),
        ({"max_eval_windows": 1}, (236, 1, 1)),
        ({"max_windows": 1000, "max_eval_windows": 1000}, (236, 29, 29)),
    ],
)
def test_a_limit_is_for_its_parts_alone_and_nothing_is_made_up(limits, counts):
    task = small(np.arange(300.0), **limits)
    assert (len(task.train), len(task.val), len(task.test)) == counts


@pytest.mark.parametrize("text", ["series", "series@1"])
def test_split_by_series_measures_new_series_from_their_own_first_context_on(text):
    # four series of 20 rows: two train (20 - 5 + 1 windows each), one validates, one tests, targets from row 3
    task = small(*(np.arange(20.0) + 100 * i for i in range(4)), split=text, scale="standard")
    assert (len(task.train), len(task.val), len(task.test)) == (32, 16, 16)
    of_part = [set(getattr(task, part).series.tolist()) for part in ("train", "val", "test")]
    assert [len(series) for series in of_part] == [2, 1, 1]
    assert len(set.union(*of_part)) == 4
    (val,) = of_part[1]
    batch = task.gather("val").batch(torch.tensor([0]))
    right = torch.tensor([[3.0, 4.0]], dtype=torch.float64) + 100 * val
    torch.testing.assert_close(task.unscale(batch.target, batch.series), right, rtol=0, atol=1e-4)
    # of 0 .. 15, the first 80 %: mean 7.5; of 0 .. 19, a train series: 9.5
    assert task.mean[val] == 7.5 + 100 * val
    assert task.mean[min(of_part[0])] == 9.5 + 100 * min(of_part[0])


def test_split_by_series_never_scales_by_the_last_fifth():
    panels = [np.arange(20.0)] * 3 + [np.r_[np.full(16, NAN), np.arange(4.0)]]
    trains = {seed: small(*panels, split=f"series@{seed}").split.train_end[3] > 0 for seed in range(20)}
    assert len(small(*panels, split=f"series@{list(trains.values()).index(True)}", scale="standard").train) > 0
    with pytest.raises(TaskError, match="'s3' has none in its first 16 rows"):
        small(*panels, split=f"series@{list(trains.values()).index(False)}", scale="standard")


def test_a_task_describes_itself_in_json():
    facts = json.loads(json.dumps(small(np.arange(30.0), freq="h").describe()))
    assert facts["windows"] == {"train": 20, "val": 2, "test": 2}
    assert (facts["n_series"], facts["rows"], facts["freq"], facts["scale"]) == (1, 30, "h", "none")


def test_a_task_travels_to_another_process_without_its_device_copies():
    task = small(np.arange(30.0))
    task.gather("train")
    copy = pickle.loads(pickle.dumps(task))
    assert copy.fingerprint == task.fingerprint
    assert copy._on_device == {}
    assert copy.gather("train").batch(torch.tensor([1])).context.tolist() == [[1, 2, 3]]
