"""No file that is written is one that is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tune.forecasts.measured import SHORT, A, Export, Jsonl
from tune.forecasts.outputs import check_outputs
from tune.forecasts.request import ForecastRequest
from tune.forecasts.scales import RequestError


@pytest.fixture
def data(jsonl: Jsonl) -> Path:
    return jsonl(a=A)


@pytest.fixture
def folder(export: Export, data: Path) -> Path:
    return export(data, split="rows:0", **SHORT)


def rejected(folder: Path, path: Path, **asked: str) -> str:
    with pytest.raises(RequestError) as caught:
        check_outputs({"--to": path}, ForecastRequest(str(folder), **asked), [str(folder)])
    return str(caught.value)


def test_the_data_that_an_export_records_are_not_written_over(folder: Path, data: Path, tmp_path: Path) -> None:
    assert rejected(folder, data) == f"--to must not be the file that is read, {data}; name another"
    link, hard = tmp_path / "link.jsonl", tmp_path / "hard.jsonl"
    link.symlink_to(data)
    hard.hardlink_to(data)
    assert "the file that is read" in rejected(folder, link)
    assert "the file that is read" in rejected(folder, hard)


def test_a_file_of_the_checkpoint_is_not_written_over(folder: Path) -> None:
    assert f"a file of {folder}, which is read" in rejected(folder, folder / "foretune.json")
    check_outputs({"--to": folder / "new.json"}, ForecastRequest(str(folder)), [str(folder)])


def test_data_that_are_typed_and_the_users_own_model_are_not_written_over(folder: Path, tmp_path: Path) -> None:
    other, model, many = tmp_path / "other.csv", tmp_path / "model.py", tmp_path / "many"
    for file in (other, model):
        file.write_text("x")
    many.mkdir()
    (many / "a.csv").write_text("x")
    assert "the file that is read" in rejected(folder, other, data=str(other))
    assert "the file that is read" in rejected(folder, model, trust=f"{model}:Model")
    assert f"a file of {many}, which is read" in rejected(folder, many / "a.csv", data=str(many))


def test_two_flags_name_two_files(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with pytest.raises(RequestError, match=r"--csv and --save-forecasts must be two files"):
        check_outputs({"--csv": path, "--save-forecasts": path}, ForecastRequest(str(folder)), [str(folder)])
    check_outputs({"--csv": Path("-"), "--save-forecasts": None}, ForecastRequest(str(folder)), [str(folder)])
