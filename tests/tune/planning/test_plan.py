"""From a request to a sweep's record: what is settled before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data.panel import Panel
from data.samples.bundled import PRETRAINED, SAMPLES
from tests.paths import TOYS
from tests.tune.untrained_sweep import UNTRAINED
from tune.planning.plan import plan_sweep
from tune.planning.request import SweepRequest, check_request
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.sweep import Sweep

UNTRAINED_TOY = """
from trainables.sweep_trainable import SweepTrainable


class Toy(SweepTrainable[ToyHyper]):
    initial_name = "untrained"

"""


def test_the_record_of_a_sweep_holds_no_path_that_depends_on_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(PRETRAINED["moirai-tiny"], tmp_path / "start")
    shutil.copy(SAMPLES["sample"], tmp_path / "mine.csv")
    monkeypatch.chdir(tmp_path)
    spec = plan_sweep(check_request(SweepRequest(data="mine.csv", set={"pretrained": "start"}))).spec
    assert spec.search_space().fixed["pretrained"] == str(tmp_path / "start")
    assert spec.data.path == str(tmp_path / "mine.csv")


def test_a_bundled_start_keeps_its_name_beside_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "moirai-tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert plan_sweep(check_request(SweepRequest())).spec.search_space().fixed["pretrained"] == "moirai-tiny"


def test_the_hash_on_record_is_that_of_the_series(tmp_path: Path) -> None:
    plan = plan_sweep(check_request(SweepRequest()))
    plan.panel.save(tmp_path)
    assert plan.spec.data.content_hash == Panel.load(tmp_path).content_hash


def test_another_file_takes_the_lengths_of_the_space_but_not_its_data() -> None:
    # quickstart's own: context 256, prediction 64, stride 16
    plan = plan_sweep(check_request(SweepRequest(data=str(SAMPLES["sample"]), task={"prediction_length": 32})))
    assert plan.spec.data.path == str(SAMPLES["sample"])
    task = plan.spec.task
    assert (task.context_length, task.prediction_length, task.train_stride) == (256, 32, 16)


def test_trials_default_to_the_space_or_to_its_points() -> None:
    start = {"pretrained": "moirai-tiny"}
    assert plan_sweep(check_request(SweepRequest())).spec.trials == 8
    assert plan_sweep(check_request(SweepRequest(space="moirai-grid", set=start))).spec.trials == 12
    points = {"lr": "choice:1e-5,1e-4", "epochs": "2", "warmup_steps": "0", "batch_size": "32", "weight_decay": "0"}
    # three strategies times two learning rates
    assert plan_sweep(check_request(SweepRequest(set=points, sweep={"searcher": "grid"}))).spec.trials == 6


def test_the_model_says_what_its_start_is_and_the_record_of_the_sweep_keeps_it(tmp_path: Path) -> None:
    toy = TOYS / "toy_model.py"
    model = toy.read_text().replace("class Toy(ForecastTrainable[ToyHyper]):\n", UNTRAINED_TOY)
    (tmp_path / "mine.py").write_text(model)
    space = (toy.parent / "toy.yaml").read_text().replace("toy_model.py:Toy", "mine.py:Toy")
    (tmp_path / "mine.yaml").write_text(space)
    spec = plan_sweep(check_request(SweepRequest(space=str(tmp_path / "mine.yaml")))).spec
    assert spec.initial_name == UNTRAINED
    folder = SweepFolder(tmp_path)
    spec.write(folder)
    assert SweepSpec.read(folder).initial_name == UNTRAINED
    assert Sweep(folder, spec).leaderboard().initial_name == UNTRAINED
    assert plan_sweep(check_request(SweepRequest())).spec.initial_name == "zero-shot"
