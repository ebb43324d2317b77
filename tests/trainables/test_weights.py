"""Weights that do not fit are rejected by every model, and what a wrapper puts before their names is no fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from data.samples.bundled import PRETRAINED
from trainables.checkpoints.weights import wrapper_prefix
from trainables.errors import CheckpointError
from trainables.moirai.checkpoint import load_moirai
from trainables.moirai.network import FixedPatchMoirai
from trainables.moirai_distill.student import Student, StudentConfig
from trainables.parameters import load_trainable_tensors
from trainables.time_moe.trainable import load_time_moe

Load = Callable[[str], nn.Module]


def moirai_for_patches_of_16(pretrained: str) -> nn.Module:
    return FixedPatchMoirai(load_moirai(pretrained), 16)


LOADERS: dict[str, Load] = {
    "moirai": moirai_for_patches_of_16,
    "moirai-distill": Student.from_pretrained,
    "time-moe": load_time_moe,
}


@pytest.fixture(params=list(LOADERS))
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Load, Path]:
    """A loader and a copy of a checkpoint that it loads."""
    folder = tmp_path / "checkpoint"
    if request.param == "moirai-distill":
        config = StudentConfig(context_length=32, prediction_length=8, patch_len=8, d_model=16, n_layers=1, n_heads=2)
        Student(config).save_pretrained(folder)
    else:
        folder.mkdir()
        for name in ("config.json", "model.safetensors"):
            source = PRETRAINED["moirai-tiny" if request.param == "moirai" else "time-moe-tiny"] / name
            (folder / name).write_bytes(source.read_bytes())
    return LOADERS[request.param], folder


def change(folder: Path, how: Callable[[dict[str, Tensor]], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Rewrite the weights; return what they were."""
    file = folder / "model.safetensors"
    before = load_file(file)
    save_file({k: v.contiguous() for k, v in how(dict(before)).items()}, file, metadata={"format": "pt"})
    return before


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_names_behind_a_wrappers_prefix_give_the_same_model(
    model: tuple[Load, Path], prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    load, folder = model
    before = load(str(folder)).state_dict()
    assert not caplog.records
    change(folder, lambda tensors: {prefix + name: tensor for name, tensor in tensors.items()})
    after = load(str(folder)).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    if not (load is load_time_moe and prefix == "model."):  # transformers leaves this one out itself
        assert f"all names begin with {prefix}, which is left out" in caplog.text


def test_a_missing_an_unexpected_and_a_misshapen_tensor_are_named(model: tuple[Load, Path]) -> None:
    load, folder = model
    names = sorted(load_file(folder / "model.safetensors"))

    def spoil(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        del tensors[names[0]]
        tensors[names[1]] = torch.zeros(3, 5, 7)
        return {**tensors, "surplus.weight": torch.zeros(2)}

    change(folder, spoil)
    with pytest.raises(CheckpointError) as caught:
        load(str(folder))
    text = str(caught.value)
    assert str(folder) in text
    assert f"1 missing ({names[0]})" in text
    assert "1 unexpected (surplus.weight)" in text
    assert f"1 of another shape ({names[1]} is (3, 5, 7) for" in text


def test_a_few_of_many_names_are_given(model: tuple[Load, Path]) -> None:
    load, folder = model
    names = sorted(load_file(folder / "model.safetensors"))
    change(folder, lambda tensors: {f"other_{name}": tensor for name, tensor in tensors.items()})
    with pytest.raises(CheckpointError) as caught:
        load(str(folder))
    assert f"{len(names)} missing ({', '.join(names[:3])}, …)" in str(caught.value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_rejected(model: tuple[Load, Path], number: float) -> None:
    load, folder = model
    name = max(load_file(folder / "model.safetensors"))

    def spoil(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        tensors[name].view(-1)[-1] = number
        return tensors

    change(folder, spoil)
    with pytest.raises(CheckpointError, match=rf"1 with NaN or infinite numbers \({name}\)"):
        load(str(folder))


def test_a_moirai_config_of_absurd_size_is_rejected_before_anything_is_allocated(tmp_path: Path) -> None:
    config = json.loads((PRETRAINED["moirai-tiny"] / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((PRETRAINED["moirai-tiny"] / "model.safetensors").read_bytes())
    for key, value in {"d_model": 10**9, "num_layers": 10**6, "max_seq_len": 10**12, "patch_sizes": [8] * 100}.items():
        (tmp_path / "config.json").write_text(json.dumps({**config, key: value}))
        with pytest.raises(CheckpointError, match=f"config.json: {key}"):
            load_moirai(str(tmp_path))
    # about 12 * 16384**2 * 16 = 5e10 weights, 200 GB: known not to fit before they are made
    (tmp_path / "config.json").write_text(json.dumps({**config, "d_model": 16384, "num_layers": 16}))
    with pytest.raises(CheckpointError, match="of another shape"):
        load_moirai(str(tmp_path))


@pytest.mark.parametrize(
    "target",
    [
        "uni2ts.distribution.mixture.torch.hub.load",  # reached by dots from a module of uni2ts
        "uni2ts.distribution.os.system",
        "os.system",
        "uni2ts.distribution.mixture.Mixture",
        "uni2ts.distribution.mixture.MixtureOutput.__init__",
        "",
    ],
)
def test_a_moirai_config_calls_nothing_but_distributions_of_uni2ts(tmp_path: Path, target: str) -> None:
    config: dict[str, Any] = json.loads((PRETRAINED["moirai-tiny"] / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((PRETRAINED["moirai-tiny"] / "model.safetensors").read_bytes())
    config["distr_output"]["components"][0] = {"_target_": target}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"must be a distribution of uni2ts\.distribution"):
        load_moirai(str(tmp_path))


def test_a_trials_checkpoint_of_another_shape_is_not_spread_over_the_model() -> None:
    """`copy_` would fill a whole tensor with the one number of a smaller one."""
    with pytest.raises(CheckpointError, match=r"1 of another shape \(weight is \(1,\) for \(2, 3\)\)"):
        load_trainable_tensors(nn.Linear(3, 2), {"weight": torch.ones(1), "bias": torch.zeros(2)})


def test_only_a_prefix_of_all_names_that_fit_nothing_is_a_wrappers() -> None:
    assert wrapper_prefix(["module.a", "module.b"], ["a", "b"]) == "module."
    assert wrapper_prefix(["model.a", "model.b"], ["model.a", "model.b"]) == ""
    assert wrapper_prefix(["model.model.a"], ["model.a"]) == "model."
    assert wrapper_prefix(["module.a", "b"], ["a", "b"]) == ""
    assert wrapper_prefix(["teacher.a"], ["a"]) == ""
    assert wrapper_prefix([], ["a"]) == ""
