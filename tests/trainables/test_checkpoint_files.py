"""A checkpoint's files: no size that no model has is ever allocated, and modes are the umask's."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.samples.bundled import PRETRAINED
from tests.trainables.time_llm.published import GPT2
from trainables.checkpoints.pretrained import read_config
from trainables.errors import CheckpointError
from trainables.moirai.checkpoint import load_moirai
from trainables.moirai_distill import Student, StudentConfig
from trainables.time_llm import TimeLLM
from trainables.time_llm.modeling import TimeLlmConfig
from trainables.time_moe.trainable import load_time_moe

HUGE = 10**12
LOADERS = {"student": Student.from_pretrained, "time-llm": TimeLLM.from_pretrained, "time-moe": load_time_moe}


@pytest.fixture
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a small checkpoint of the model that the test names."""
    folder = tmp_path / "checkpoint"
    if request.param == "time-moe":
        shutil.copytree(PRETRAINED["time-moe-tiny"], folder)
    elif request.param == "student":
        sizes = {"context_length": 40, "prediction_length": 6, "d_model": 16, "n_layers": 2, "n_heads": 2}
        Student(StudentConfig(**sizes)).save_pretrained(folder)
    else:
        config = TimeLlmConfig(llm=str(GPT2), llm_layers=1, description="", context_length=32, prediction_length=4)
        TimeLLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("checkpoint", "changes", "message"),
    [
        ("student", {"d_model": HUGE}, "d_model"),
        ("student", {"n_layers": HUGE}, "n_layers"),
        ("student", {"context_length": HUGE}, "of another shape"),
        ("student", {"prediction_length": HUGE}, "of another shape"),
        ("student", {"d_model": 65536}, "of another shape"),
        ("time-llm", {"num_prototypes": HUGE}, "num_prototypes"),
        ("time-llm", {"d_model": HUGE}, "d_model"),
        ("time-llm", {"num_prototypes": 10**6}, "of another shape"),
        ("time-llm", {"prediction_length": HUGE}, "of another shape"),
        ("time-moe", {"num_hidden_layers": HUGE}, "num_hidden_layers must be 1 to 256"),
        ("time-moe", {"num_hidden_layers": 0}, "num_hidden_layers must be 1 to 256"),
        ("time-moe", {"num_experts": HUGE}, "num_experts must be 1 to"),
        ("time-moe", {"hidden_size": HUGE}, "hidden_size must be 1 to"),
        ("time-moe", {"intermediate_size": 10**6, "num_hidden_layers": 200}, "asks for [0-9,]+ weights, and its files"),
        ("time-moe", {"horizon_lengths": [1, HUGE]}, "horizon_lengths must be"),
    ],
    indirect=["checkpoint"],
)
def test_absurd_sizes_are_rejected_before_anything_is_allocated(
    checkpoint: Path, changes: dict[str, Any], message: str
) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    load = next(
        LOADERS[name] for name in LOADERS if name.replace("-", "_") in config["model_type"].replace("moirai_", "")
    )
    load(str(checkpoint))
    (checkpoint / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(CheckpointError, match=message):
        load(str(checkpoint))


@pytest.fixture
def anyones() -> Iterator[Path]:
    """A folder that every user can enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("model", ["moirai", "time-moe", "student"])
def test_weights_that_may_not_be_read_are_called_so(anyones: Path, model: str) -> None:
    load = {**LOADERS, "moirai": load_moirai}[model]
    if model == "student":
        Student(StudentConfig(context_length=16, prediction_length=2)).save_pretrained(anyones)
    else:
        for file in PRETRAINED[f"{model}-tiny"].iterdir():
            shutil.copy(file, anyones)
    load(str(anyones))  # and what it imports, which another user may not read
    (anyones / "model.safetensors").chmod(0)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(CheckpointError, match="Permission denied"):
            load(str(anyones))
    finally:
        os.seteuid(was)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("checkpoint", ["student"], indirect=True)
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_weights_have_the_mode_of_their_neighbours(checkpoint: Path, tmp_path: Path, mask: int, mode: int) -> None:
    student = Student.from_pretrained(checkpoint)
    was = os.umask(mask)
    try:
        student.save_pretrained(tmp_path / "again")
    finally:
        os.umask(was)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "again").iterdir()} == {mode}


def test_a_language_model_in_a_folder_is_found_again_when_both_have_moved(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    shutil.copytree(GPT2, before / "models" / "gpt2")
    config = TimeLlmConfig(
        llm=str(before / "models" / "gpt2"), llm_layers=1, description="", context_length=32, prediction_length=4
    )
    TimeLLM.from_config(config).save_pretrained(before / "night" / "best")
    written = json.loads((before / "night" / "best" / "config.json").read_text())
    assert written["llm"] == "../../models/gpt2"
    shutil.move(before, after)
    again = TimeLLM.from_pretrained(after / "night" / "best")
    assert again.config.llm == str(after / "models" / "gpt2")


@pytest.mark.parametrize("checkpoint", ["student", "time-llm", "time-moe"], indirect=True)
def test_a_configuration_nested_without_end_is_rejected(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text("[" * 200_000)
    with pytest.raises(CheckpointError, match="nested too deeply"):
        read_config(str(checkpoint))
