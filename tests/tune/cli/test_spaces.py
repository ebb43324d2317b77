"""The specification of tune/cli/spaces.py: spaces listed, shown and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.library import shipped_names
from tests.tune.cli.command_line import TOY, Ended, Foretune, facts, write

UNFIT = """\
trainable: moirai
fixed: {pretrained: moirai-tiny, epochs: -2, batchsize: 32}
search:
  lr: {log: [1e-6, 1e-4]}
  strategy: {choice: [full, half, head_only]}
"""


def test_spaces_lists_every_shipped_space(foretune: Foretune) -> None:
    ended = foretune("spaces")
    listed = {line.split()[0] for line in ended.out.splitlines() if line.split()}
    assert ended.status == 0
    assert {"quickstart", "moirai-grid", "moirai-small-head-only"} <= set(shipped_names()) <= listed


def test_spaces_show_tells_the_twelve_points_of_the_grid(foretune: Foretune) -> None:
    told = facts(foretune("spaces", "show", "moirai-grid").out)
    assert [key for key in told if key.startswith("first ")] == [f"first {i}" for i in range(1, 13)]
    assert told["first 1"] == (
        "pretrained Salesforce/moirai-1.1-R-small, strategy head_only, lr 5e-5, epochs 20, batch_size 64, "
        "warmup_steps 50, patience 8"
    )
    assert told["trials"] == "12"
    assert "did you mean 'moirai-grid'" in foretune("spaces", "show", "moirai-gird").err


def test_spaces_check_passes_a_good_file(foretune: Foretune, tmp_path: Path) -> None:
    text = UNFIT.replace("-2", "2").replace("batchsize", "batch_size").replace("half", "freeze_ffn")
    path = write(tmp_path, "mine.yaml", text)
    told = f"{path}: a space for moirai, 2 parameter(s) searched, no mistakes\n"
    assert foretune("spaces", "check", path) == Ended(0, told, "")
    assert foretune("spaces", "check", TOY).status == 0


@pytest.mark.parametrize("command", [("sweep",), ("spaces", "check")])
def test_names_and_values_that_the_model_refuses_are_reported_at_once(
    foretune: Foretune, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ended = foretune(*command, write(tmp_path, "mine.yaml", UNFIT))
    assert ended.status == 2
    assert ended.err.removeprefix("foretune: ").splitlines() == [
        "mine.yaml: fixed: 'moirai' has no parameter 'batchsize'; did you mean 'batch_size' or 'patch_size'?",
        "mine.yaml: epochs: must be 1 or more, got -2",
        "mine.yaml: strategy: must be 'full', 'freeze_ffn' or 'head_only', got 'half'",
    ]


def test_a_parameter_that_the_space_forgot_is_missing(foretune: Foretune, tmp_path: Path) -> None:
    text = "trainable: moirai\nfixed: {pretrained: moirai-tiny, strategy: full}\nsearch: {lr: {log: [1e-6, 1e-4]}}\n"
    ended = foretune("spaces", "check", write(tmp_path, "mine.yaml", text))
    told = "is missing; give it under fixed or search, or with --set"
    assert ended.err.removeprefix("foretune: ").splitlines() == [
        f"mine.yaml: epochs {told} epochs=VALUE",
        f"mine.yaml: batch_size {told} batch_size=VALUE",
    ]


def test_mistakes_of_the_file_and_against_the_model_come_together(foretune: Foretune, tmp_path: Path) -> None:
    text = """
trainable: moirai
fixed: {strategy: full, pretrained: moirai-tiny, patience: true, lerning: 3}
search:
  lr: {log: [1e-3, 1e-5]}
  epochs: {uniform: [1, 3]}
  batch_sze: {choice: [16, 16]}
trials: 0
"""
    ended = foretune("spaces", "check", write(tmp_path, "mine.yaml", text))
    assert ended.status == 2
    lines = ended.err.removeprefix("foretune: ").splitlines()
    assert lines[:3] == [
        "mine.yaml: search.lr: low must be below high, got [0.001, 1e-5]; swap them",
        "mine.yaml: search.batch_sze: choices must differ, got 16 twice; keep one",
        "mine.yaml: trials: must be a whole number of 1 or more, got 0",
    ]
    assert lines[3].startswith("mine.yaml: fixed: 'moirai' has no parameter 'lerning'; it knows lr, epochs")
    assert lines[4:] == [
        "mine.yaml: 'moirai' has no parameter 'batch_sze'; did you mean 'batch_size' or 'patch_size'?",
        "mine.yaml: epochs: must be a whole number, got 1.6, which uniform:1:3 may propose; take int:1:3",
        "mine.yaml: patience: must be a number, got true",
    ]  # batch_size is not missing: batch_sze means it; lr is there and broken
