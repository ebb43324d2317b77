"""What a person reads of epoch 0, where the model was pretrained and where it was not."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from search_spaces.space import load_space
from tests.paths import TOYS
from tune.cli.progress import LiveProgress, PlainProgress, SweepState
from tune.cli.tables import leaderboard_markdown, print_leaderboard, print_status, verdict_sentence
from tune.export.finalize import export
from tune.planning.plan import Request, plan_sweep
from tune.records.initial_model import Start
from tune.records.journal import Journal
from tune.records.spec import SweepError, SweepSpec
from tune.report.hyperparameter_plots import hyperparameter_effects
from tune.report.learning_curves import validation_curves
from tune.report.page import write_report
from tune.report.sentences import verdict_of
from tune.sweep import Sweep

UNTRAINED = "untrained"


def report_row(epoch: float, loss: float, stopped_by: str | None) -> dict[str, Any]:
    row = {"epoch": epoch, "val_loss": loss, "val_mae": 0.25, "val_mse": 0.125, "train_loss": None, "lr": None}
    return {**row, "seconds": 1.0, "peak_memory_bytes": 1, "stopped_by": stopped_by}


def make_sweep(folder: Path, losses: dict[str, list[float]], start_name: str = UNTRAINED) -> Sweep:
    """A sweep's folder with a report an epoch for each trial, the first of them epoch 0."""
    space = load_space("quickstart")
    fields = {"name": folder.name, "space": space.to_dict(), "trainable": space.trainable, "start_name": start_name}
    task = {"context_length": 256, "prediction_length": 64}
    spec = SweepSpec.model_validate({**fields, "task": task, "data": {"path": "a.csv"}, "trials": 2})
    folder.mkdir(exist_ok=True)
    spec.write(folder)
    journal = Journal(folder)
    for i, (trial_id, values) in enumerate(losses.items()):
        hyper = {"strategy": "full", "lr": 1e-5 * (i + 1), "epochs": 2, "batch_size": 4}
        journal.start(trial_id, {"trial_id": trial_id, "seed": 0, "hyper": hyper})
        for epoch, loss in enumerate(values):
            journal.append(trial_id, report_row(epoch, loss, "epochs" if epoch == len(values) - 1 else None))
    return Sweep(folder, spec)


@pytest.fixture
def better(tmp_path: Path) -> Sweep:
    return make_sweep(tmp_path / "better", {"t0000": [0.5, 0.25], "t0001": [0.5, 0.75]})


@pytest.fixture
def worse(tmp_path: Path) -> Sweep:
    return make_sweep(tmp_path / "worse", {"t0000": [0.5, 0.625], "t0001": [0.5, 0.75]})


def test_the_words_of_zero_shot_are_its_name() -> None:
    start = Start()
    assert start.is_pretrained
    assert {start.name, start.model, start.own} == {"zero-shot"}
    assert (start.when_beaten, start.when_unbeaten) == ("beats zero-shot", "keep zero-shot")


def test_the_model_says_what_its_start_is_and_the_record_of_the_sweep_keeps_it(tmp_path: Path) -> None:
    toy = TOYS / "toy_model.py"
    model = toy.read_text().replace("    Hyper = ToyHyper\n", '    Hyper = ToyHyper\n    start_name = "untrained"\n')
    (tmp_path / "mine.py").write_text(model)
    space = (toy.parent / "toy.yaml").read_text().replace("toy_model.py:Toy", "mine.py:Toy")
    (tmp_path / "mine.yaml").write_text(space)
    spec = plan_sweep(Request(space=str(tmp_path / "mine.yaml"))).spec
    assert spec.start_name == UNTRAINED
    spec.write(tmp_path)
    assert SweepSpec.read(tmp_path).start_name == UNTRAINED
    assert Sweep(tmp_path, spec).leaderboard().start_name == UNTRAINED
    assert plan_sweep(Request()).spec.start_name == "zero-shot"


def test_a_record_of_before_there_were_other_starts_is_of_zero_shot(better: Sweep) -> None:
    record = json.loads((better.folder / "sweep.json").read_text())
    del record["start_name"]
    (better.folder / "sweep.json").write_text(json.dumps(record))
    assert SweepSpec.read(better.folder).start_name == "zero-shot"


def test_json_says_what_the_start_is(better: Sweep, worse: Sweep) -> None:
    document = better.leaderboard().to_dict()
    assert document["start"] == UNTRAINED
    assert document["zero_shot"]["val_loss"] == 0.5
    assert document["verdict"] == "beats its untrained start"
    assert worse.leaderboard().to_dict()["verdict"] == "nothing worth keeping"


def test_csv_calls_the_start_by_its_name(better: Sweep) -> None:
    assert better.leaderboard().to_csv().splitlines()[1].startswith(",untrained,untrained,,0,")


def test_the_verdict_where_a_trial_beats_its_untrained_start(better: Sweep) -> None:
    board = better.leaderboard()
    assert verdict_sentence(board) == "t0000 beats its untrained start: val_loss 0.25 at epoch 1, untrained 0.5."
    verdict = verdict_of(board)
    assert (verdict.kind, verdict.lead) == ("better", "Beats its untrained start")
    assert verdict.text.endswith("0.2500 (50.0 %) better than its untrained start at 0.5000.")


