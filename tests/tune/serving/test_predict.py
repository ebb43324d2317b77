"""Forecasts over a real socket: what is answered, and that it is what `predict` says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tune.forecasts.measured import TOY
from tests.tune.serving.running import Client, running
from tune.forecasts.prediction import predict
from tune.forecasts.request import ForecastRequest
from tune.serving.limits import Limits
from tune.serving.request import ServedRequest
from tune.serving.served_model import ServedModel

CONTEXT, STEPS = 64, 8
START = "2024-01-01 00:00:00"
Export = Callable[..., Path]
Jsonl = Callable[..., Path]


@pytest.fixture(scope="module")
def model() -> ServedModel:
    """Moirai as it is: its quantiles come from draws."""
    return ServedModel(ServedRequest("moirai-tiny", context_length=CONTEXT, prediction_length=STEPS, freq="h", gpus=0))


@pytest.fixture(scope="module")
def client(model: ServedModel) -> Iterator[Client]:
    with running(model, Limits(max_batch=16, max_wait=100.0)) as client:
        yield client


@pytest.fixture
def last_plus_one(export: Export, jsonl: Jsonl) -> ServedModel:
    """An export of hourly series, whose model says the last of two values and 1 more."""
    data = jsonl(a=[0.0, 4.0, 8.0, 12.0, 16.0, 20.0], start=START, freq="h")
    folder = export(data, context_length=2, prediction_length=3, split="rows:4")
    return ServedModel(ServedRequest(str(folder), trust=TOY, gpus=0))


def wave(i: int, rows: int = CONTEXT) -> list[float]:
    steps = np.arange(rows)
    noise = np.random.default_rng(i).normal(0, 2, rows)
    return [round(float(v), 3) for v in 100 * i + 20 * np.sin(steps / 24 * 6.283 + i) + noise]


def request(*series: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"series": list(series), **more}


def test_an_answer_is_what_predict_says(client: Client, jsonl: Jsonl) -> None:
    """With gaps, and more values than the model sees."""
    values: list[float | None] = [*wave(3, 100)]
    values[50:53] = [None] * 3
    data = jsonl(a=values, start=START, freq="h")
    asked = ForecastRequest("moirai-tiny", data=str(data), context_length=CONTEXT, prediction_length=STEPS, gpus=0)
    expected = predict(asked, series="a", levels=(0.1, 0.25))
    series = {"name": "a", "values": values, "start": START, "frequency": "h"}
    answer = client.post(request(series, quantiles=[0.1, 0.25]))
    assert answer.status == 200
    (found,) = answer.content["forecasts"]
    assert (found["name"], found["frequency"], found["timestamps"]) == ("a", "h", expected.times)
    assert found["timestamps"][0] == "2024-01-05 04:00:00"  # 100 hours later
    assert found["median"] == found["point"] == pytest.approx(expected.values, rel=1e-6)
    assert list(found["quantiles"]) == ["0.1", "0.25"]
    assert found["quantiles"]["0.25"] == pytest.approx(expected.quantiles[0.25], rel=1e-6)


def test_a_forecast_is_the_same_alone_and_beside_others(client: Client) -> None:
    bodies = [request({"values": wave(i)}) for i in range(12)]
    alone = [client.post(body).content["forecasts"][0] for body in bodies]
    before = client.get("/health").content
    together = [answer.content["forecasts"][0] for answer in client.post_at_once(bodies)]
    after = client.get("/health").content
    assert after["series"] - before["series"] == 12
    assert after["batches"] - before["batches"] < 6
    for one, other in zip(alone, together, strict=True):
        assert other["point"] == pytest.approx(one["point"], rel=1e-5)
        for level, values in one["quantiles"].items():
            assert other["quantiles"][level] == pytest.approx(values, rel=1e-5)


def test_many_series_come_back_in_order_with_their_names(last_plus_one: ServedModel) -> None:
    """Each is forecast with its last value and 1 more, in batches of four."""
    series = [{"name": f"s{i}", "values": [0, i]} for i in range(30)]
    with running(last_plus_one, Limits(max_batch=4)) as client:
        answer = client.post(request(*series, prediction_length=2)).content
        assert [f["name"] for f in answer["forecasts"]] == [f"s{i}" for i in range(30)]
        assert [f["point"] for f in answer["forecasts"]] == [[i + 1.0] * 2 for i in range(30)]
        assert answer["prediction_length"] == 2
        assert client.get("/health").content["batches"] == 8  # seven of four, one of two


def test_one_series_needs_no_list_and_no_name(last_plus_one: ServedModel) -> None:
    with running(last_plus_one) as client:
        (found,) = client.post({"series": {"values": [1, 2]}}).content["forecasts"]
    assert found == {
        **{"name": "1", "frequency": None, "timestamps": None},
        **{"point": [3.0] * 3, "median": None, "quantiles": {}, "notes": []},
    }


def test_times_make_gaps_and_go_on_after_the_last(last_plus_one: ServedModel) -> None:
    """Rows out of order and one missing; a zone is converted to UTC."""
    times = ["2024-01-01 03:00", "2024-01-01 00:00", "2024-01-01 01:00"]
    with running(last_plus_one) as client:
        (found,) = client.post(request({"values": [7, 1, 2], "timestamps": times})).content["forecasts"]
        assert found["timestamps"] == [f"2024-01-01 0{hour}:00:00" for hour in (4, 5, 6)]
        assert found["point"] == [8.0] * 3  # a gap, then 7
        zoned = {"values": [1, 2], "start": "2024-01-01 00:00+01:00"}
        (found,) = client.post(request(zoned)).content["forecasts"]
        assert found["timestamps"][0] == "2024-01-01 01:00:00"
        assert found["notes"] == ["start in series 1 converted to UTC"]


def test_a_step_is_the_models_own(last_plus_one: ServedModel) -> None:
    daily = {"values": [1, 2], "start": START, "frequency": "D"}
    with running(last_plus_one) as client:
        answer = client.post(request(daily))
        assert answer.detail == (
            "series 1: frequency must be h, the step that this model serves, got D; start another server with --freq D"
        )


def test_a_context_may_have_gaps_and_must_have_a_value(client: Client) -> None:
    values: list[float | None] = [*wave(1)]
    assert client.post(request({"values": [None, *values[1:]]})).status == 200
    answer = client.post(request({"values": [1.0, *[None] * CONTEXT]}, {"name": "b", "values": [None]}))
    assert answer.status == 422
    assert answer.detail.splitlines() == [
        "series 1: one of the last 64 values must be observed, and all of them are missing; leave the series out, or "
        "start the server with a longer --context-length",
        "series 2 ('b'): values must hold at least one number, got 1 without any; add some",
    ]


GOOD = {"values": [1.0] * CONTEXT}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "the body must be JSON, and at character 1"),
        (b"[" * 100_000, 400, "it is nested too deeply"),
        (b'{"series": {"values": [' + b"9" * 5000 + b"]}}", 400, "too many digits"),
        (b"", 422, "the body is missing"),
        ([], 422, "the body must be an object, got []"),
        ({}, 422, "series is missing"),
        (request(), 422, "series must be 1 long or longer, got []"),
        (request({"values": "abc"}), 422, "series 1: values must be a list, got 'abc'"),
        (request({"values": [1, True, "2"]}), 422, "series 1: values 2 must be a number, got true; see /docs"),
        (request({"values": ["x"] * 9}), 422, "and 4 more"),
        (request({"valeus": [1]}), 422, "series 1: valeus is not known"),
        (request({"values": [1, 2]}), 422, "series 1: a forecast needs 64 values, got 2; send more of its past"),
        (request({"values": [1e300]}), 422, "a value must be within"),
        (request({"values": [1], "frequency": "fortnight"}), 422, "frequency must be a pandas offset"),
        (request({"values": [1], "start": "someday"}), 422, "'start' must be a timestamp"),
        (request({"values": [1], "start": START, "timestamps": [START]}), 422, "leave one out"),
        (request({"values": [1, 2], "timestamps": [START]}), 422, "got 1 timestamps and 2 values"),
        (request({"values": [1, 2], "timestamps": [START, START]}), 422, "is there twice"),
        (request(GOOD, prediction_length=0), 422, "prediction_length must be 1 or more, got 0"),
        (request(GOOD, prediction_length=9), 422, "prediction_length must be from 1 to 8"),
        (request(GOOD, quantiles=[0.01]), 422, "quantiles must be from 0.1 to 0.9, got 0.01"),
        (request(GOOD, horizon=3), 422, "horizon is not known"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_answered_with_the_rule_the_value_and_the_remedy(
    client: Client, body: object, status: int, said: str
) -> None:
    answer = client.post(body)
    assert (answer.status, list(answer.content)) == (status, ["detail"])
    assert said in answer.detail
    assert "Traceback" not in answer.detail
    assert "--na" not in answer.detail


def test_another_kind_of_body_and_another_place_are_said(client: Client) -> None:
    assert "Content-Type: application/json" in client.post(request(GOOD), kind="text/plain").detail
    assert client.get("/nowhere").content == {"detail": "there is no GET /nowhere; see /docs for what there is"}
    assert client.get("/predict").status == 405


def test_a_point_forecaster_has_no_quantiles(last_plus_one: ServedModel) -> None:
    with running(last_plus_one) as client:
        answer = client.post(request({"values": [1, 2]}, quantiles=[0.5]))
        assert answer.status == 422
        assert "this one forecasts points; leave them out" in answer.detail
        assert client.get("/health").content["has_quantiles"] is False


def test_a_request_beyond_a_limit_is_rejected(last_plus_one: ServedModel) -> None:
    with running(last_plus_one, Limits(max_body=1, max_series=2, max_values=5)) as client:
        assert client.post(request(*[{"values": [1, 2]}] * 3)).detail == (
            "a request has at most 2 series, got 3; send them in parts"
        )
        assert "a series has at most 5 values, got 6; send the last of them, 2 at least" in client.post(
            request({"values": [1] * 6})
        ).detail  # fmt: skip
        answer = client.post(json.dumps(request({"values": [1, 2]})).encode() + b" " * 2**20)
        assert (answer.status, answer.detail) == (
            413, "a body must have at most 1 MiB, and this one has more; send the series in parts"
        )  # fmt: skip
        health = client.get("/health").content
    assert (health["requests"], health["rejected"]) == (0, 3)


def test_a_failure_of_the_model_is_no_traceback_and_not_the_end(
    last_plus_one: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = last_plus_one.forecast
    failures = iter([True])

    def forecast(windows: Any) -> Any:
        if next(failures, False):
            raise ValueError("a bug")
        return good(windows)

    monkeypatch.setattr(last_plus_one, "forecast", forecast)
    with running(last_plus_one) as client:
        answer = client.post(request({"values": [1, 2]}))
        assert (answer.status, answer.content) == (500, {"detail": "the server failed; its log has the reason"})
        assert client.post(request({"values": [1, 2]})).status == 200


def test_health_says_what_the_server_is_and_has_done(last_plus_one: ServedModel) -> None:
    with running(last_plus_one, Limits(max_batch=7)) as client:
        client.post(request(*[{"values": [1, 2]}] * 3))
        client.post({})
        health = client.get("/health").content
    assert {name: health[name] for name in ("context_length", "prediction_length", "frequency", "device", "norm")} == {
        "context_length": 2, "prediction_length": 3, "frequency": "h", "device": "cpu", "norm": "none"
    }  # fmt: skip
    assert (health["requests"], health["rejected"], health["series"], health["waiting"]) == (1, 1, 3, 0)
    assert health["max_batch"] == 7


def test_the_page_describes_the_service_without_a_network_and_its_example_works(client: Client) -> None:
    page = client.get("/docs").content
    assert "http://" not in page.replace(client.url, "")
    assert "https://" not in page
    assert len(client.get("/static-offline-docs/swagger-ui-bundle.js").content) > 100_000
    described = client.get("/openapi.json").content
    example = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    answer = client.post(example)
    assert answer.status == 200
    assert len(answer.content["forecasts"][0]["point"]) == STEPS
    assert answer.content["forecasts"][0]["timestamps"][0] == "2024-01-03 16:00:00"  # 64 hours later
    fields = described["components"]["schemas"]["SeriesInput"]["properties"]
    assert list(fields) == ["values", "name", "timestamps", "start", "frequency"]
    assert all(field["description"] for field in fields.values())


def test_under_another_name_the_server_is_not_asked(last_plus_one: ServedModel) -> None:
    """So that no page of the web can ask it through a name of its own."""
    with running(last_plus_one, hosts=("example.org",)) as client:
        assert client.get("/health").status == 400
