"""What the page must say, read from the page itself; the sweeps are written by hand, as a journal writes them."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from tests.tune.report.read_page import Page, page_of
from tests.tune.report.written_sweep import HYPER, ZERO_SHOT, add_trial, make_spec, read_board, three_trials
from tests.tune.reports import config, report, to_its_end, write_trial
from trainables.timeline import Activity, Timeline
from trainables.trial.report import Scores
from tune.records.journal import Journal
from tune.records.scores_on_test import write_test_scores
from tune.records.sweep_folder import SweepFolder
from tune.records.verdict import Decision, Verdict
from tune.report.charts.forecast_examples import Drawn, Example, write_examples
from tune.report.charts.plot_style import COLOURS
from tune.report.page import write_report
from tune.sweep import Sweep


def test_page_is_report_html_in_the_sweeps_folder_and_leaves_nothing_beside_it(tmp_path):
    three_trials(tmp_path)
    before = set(tmp_path.iterdir())
    path = write_report(SweepFolder(tmp_path), read_board(tmp_path), make_spec())
    assert path == tmp_path / "report.html"
    assert set(tmp_path.iterdir()) - before == {path}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """The page of `three_trials`."""
    return page_of(three_trials(tmp_path_factory.mktemp("three")))


# --- sweeps that are no ordinary ones


def test_sweep_without_trials_is_undecided(tmp_path):
    page = page_of(tmp_path)
    assert "Undecided" in page.section("Verdict")
    assert "No trial is on record; 24 trials planned" in page.section("Verdict")
    assert "no trial has reported yet" in page.section("curves")
    assert not page.section("effects")


def test_sweep_whose_trials_all_failed_says_so_and_why(tmp_path):
    for trial_id in ("t0000", "t0001"):
        add_trial(tmp_path, trial_id, [ZERO_SHOT], stopped_by=None)
        Journal(SweepFolder(tmp_path)).fail(trial_id, "Traceback\nOutOfMemoryError: <all> 8 GB gone")
    page = page_of(tmp_path)
    assert "No result: 2 trials failed and none was validated" in page.section("Verdict")
    assert "zero-shot has val_loss 0.5000" in page.section("Verdict")
    assert "Failed: t0000, t0001 Traceback OutOfMemoryError: <all> 8 GB gone" in page.section("leaderboard")
    assert page.column("trial") == ["zero-shot", "t0000", "t0001"]


def test_sweep_without_any_zero_shot_score_is_undecided(tmp_path):
    add_trial(tmp_path, "t0000", [math.nan, 0.4])
    page = page_of(tmp_path)
    assert "there is no zero-shot val_loss" in page.section("Verdict")
    assert page.column("gain") == ["–"]


def test_one_trial_makes_a_page_without_a_comparison_of_hyperparameters(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.4])
    page = page_of(tmp_path)
    assert "1 of 24 trials planned" in page.section("Verdict")
    assert not page.section("effects")


def test_running_sweep_says_that_its_verdict_is_not_the_last_word(tmp_path):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT, 0.44], stopped_by=None)
    page = page_of(tmp_path, running=True)
    assert "Beats zero-shot so far" in page.section("Verdict")
    assert "The sweep is still running: 4 of 24 trials planned" in page.section("Verdict")
    assert "running" in page.column("status, stopped by")


def test_missing_numbers_are_dashes(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.4, math.nan], stopped_by="diverged")
    add_trial(tmp_path, "t0001", [ZERO_SHOT, math.nan], stopped_by="diverged")
    page = page_of(tmp_path)
    assert page.column("val_loss") == ["0.4000", "0.5000", "–"]
    assert page.column("status, stopped by")[0] == "stopped, diverged"
    assert not {"nan", "none", "inf"} & set(page.everything.lower().replace(",", " ").split())


def test_more_than_a_hundred_trials_all_stand_in_picture_and_table(tmp_path):
    for number in range(120):
        add_trial(tmp_path, f"t{number:04d}", [ZERO_SHOT, 0.49 - number * 1e-3], lr=1e-6 * (number + 1))
    page = page_of(tmp_path)
    assert len(page.column("trial")) == 121
    curves = {attributes.get("id") for attributes in page.find("g")}
    assert {
        f"{kind}-t{number:04d}" for number in range(120) for kind in ("curve", "history", "parallel-narrow")
    } <= curves
    assert len(page.html) < 3e6


def test_other_models_hyperparameters_get_columns_and_panels_of_their_own(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.4])
    for trial_id, rank in (("t0001", 4), ("t0002", 8)):
        hyper = {"lr": 1e-3, "mapping_rank": rank, "warmup_fraction": 0.1}
        write_trial(tmp_path, trial_id, hyper, [report(0, ZERO_SHOT), report(1, 0.45, stopped_by="epochs")])
    page = page_of(tmp_path)
    assert page.column("mapping_rank") == ["–", "4", "8"]
    assert page.column("warm-up") == ["50", "10 %", "10 %"]
    assert page.column("strategy")[:3] == ["head_only", "–", "–"]
    assert "mapping_rank" in page.section("effects")


def test_page_says_when_trials_start_from_different_points(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.45])
    add_trial(tmp_path, "t0001", [0.8, 0.6])
    page = page_of(tmp_path)
    assert "start from 2 different models" in page.section("leaderboard")
    assert page.column("trial") == ["t0000", "zero-shot", "t0001"]
    assert page.column("gain") == ["▲ +0.0500 better", "0", "▲ +0.2000 better"]  # 0.8 - 0.6, its own start


def test_the_page_says_that_there_is_nothing_to_export(worse: Sweep) -> None:
    page = write_report(worse.folder, worse.leaderboard(), worse.spec).read_text(encoding="utf-8")
    assert "No checkpoint is exported: no trial is better than no training." in page


# --- the table


def test_zero_shot_has_a_row_where_it_would_rank(three):
    page = three
    assert page.column("trial") == ["t0001", "t0000", "zero-shot", "t0002"]
    assert page.column("rank") == ["1", "2", "–", "3"]
    assert page.column("val_loss") == ["0.4000", "0.4500", "0.5000", "0.5500"]


def test_the_verdicts_top_set_and_skill_have_columns_beside_repeats(tmp_path):
    """t0000-r1 came to 0.3 and t0000-r2 to 0.34: 0.32 ± 0.0283."""
    for trial_id, loss in (("t0000", 0.25), ("t0000-r1", 0.3), ("t0000-r2", 0.34), ("t0001", 0.4)):
        write_trial(tmp_path, trial_id, {"lr": 1e-5}, to_its_end([0.5, loss]))
    skill = {"zero-shot": -0.25, "t0000": 0.125}
    verdict = Verdict(Decision.KEEP, "val_loss", 0.9, candidate="t0000", confidence_set=("t0000",), skill=skill)
    board = read_board(tmp_path)
    path = write_report(SweepFolder(tmp_path), replace(board, decided=verdict), make_spec())
    page = Page(path.read_text(encoding="utf-8"))
    assert page.column("in top set") == ["yes", "", ""]
    assert page.column("skill") == ["0.125", "", "-0.250"]
    assert page.column("trial") == ["t0000 2 repeats", "t0001", "zero-shot"]
    assert page.column("val_loss") == ["0.3200 ± 0.0283", "0.4000", "0.5000"]
    assert "cannot be distinguished from the best one with 90 % confidence" in page.everything
    assert all(f'id="curve-{name}"' in page.html for name in ("t0000", "t0000-r1", "t0000-r2"))


def test_gain_is_reported_by_sign_and_word_and_not_by_colour_alone(three):
    gains = three.column("gain")
    assert gains == ["▲ +0.1000 better", "▲ +0.0500 better", "0", "▼ -0.0500 worse"]


def test_row_tells_epochs_hyperparameters_time_and_memory(three):
    page = three
    head, best = page.tables[0][0], page.tables[0][1]
    told = dict(zip(head, best, strict=True))
    assert told["best epoch / run"] == "2 / 3"
    assert told["lr"] == "5e-7"
    assert (told["epochs"], told["warm-up"], told["weight decay"], told["batch size"]) == ("3", "50", "0.1", "64")
    assert told["time"] == "2 min 40 s"  # four reports of 40 s
    assert told["peak memory"] == "2.5 GB"
    assert page.column("status, stopped by") == ["completed", "completed", "initial", "stopped, asha"]


def test_small_learning_rates_are_never_zero_or_padded(three):
    page = three
    assert page.column("lr")[:2] == ["5e-7", "1e-5"]
    assert "e-0" not in page.everything


def test_test_scores_are_shown_as_they_are(tmp_path):
    scores = {"zero-shot": {"test_loss": 0.7, "test_mae": 5e-7}, "t0001": {"test_loss": 0.65, "test_mae": None}}
    three_trials(tmp_path)
    assert not page_of(tmp_path).section("test")
    (tmp_path / "test_scores.json").write_text(json.dumps(scores))
    page = page_of(tmp_path)
    assert page.tables[1] == [
        ["model", "test_loss", "test_mae"],
        ["zero-shot", "0.7000", "5e-7"],
        ["t0001", "0.6500", "–"],
    ]


# --- the facts


def test_what_is_worse_than_the_start_on_test_is_marked_in_words(tmp_path):
    three_trials(tmp_path)
    folder = SweepFolder(tmp_path)
    start, worse = (
        Scores(val_loss=0.5, val_mae=0.4, val_coverage=0.7),
        Scores(val_loss=0.6, val_mae=0.3, val_coverage=0.9),
    )
    write_test_scores(folder, {"zero-shot": start, "t0000": worse})
    section = page_of(tmp_path).section("test")
    assert section.count("worse than zero-shot") == 2  # once in the caption
    assert "▼ 0.6000 worse than zero-shot 0.3000" in section


def test_a_finished_sweeps_forecasts_and_time_are_shown(tmp_path):
    three_trials(tmp_path)
    folder = SweepFolder(tmp_path)
    drawn = {"zero-shot": Drawn([1.0, 2.0]), "t0000": Drawn([1.0, 1.5], [0.5, 1.0], [1.5, 2.0])}
    write_examples(folder, [Example("typical", "site_1", [0, 1, 2], [1.0], [1.0, 2.0], drawn)])
    timeline = Timeline(folder.timeline)
    timeline.write(Activity.SESSION, 100.0, 200.0)
    Timeline(folder.timeline, "t0000").write(Activity.TRAINING, 120.0, 180.0)
    page = page_of(tmp_path)
    assert "lowest" in page.section("examples")
    assert "training 1 min 0 s 60 %" in page.section("facts")


@pytest.fixture(scope="module")
def empty_page(tmp_path_factory):
    return page_of(tmp_path_factory.mktemp("night1"))


@pytest.mark.parametrize(
    "fact",
    [
        "hash abc123",
        "split ett",
        "context length 512 rows",
        "prediction length 96 rows",
        "train stride 24",
        "evaluation stride 48",
        "scale standard",
        "space moirai-small",
        "searcher gp",
        "scheduler asha, 1 epoch of grace, reduction factor 3",
        "seed 1234",
        "torch 2.15.0",
        "created 2026-11-20T22:41:07+00:00",
        "weight_decay everywhere uniform, 0 to 0.2",
        "lr strategy = full log, 5e-7 to 5e-5",
        "batch_size everywhere one of 32, 64, 128",
        "pretrained everywhere Salesforce/moirai-1.1-R-small",
    ],
)
def test_page_says_what_was_done(empty_page, fact):
    assert fact in empty_page.section("facts")


# --- the page as a page


def test_page_needs_nothing_from_outside(three):
    page = three
    assert not {"link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    targets = [a[key] or "" for _, a in page.elements for key in ("href", "xlink:href", "src") if key in a]
    assert all(target.startswith("#") for target in targets)
    assert "url(http" not in page.html
    assert "@import" not in page.html
    policies = [a.get("content") or "" for a in page.find("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    script = page.html.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"]
    assert page.html.count("<script") == 2  # and the trials' places, which are data


def test_what_people_named_is_escaped(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.4], strategy="<script>alert(1)</script>")
    add_trial(tmp_path, "t0001", [ZERO_SHOT, 0.45], strategy="$\\frac$ & \"'", label="<i>")
    add_trial(tmp_path, "t0002", [ZERO_SHOT, 0.45], label="</svg>")
    page = page_of(tmp_path)
    assert not {"b", "i"} & {tag for tag, _ in page.elements}
    assert page.html.count("<script") == 2  # the page's own
    assert "<script>alert(1)</script>" in page.column("strategy")
    assert "$\\frac$ & \"'" in page.column("strategy")
    assert "/data/<b>etth1</b>.csv" in page.section("facts")


def test_ids_are_single_and_every_reference_has_its_target(tmp_path):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT], stopped_by=None)
    add_trial(tmp_path, "t0004", [math.nan], stopped_by=None)
    Journal(SweepFolder(tmp_path)).start(config("t0005", HYPER))
    page = page_of(tmp_path, running=True)
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert ids.most_common(1)[0][1] == 1
    references = {a[key] for _, a in page.elements for key in ("href", "xlink:href") if key in a}
    assert {str(reference)[1:] for reference in references} <= set(ids)


def test_pictures_have_words_and_headers_have_scopes(three):
    page = three
    pictures = page.find("svg")
    words = [str(picture["aria-label"]) for picture in pictures]
    assert words[::2] == words[1::2]  # each is there wide and narrow
    assert all(picture["role"] == "img" for picture in pictures)
    assert "t0001 reached val_loss 0.4000" in words[0]
    assert "The best, 0.4000, came with trial 2 of 3" in words[2]
    assert "3 trials over lr, strategy, val_loss" in words[4]
    assert "lr" in words[6]
    assert "strategy" in words[8]
    assert len(words) == 10
    assert all(header["scope"] in ("col", "row") for header in page.find("th"))


def test_pictures_take_their_colours_from_the_page(three):
    html = three.html
    body = html[html.index("<body") :]
    assert "var(--ink)" in body
    assert not [light for light, _ in COLOURS.values() if light in body]
    assert "#000000" not in body


def test_importing_the_report_imports_neither_torch_nor_ray():
    code = "import sys, tune.report.page; print({'torch', 'ray', 'optuna', 'matplotlib.pyplot'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "set()"