def test_nothing_is_worth_keeping_where_no_trial_beats_the_untrained_model(worse: Sweep) -> None:
    board = worse.leaderboard()
    assert verdict_sentence(board) == (
        "Nothing beat the untrained model (val_loss 0.5; the best trial, t0000, reached 0.625): "
        "there is nothing worth keeping."
    )
    verdict = verdict_of(board)
    assert (verdict.kind, verdict.lead) == ("keep", "Nothing worth keeping")
    assert verdict.text.startswith("nothing beat the untrained model's val_loss of 0.5000; the best trial, t0000,")


def test_no_text_about_an_untrained_start_speaks_of_zero_shot(tmp_path: Path, better: Sweep, worse: Sweep) -> None:
    unmeasured = make_sweep(tmp_path / "unmeasured", {"t0000": [float("nan"), 0.5]})
    unstarted = make_sweep(tmp_path / "unstarted", {"t0000": [0.5]})
    for sweep in (better, worse, unmeasured, unstarted):
        board = sweep.leaderboard()
        console = Console(width=160, record=True, file=io.StringIO())
        print_leaderboard(console, board)
        print_status(console, [sweep])
        page = write_report(sweep.folder, board, sweep.spec).read_text(encoding="utf-8")
        for text in (console.export_text(), page, leaderboard_markdown(board), board.to_csv(), board.to_json()):
            assert "zero-shot" not in text.lower()
            assert UNTRAINED in text


def test_the_curves_start_at_untrained(better: Sweep) -> None:
    board = better.leaderboard()
    ax = validation_curves(Journal(better.folder).read(), board).axes[0]
    assert ax.get_xlabel() == "epoch (0 = untrained, the model before any training)"
    assert "untrained\n0.5000" in [text.get_text() for text in ax.texts]
    assert hyperparameter_effects(board) is not None


def test_the_page_says_that_there_is_nothing_to_export(worse: Sweep) -> None:
    page = write_report(worse.folder, worse.leaderboard(), worse.spec).read_text(encoding="utf-8")
    assert "No checkpoint is exported: no trial is better than no training." in page


def test_an_export_of_what_is_no_gain_is_refused_in_its_own_words(worse: Sweep, tmp_path: Path) -> None:
    with pytest.raises(SweepError) as refusal:
        export(worse, trial_id=None, target=tmp_path / "out", force=False)
    assert str(refusal.value) == (
        "t0000 does not beat its untrained start on val_loss, so nothing of it is worth keeping; "
        "export it all the same with --force"
    )


def test_status_names_the_starts_where_they_differ(better: Sweep, tmp_path: Path) -> None:
    other = make_sweep(tmp_path / "other", {"t0000": [0.75, 0.5]}, "zero-shot")

    def told(*sweeps: Sweep) -> str:
        console = Console(width=160, record=True, file=io.StringIO())
        print_status(console, list(sweeps))
        return console.export_text()

    assert "untrained" in told(better).splitlines()[1].split()
    assert "zero-shot" in told(other).splitlines()[1].split()
    assert "0.5 (untrained)" in told(better, other)
    assert "0.75 (zero-shot)" in told(better, other)


def watch(sweep: Sweep, console: Console, kind: type[PlainProgress] | type[LiveProgress]) -> Any:
    state = SweepState(sweep.spec.name, "val_loss", 1, deadline=None, start_name=sweep.spec.start_name)
    return kind(console, Journal(sweep.folder), state)


@pytest.mark.parametrize("start_name", [UNTRAINED, "zero-shot"])
def test_progress_lines_hold_every_epoch_against_the_start(tmp_path: Path, start_name: str) -> None:
    sweep = make_sweep(tmp_path / "new", {}, start_name)
    console = Console(width=160, file=io.StringIO(), record=True)
    progress = watch(sweep, console, PlainProgress)
    journal = Journal(sweep.folder)
    journal.start("t0000", {"trial_id": "t0000", "seed": 0, "hyper": {"lr": 1e-5}})
    progress.trial_started("t0000", {"lr": 1e-5})
    for row in (report_row(0, 0.5, None), report_row(1, 0.25, "epochs")):
        journal.append("t0000", row)
        progress.trial_reported("t0000", row)
    assert console.export_text().splitlines() == [
        "t0000 starts: lr 1e-5",
        f"{start_name} val_loss 0.5",
        f"t0000 epoch 1 val_loss 0.25 (0.25 better than {start_name})",
    ]


def test_the_live_table_measures_the_untrained_model_first(tmp_path: Path, better: Sweep) -> None:
    for sweep, told in (
        (make_sweep(tmp_path / "new", {}), "starting Ray and measuring the untrained model …"),
        (make_sweep(tmp_path / "old", {}, "zero-shot"), "starting Ray and measuring zero-shot …"),
        (better, "untrained val_loss 0.5   best t0000 0.25 (0.25 better than untrained)"),
    ):
        console = Console(width=160, file=io.StringIO(), record=True)
        progress = watch(sweep, console, LiveProgress)
        progress.close()
        console.print(progress._draw())
        assert told in console.export_text()
