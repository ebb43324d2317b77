"""Folders of checkpoints whose files are not what they should be, and models whose code cannot be run."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from data.samples.bundled import PRETRAINED
from tests.fuzz.cases import cases, outcome
from tests.fuzz.commands import run
from tests.fuzz.hostile import cells, damaged_bytes, damaged_json, damaged_lines, deep
from tests.paths import TOYS
from tests.trainables.time_llm.published import GPT2
from trainables.moirai.checkpoint import load_moirai
from trainables.moirai_distill import Student, StudentConfig
from trainables.time_llm import TimeLLM
from trainables.time_llm.modeling import TimeLlmConfig
from trainables.time_moe.trainable import load_time_moe
from tune.forecasts.forecaster import open_checkpoint

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]  # each case has a limit of its own

LOADERS: dict[str, Callable[[str], object]] = {
    "moirai": load_moirai,
    "time-moe": load_time_moe,
    "student": Student.from_pretrained,
    "time-llm": TimeLLM.from_pretrained,
}
COUNTS = st.sampled_from((0, -1, 1, 2, 3, 7, 63, 64, 10**4, 10**9, 2**31, 2**63, 10**30, 0.5, True, "8", None))
TYPES = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool, torch.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small checkpoint of each model, each of which loads."""
    place = tmp_path_factory.mktemp("whole")
    shutil.copytree(PRETRAINED["moirai-tiny"], place / "moirai")
    shutil.copytree(PRETRAINED["time-moe-tiny"], place / "time-moe")
    Student(StudentConfig(context_length=40, prediction_length=6, d_model=16, n_layers=2, n_heads=2)).save_pretrained(
        place / "student"
    )
    config = TimeLlmConfig(llm=str(GPT2), llm_layers=1, description="", context_length=32, prediction_length=4)
    TimeLLM.from_config(config).save_pretrained(place / "time-llm")
    for name, load in LOADERS.items():
        load(str(place / name))
        open_checkpoint(str(place / name))
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


def fresh(source: Path, place: Path) -> Path:
    folder = place / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    return folder


def load(name: str, folder: Path) -> None:
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    outcome(lambda: open_checkpoint(str(folder)), file_bytes=size)
    outcome(lambda: LOADERS[name](str(folder)), file_bytes=size)


@cases(40)
@given(name=st.sampled_from(sorted(LOADERS)), data=st.data())
def test_any_configuration_is_loaded_or_named(whole: Path, place: Path, name: str, data: st.DataObject) -> None:
    folder = fresh(whole / name, place)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key in data.draw(st.lists(st.sampled_from(sorted(config)), max_size=3, unique=True)):
        config[key] = data.draw(COUNTS)
    if data.draw(st.booleans()):
        config = data.draw(damaged_json(config))
    text = json.dumps(config)
    kind = data.draw(st.sampled_from(("values", "values", "values", "lines", "bytes", "deep")))
    if kind == "lines":
        text = data.draw(damaged_lines(json.dumps(config, indent=1)))
    if kind == "deep":
        text = deep(data.draw(st.sampled_from(("list", "object"))), 100_000)
    raw = text.encode("utf-8", "surrogatepass")
    path.write_bytes(data.draw(damaged_bytes(raw)) if kind == "bytes" else raw)
    load(name, folder)


@cases(40)
@given(name=st.sampled_from(sorted(LOADERS)), data=st.data())
def test_any_weights_are_loaded_or_named(whole: Path, place: Path, name: str, data: st.DataObject) -> None:
    folder = fresh(whole / name, place)
    path = folder / "model.safetensors"
    match data.draw(st.sampled_from(("bytes", "header", "tensors", "tensors", "other file"))):
        case "bytes":
            path.write_bytes(data.draw(damaged_bytes(path.read_bytes())))
        case "header":
            path.write_bytes(data.draw(damaged_header(path.read_bytes())))
        case "tensors":
            save_file(data.draw(damaged_tensors(load_file(path))), path, metadata={"format": "pt"})
        case "other file":
            path.unlink()
            (folder / data.draw(st.sampled_from(("model.bin", "pytorch_model.bin", "model.pth")))).write_bytes(b"\x80")
    load(name, folder)


@st.composite
def damaged_header(draw: st.DrawFn, raw: bytes) -> bytes:
    """Return a safetensors file whose header says something else than what follows."""
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    names = sorted(header)
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        header[name] = draw(
            st.just({"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]})
            | st.just({"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]})
            | damaged_json({"x": header[name]})
        )
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    length = draw(st.sampled_from((len(text), len(text), 0, 1, 2**63, 2**64 - 1, len(text) + 10**6)))
    return struct.pack("<Q", length) + text + raw[8 + size :]


@st.composite
def damaged_tensors(draw: st.DrawFn, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return other tensors: lost, renamed, of another shape or type, with numbers that are none."""
    found = dict(tensors)
    for name in draw(st.lists(st.sampled_from(sorted(tensors)), min_size=1, max_size=3, unique=True)):
        if name not in found:  # all have a prefix
            continue
        tensor = found.pop(name)
        match draw(st.sampled_from(("lost", "renamed", "shape", "type", "nan", "huge", "prefix"))):
            case "renamed":
                found[draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=9))] = tensor
            case "shape":
                found[name] = tensor.flatten()[: draw(st.integers(0, 9))].clone()
            case "type":
                found[name] = tensor.to(draw(st.sampled_from(TYPES)))
            case "nan":
                found[name] = torch.full_like(tensor, draw(st.sampled_from((float("nan"), float("inf")))))
            case "huge":
                found[name] = torch.full_like(tensor, 3e38)
            case "prefix":
                found = {f"module.{key}": value for key, value in {**found, name: tensor}.items()}
    return found


_CODE = (
    *(
        "raise SystemExit(3)",
        "raise KeyboardInterrupt2",
        "import nowhere_at_all",
        "1/0",
        "def",
        "\x00",
        "\tx = 1",
        "é = 1",
    ),
    *("class Toy: pass", "Toy = 3", "Toy = None", "import sys; sys.exit()", "assert False"),
    *(
        "from toy_model import Toy",
        "raise RecursionError",
        "raise MemoryError",
        "raise ExceptionGroup('g', [OSError()])",
    ),
)


@cases(30)
@given(data=st.data())
def test_any_code_of_a_users_model_is_run_or_named(finished: Path, place: Path, data: st.DataObject) -> None:
    text = (TOYS / "toy_model.py").read_text()
    lines = text.split("\n")
    lines.insert(data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from(_CODE)))
    raw = "\n".join(lines).encode()
    if data.draw(st.integers(0, 3)) == 0:
        raw = data.draw(damaged_lines(text)).encode("utf-8", "surrogatepass")
    folder = fresh(finished / "best", place)
    code = place / "code" / f"{data.draw(st.integers(0, 10**9))}" / "toy_model.py"
    code.parent.mkdir(parents=True, exist_ok=True)
    code.write_bytes(raw)
    record = folder / "foretune.json"
    if data.draw(st.booleans()):
        record.write_text(json.dumps(data.draw(damaged_json(json.loads(record.read_text())))))
    trust: Any = data.draw(st.sampled_from((f"{code}:Toy", f"{code}", f"{code}:", f"{code}:Nope")) | cells())
    for command in ("evaluate", "predict"):
        run(command, folder, "--trust", trust if "\0" not in trust else "x", cwd=place)
