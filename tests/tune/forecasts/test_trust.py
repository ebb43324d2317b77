"""A checkpoint names a model; it never runs code that the user has not named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tune.forecasts.forecaster import open_checkpoint
from tune.registry import TrainableError, is_registered

RUN = "ran.txt"


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """An export whose model is a file that leaves a trace when it is run."""
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "x.py").write_text(
        f"import pathlib\npathlib.Path({str(tmp_path / RUN)!r}).write_text('x')\n"
        "from tests.tune.toy.toy_model import Toy as Base\n\n\nclass Other(Base):\n    pass\n"
    )
    record(folder, str(folder / "x.py"))
    return folder


def record(folder: Path, trainable: str) -> None:
    task = {"context_length": 16, "prediction_length": 4}
    values = {"trainable": trainable, "hyperparameters": {}, "task": task, "data": {"path": "d.csv"}}
    (folder / "foretune.json").write_text(json.dumps(values))


@pytest.mark.parametrize("how", ["{}/x.py", "{}/x.py:Other", "x.py", "./x.py", "../export/x.py"])
def test_a_checkpoints_file_is_not_run(
    stranger: Path, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(stranger)
    record(stranger, how.format(stranger))
    with pytest.raises(TrainableError, match=r"would run .*x\.py; look at that code first, then add --trust"):
        open_checkpoint(str(stranger))
    assert not (tmp_path / RUN).exists()


@pytest.mark.parametrize("module", ["antigravity", "this:Zen", "x:Other", "os.path", "export.x"])
def test_a_checkpoints_module_is_not_imported(
    stranger: Path, module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(stranger))
    monkeypatch.syspath_prepend(str(tmp_path))
    record(stranger, module)
    with pytest.raises(TrainableError, match="look at that code first"):
        open_checkpoint(str(stranger))
    assert not (tmp_path / RUN).exists()


def test_what_the_user_trusts_is_run_from_where_the_user_says(stranger: Path, tmp_path: Path) -> None:
    own = tmp_path / "reviewed" / "x.py"
    own.parent.mkdir()
    own.write_text((stranger / "x.py").read_text())
    (stranger / "x.py").unlink()
    checkpoint = open_checkpoint(str(stranger), trusted=str(own))
    assert checkpoint.model_class.__name__ == "Other"
    assert (tmp_path / RUN).exists()


def test_trust_in_another_file_is_no_trust_in_this_one(stranger: Path, tmp_path: Path) -> None:
    other = tmp_path / "y.py"
    other.write_text("")
    with pytest.raises(TrainableError, match=r"--trust must name what .* is of, .*x\.py, got .*y\.py"):
        open_checkpoint(str(stranger), trusted=str(other))
    assert not (tmp_path / RUN).exists()


def test_our_models_need_no_trust(stranger: Path) -> None:
    record(stranger, "moirai")
    assert open_checkpoint(str(stranger)).model_class.__name__ == "Moirai"
    assert [is_registered(n) for n in ("moirai", "time-moe:TimeMoe", "moirai.py", "trainables.moirai")] == [
        True,
        True,
        False,
        False,
    ]
