"""The space of a sweep, what --set makes of it, and the model that it starts from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.samples.bundled import PRETRAINED
from tests.tune.cli.command_line import write, write_csv


def test_an_unknown_space_gets_near_names(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "moirai-smal")
    assert "unknown space 'moirai-smal'; did you mean 'moirai-small'" in message
    assert "foretune spaces" in message


def test_an_unknown_trainable_is_reported_with_its_file(rejected: Callable[..., str], tmp_path: Path) -> None:
    search = "search: {lr: {log: [1e-6, 1e-4]}}\n"
    message = rejected("sweep", write(tmp_path, "mine.yaml", f"trainable: moiray\n{search}"))
    assert message.startswith("mine.yaml: trainable must name a model, got 'moiray'")
    assert "did you mean 'moirai'?" in message
    # a path that lacks its suffix
    message = rejected("sweep", write(tmp_path, "mine.yaml", f"trainable: ./my_model\n{search}"))
    assert "got './my_model'" in message
    assert "my_model.py" in message


def test_all_mistakes_of_a_file_are_reported_at_once(rejected: Callable[..., str], tmp_path: Path) -> None:
    text = "trainable: moirai\nserch: {}\nsearch:\n  lr: {log: [1e-4, 5e-7]}\n  epochs: {itn: [1, 2]}\n"
    message = rejected("sweep", write(tmp_path, "mine.yaml", text))
    assert message.splitlines() == [
        "mine.yaml: unknown key 'serch'; did you mean 'search'?",
        "mine.yaml: search.lr: low must be below high, got [1e-4, 5e-7]; swap them",
        "mine.yaml: search.epochs: unknown kind of domain 'itn'; did you mean 'int'?; "
        "the kinds are log, uniform, int, logint, choice",
    ]


def test_all_mistakes_in_set_are_reported_at_once_as_they_were_typed(rejected: Callable[..., str]) -> None:
    typed = ["lrr=1e-5", "lr=log:1e-4:1e-6", "epochs=2.5", "weight_decay=uniform:-1:0.2", "patch_size=some"]
    message = rejected("sweep", *(word for pair in typed for word in ("--set", pair)), "--evals-per-epoch", 0)
    assert message.splitlines() == [
        "--set lrr=1e-5: 'moirai' has no parameter 'lrr'; did you mean 'lr'?",
        "--set lr=log:1e-4:1e-6: low must be below high, got [1e-4, 1e-6]; swap them",
        "--set epochs=2.5: must be a whole number, got 2.5",
        "--set weight_decay=uniform:-1:0.2: must be 0 or more, got -1",
        "--set patch_size=some: must be 'auto' or a whole number, got 'some'",
        "--evals-per-epoch 0: must be 1 or more, got 0",
    ]


def test_a_key_that_is_near_none_gets_the_whole_list(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "--set", "foo=bar")
    assert "--set foo=bar: 'moirai' has no parameter 'foo'; it knows lr, epochs, batch_size" in message


@pytest.mark.parametrize("pair", ["lr", "=3", ""])
def test_set_needs_a_key_and_a_value(rejected: Callable[..., str], pair: str) -> None:
    assert rejected("sweep", "--set", pair) == f"--set takes KEY=VALUE, got {pair!r}; like --set lr=1e-5"


def test_a_key_that_is_set_twice_is_rejected(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "--set", "lr=1e-5", "--set", "lr=log:1e-6:1e-4")
    assert message == "--set takes each key once, got lr=1e-5 and lr=log:1e-6:1e-4; keep one"


def test_a_choice_in_the_middle_is_checked_too(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "--set", "batch_size=choice:8,0,16")
    assert message == "--set batch_size=choice:8,0,16: must be 1 or more, got 0"
    message = rejected("sweep", "--set", "patch_size=choice:16,7,32")
    assert "patch_size must be one that the checkpoint has (8, 16, 32, 64), got 7" in message


def test_a_folder_that_is_no_checkpoint_is_rejected(rejected: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    message = rejected("sweep", "--set", f"pretrained={folder}")
    assert message == f"{folder}: a Moirai checkpoint holds config.json; give another folder or a Hub id"


def test_a_checkpoint_without_weights_is_rejected(rejected: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "half"
    folder.mkdir()
    shutil.copy(PRETRAINED["moirai-tiny"] / "config.json", folder)
    message = rejected("sweep", "--set", f"pretrained={folder}")
    assert message.startswith(f"{folder}: cannot be loaded as a Moirai checkpoint: ")
    assert "model.safetensors" in message


def test_a_start_that_is_neither_folder_nor_hub_id_names_the_bundled_ones(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "--set", "pretrained=moirai-tinny")
    assert "one of moirai-tiny, time-moe-tiny; got 'moirai-tinny', and there is no such folder" in message
    assert "did you mean 'moirai-tiny'" in message


def test_a_patch_size_that_the_checkpoint_lacks_is_rejected(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "--set", "patch_size=128")
    assert message.startswith("patch_size must be one that the checkpoint has (8, 16, 32, 64), got 128;")


def test_a_context_of_more_tokens_than_the_model_has_is_rejected(rejected: Callable[..., str], tmp_path: Path) -> None:
    # 32768 / 8 and 16 / 8 tokens; 42000 rows have room for such a window in their 80 % for training, 33600
    long = write_csv(tmp_path / "long.csv", 42_000, "a")
    flags = ("--context-length", 32768, "--prediction-length", 16, "--set", "patch_size=8")
    message = rejected("sweep", "--data", long, *flags)
    assert "context and prediction must fit into 512 tokens of 8 points, got 4098" in message
    assert "shorten --context-length" in message


def test_half_precision_needs_a_gpu(rejected: Callable[..., str]) -> None:
    assert "precision bf16 needs a GPU" in rejected("sweep", "--set", "precision=bf16")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("epochs=uniform:1:3", "must be a whole number, got 1.6, which uniform:1:3 may propose; take int:1:3"),
        ("batch_size=log:8:64", "must be a whole number, got 24.8, which log:8:64 may propose; take logint:8:64"),
        ("epochs=true", "must be a number, got true"),
        ("batch_size=choice:true,16", "must be a number, got true"),
        ("lr=nan", "must be a finite number, got 'nan'"),
        ("weight_decay=inf", "must be a finite number, got 'inf'"),
    ],
)
def test_what_a_trial_would_reject_is_rejected_before(rejected: Callable[..., str], pair: str, message: str) -> None:
    assert rejected("sweep", "--set", pair, "--dry-run") == f"--set {pair}: {message}"


def test_what_other_tools_call_it_leads_to_ours(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "--set", "learning_rate=1e-5")
    assert message == "--set learning_rate=1e-5: 'moirai' has no parameter 'learning_rate'; did you mean 'lr'?"
