"""What the page must tell, read from the page itself; the sweeps are written by hand, as a journal writes them."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import imread

from search_spaces.space import load_space
from tune.format import short_number
from tune.records.journal import Journal
from tune.records.leaderboard import Leaderboard
from tune.records.spec import SweepSpec
from tune.report.hyperparameter_plots import hyperparameter_effects
from tune.report.learning_curves import validation_curves
from tune.report.page import write_report
from tune.report.plot_style import COLOURS

HYPER = {
    "strategy": "head_only",
    "lr": 5e-07,
    "epochs": 3,
    "warmup_steps": 50,
    "weight_decay": 0.1,
    "batch_size": 64,
}
ZERO_SHOT = 0.5
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


# --- a sweep by hand


def report_row(epoch: float, loss: float, **changed: Any) -> dict[str, Any]:
    row = {"epoch": epoch, "val_loss": loss, "val_mae": 0.25, "val_mse": 0.125, "train_loss": None, "lr": None}
    return {**row, "seconds": 40.0, "peak_memory_bytes": 2_500_000_000, "stopped_by": None, **changed}


def add_trial(
    folder: Path, trial_id: str, losses: list[float], *, stopped_by: str | None = "epochs", **hyper: Any
) -> None:
    """Write a trial with one report an epoch, the first of them epoch 0."""
    journal = Journal(folder)
    journal.start(trial_id, {"trial_id": trial_id, "seed": 0, "hyper": {**HYPER, **hyper}})
    for epoch, loss in enumerate(losses):
        is_last = epoch == len(losses) - 1
        journal.append(trial_id, report_row(epoch, loss, stopped_by=stopped_by if is_last else None))


def three_trials(folder: Path) -> Path:
    """t0001 beats zero-shot (0.5) with 0.4 at epoch 2, t0000 with 0.45; t0002 does not."""
    add_trial(folder, "t0000", [ZERO_SHOT, 0.46, 0.45, 0.47], strategy="freeze_ffn", lr=1e-5)
    add_trial(folder, "t0001", [ZERO_SHOT, 0.42, 0.40, 0.41])
    add_trial(folder, "t0002", [ZERO_SHOT, 0.55, 0.56], stopped_by="asha", strategy="full", lr=1e-4)
    return folder


def make_spec(**changed: Any) -> SweepSpec:
    space = load_space("moirai-small")
    fields = {
        "name": "night1",
        "space": space.to_dict(),
        "trainable": space.trainable,
        "data": {"path": "/data/<b>etth1</b>.csv", "content_hash": "abc123"},
        "task": {
            "split": "ett",
            "context_length": 512,
            "prediction_length": 96,
            "train_stride": 24,
            "eval_stride": 48,
            "scale": "standard",
        },
        "trials": 24,
        "searcher": "gp",
        "seed": 1234,
        "created": "2026-11-20T22:41:07+00:00",
        "versions": {"torch": "2.15.0", "ray": "2.60.0"},
    }
    return SweepSpec.model_validate({**fields, **changed})


def read_board(folder: Path, *, running: bool = False, metric: str = "val_loss") -> Leaderboard:
    return Leaderboard.read(folder, metric=metric, sweep_is_running=running)


def draw(folder: Path) -> Figure:
    return validation_curves(Journal(folder).read(), read_board(folder))


# --- a page, read back


class Page(HTMLParser):
    """A page's elements, the text of each section, and the rows of its tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text_of: Counter[str] = Counter()
        self.tables: list[list[list[str]]] = []
        self._section = ""
        self._cell: list[str] | None = None
        self._words: dict[str, list[str]] = {}
        self._skipping = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.elements.append((tag, values))
        self._skipping = tag == "style"
        if tag == "section":
            self._section = values.get("aria-label") or values["aria-labelledby"] or ""
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        self._skipping = False
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(" ".join(" ".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        self._words.setdefault(self._section, []).append(data)
        if self._cell is not None:
            self._cell.append(data)

    def section(self, name: str) -> str:
        return " ".join(" ".join(self._words.get(name, [])).split())

    @property
    def everything(self) -> str:
        return " ".join(self.section(name) for name in self._words)

    def column(self, name: str) -> list[str]:
        """The leaderboard's cells under a heading, zero-shot's too."""
        head, *body = self.tables[0]
        place = [cell.split(" ▾")[0] for cell in head].index(name)
        return [row[place] for row in body if len(row) > place]

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(folder: Path, *, running: bool = False, metric: str = "val_loss", **spec: Any) -> Page:
    board = read_board(folder, running=running, metric=metric)
    path = write_report(folder, board, make_spec(metric=metric, **spec))
    return Page(path.read_text(encoding="utf-8"))


# --- the verdict


def test_page_is_report_html_in_the_sweeps_folder_and_leaves_nothing_beside_it(tmp_path):
    three_trials(tmp_path)
    before = set(tmp_path.iterdir())
    path = write_report(tmp_path, read_board(tmp_path), make_spec())
    assert path == tmp_path / "report.html"
    assert set(tmp_path.iterdir()) - before == {path}


def test_verdict_names_zero_shot_the_best_trial_and_the_gain(tmp_path):
    verdict = page_of(three_trials(tmp_path)).section("Verdict")
    assert "Beats zero-shot: t0001 reached val_loss 0.4000 at epoch 2" in verdict
    assert "0.1000 (20.0 %) better than zero-shot at 0.5000" in verdict  # 0.5 - 0.4, over 0.5
    assert "+0.1000" in verdict


def test_verdict_is_to_keep_zero_shot_when_nothing_beats_it(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.6, 0.7])
    verdict = page_of(tmp_path).section("Verdict")
    assert "Keep zero-shot: nothing beat its val_loss of 0.5000" in verdict
    assert "t0000, came to 0.6000 at epoch 1, 0.1000 (20.0 %) worse" in verdict
    assert "the untouched model is the one to use" in verdict


def test_a_tie_keeps_zero_shot(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, ZERO_SHOT])
    page = page_of(tmp_path)
    assert "Keep zero-shot" in page.section("Verdict")
    assert "no better and no worse" in page.section("Verdict")
    assert page.column("trial") == ["zero-shot", "t0000"]


def test_negative_losses_are_compared_without_a_percentage(tmp_path):
    add_trial(tmp_path, "t0000", [-0.5, -0.75])
    page = page_of(tmp_path)
    assert "-0.7500 at epoch 1, 0.2500 better than zero-shot at -0.5000" in page.section("Verdict")
    assert "%" not in page.section("Verdict")
    assert page.column("gain")[0] == "▲ +0.2500 better"


def test_exported_checkpoint_is_named_only_where_it_is(tmp_path):
    three_trials(tmp_path)
    assert str(tmp_path / "best") not in page_of(tmp_path).everything
    (tmp_path / "best").mkdir()
    assert f"Exported checkpoint: {tmp_path / 'best'}" in page_of(tmp_path).section("Verdict")


def test_metric_of_the_sweep_decides(tmp_path):
    journal = Journal(tmp_path)
    journal.start("t0000", {"trial_id": "t0000", "seed": 0, "hyper": HYPER})
    journal.append("t0000", report_row(0, 0.1, val_mae=0.8))
    journal.append("t0000", report_row(1, 0.9, val_mae=0.6, stopped_by="epochs"))
    assert "t0000 reached val_mae 0.6000 at epoch 1, 0.2000 (25.0 %) better" in page_of(
        tmp_path, metric="val_mae"
    ).section("Verdict")


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
        Journal(tmp_path).fail(trial_id, "Traceback\nOutOfMemoryError: <all> 8 GB gone")
    page = page_of(tmp_path)
    assert "No result: 2 trials failed and none was validated" in page.section("Verdict")
    assert "zero-shot stands at val_loss 0.5000" in page.section("Verdict")
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
    assert {f"curve-t{number:04d}" for number in range(120)} <= curves


def test_other_models_hyperparameters_get_columns_and_panels_of_their_own(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.4])
    journal = Journal(tmp_path)
    for trial_id, rank in (("t0001", 4), ("t0002", 8)):
        hyper = {"lr": 1e-3, "mapping_rank": rank, "warmup_fraction": 0.1}
        journal.start(trial_id, {"trial_id": trial_id, "seed": 0, "hyper": hyper})
        journal.append(trial_id, report_row(0, ZERO_SHOT))
        journal.append(trial_id, report_row(1, 0.45, stopped_by="epochs"))
    page = page_of(tmp_path)
    assert page.column("mapping_rank") == ["–", "4", "8"]
    assert page.column("warm-up") == ["50", "10 %", "10 %"]
    assert page.column("strategy")[:3] == ["head_only", "–", "–"]
    assert "mapping_rank" in page.section("effects")


def test_page_says_when_trials_start_from_different_points(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.45])
    add_trial(tmp_path, "t0001", [0.8, 0.6])
    page = page_of(tmp_path)
    assert "start from 2 different points" in page.section("leaderboard")
    assert page.column("trial") == ["t0000", "zero-shot", "t0001"]
    assert page.column("gain") == ["▲ +0.0500 better", "0", "▲ +0.2000 better"]  # 0.8 - 0.6, its own start


# --- the table


def test_zero_shot_has_a_row_where_it_would_rank(tmp_path):
    page = page_of(three_trials(tmp_path))
    assert page.column("trial") == ["t0001", "t0000", "zero-shot", "t0002"]
    assert page.column("rank") == ["1", "2", "–", "3"]
    assert page.column("val_loss") == ["0.4000", "0.4500", "0.5000", "0.5500"]


def test_gain_is_told_by_sign_and_word_and_not_by_colour_alone(tmp_path):
    gains = page_of(three_trials(tmp_path)).column("gain")
    assert gains == ["▲ +0.1000 better", "▲ +0.0500 better", "0", "▼ -0.0500 worse"]


def test_row_tells_epochs_hyperparameters_time_and_memory(tmp_path):
    page = page_of(three_trials(tmp_path))
    head, best = page.tables[0][0], page.tables[0][1]
    told = dict(zip(head, best, strict=True))
    assert told["best epoch / run"] == "2 / 3"
    assert told["lr"] == "5e-7"
    assert (told["epochs"], told["warm-up"], told["weight decay"], told["batch size"]) == ("3", "50", "0.1", "64")
    assert told["time"] == "2 min 40 s"  # four reports of 40 s
    assert told["peak memory"] == "2.5 GB"
    assert page.column("status, stopped by") == ["completed", "completed", "untouched", "stopped, asha"]


def test_small_learning_rates_are_never_zero_or_padded(tmp_path):
    page = page_of(three_trials(tmp_path))
    assert page.column("lr")[:2] == ["5e-7", "1e-5"]
    assert "e-0" not in page.everything


def test_test_scores_are_shown_as_they_are(tmp_path):
    scores = {"zero-shot": {"test_loss": 0.7, "test_mae": 5e-7}, "t0001": {"test_loss": 0.65, "note": "x"}}
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


def test_page_needs_nothing_from_outside(tmp_path):
    page = page_of(three_trials(tmp_path))
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    targets = [a[key] or "" for _, a in page.elements for key in ("href", "xlink:href", "src") if key in a]
    assert all(target.startswith("#") for target in targets)
    assert "url(http" not in page.html
    assert "@import" not in page.html
    policies = [a.get("content") or "" for a in page.find("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_what_people_named_is_escaped(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.4], strategy="<script>alert(1)</script>")
    add_trial(tmp_path, "t0001", [ZERO_SHOT, 0.45], strategy="$\\frac$ & \"'", label="<i>")
    add_trial(tmp_path, "t0002", [ZERO_SHOT, 0.45], label="</svg>")
    page = page_of(tmp_path)
    assert not {"script", "b", "i"} & {tag for tag, _ in page.elements}
    assert "<script>alert(1)</script>" in page.column("strategy")
    assert "$\\frac$ & \"'" in page.column("strategy")
    assert "/data/<b>etth1</b>.csv" in page.section("facts")


def test_ids_are_single_and_every_reference_has_its_target(tmp_path):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT], stopped_by=None)
    add_trial(tmp_path, "t0004", [math.nan], stopped_by=None)
    Journal(tmp_path).start("t0005", {"trial_id": "t0005", "seed": 0, "hyper": HYPER})
    page = page_of(tmp_path, running=True)
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert ids.most_common(1)[0][1] == 1
    references = {a[key] for _, a in page.elements for key in ("href", "xlink:href") if key in a}
    assert {str(reference)[1:] for reference in references} <= set(ids)


def test_pictures_have_words_and_headers_have_scopes(tmp_path):
    page = page_of(three_trials(tmp_path))
    pictures = page.find("svg")
    assert len(pictures) == 2
    assert all(picture["role"] == "img" for picture in pictures)
    assert "t0001 reached val_loss 0.4000" in str(pictures[0]["aria-label"])
    assert "lr" in str(pictures[1]["aria-label"])
    assert all(header["scope"] in ("col", "row") for header in page.find("th"))


def test_pictures_take_their_colours_from_the_page(tmp_path):
    html = page_of(three_trials(tmp_path)).html
    body = html[html.index("<body") :]
    assert "var(--ink)" in body
    assert not [light for light, _ in COLOURS.values() if light in body]
    assert "#000000" not in body


@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium browser")
@pytest.mark.parametrize(("scheme", "is_dark"), [("0", True), ("1", False)])
def test_browser_shows_the_page_in_light_and_in_dark(tmp_path, scheme, is_dark):
    path = write_report(three_trials(tmp_path), read_board(tmp_path), make_spec())
    shot = tmp_path / "shot.png"
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --window-size=1300,1200"
    places = [f"--user-data-dir={tmp_path / 'browser'}", f"--screenshot={shot}", path.as_uri()]
    colours = f"--blink-settings=preferredColorScheme={scheme}"
    subprocess.run([str(BROWSER), *flags.split(), colours, *places], check=True, capture_output=True, timeout=120)
    brightness = np.asarray(imread(shot))[..., :3].mean()
    assert brightness < 0.3 if is_dark else brightness > 0.8


def test_importing_the_report_imports_neither_torch_nor_ray():
    code = "import sys, tune.report.page; print({'torch', 'ray', 'optuna', 'matplotlib.pyplot'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "set()"


# --- the picture


def line_of(figure: Figure, trial_id: str) -> Any:
    return next(line for line in figure.axes[0].lines if line.get_gid() == trial_id)


def words_of(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_every_line_starts_at_zero_shot_at_epoch_zero(tmp_path):
    figure = draw(three_trials(tmp_path))
    for trial_id in ("t0000", "t0001", "t0002"):
        line = line_of(figure, trial_id)
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (0, ZERO_SHOT)
    assert list(line_of(figure, "t0001").get_ydata()) == [0.5, 0.42, 0.40, 0.41]


def test_best_is_thick_and_named_and_stopped_trials_are_pale(tmp_path):
    figure = draw(three_trials(tmp_path))
    best, other, stopped = (line_of(figure, trial_id) for trial_id in ("t0001", "t0000", "t0002"))
    assert best.get_linewidth() > 2 * other.get_linewidth()
    assert best.get_alpha() > other.get_alpha() > stopped.get_alpha()
    assert "t0001: 0.4000 at epoch 2" in words_of(figure)
    assert "zero-shot\n0.5000" in words_of(figure)


@pytest.mark.parametrize("wild", [1e6, 1e300])
@pytest.mark.parametrize("count", [1, 6])
def test_diverged_trials_do_not_squash_the_others_and_are_told(tmp_path, wild, count):
    three_trials(tmp_path)
    for number in range(count):
        add_trial(tmp_path, f"t01{number:02d}", [ZERO_SHOT, wild, math.nan], stopped_by="diverged")
    figure = draw(tmp_path)
    low, high = figure.axes[0].get_ylim()
    assert 0.3 < low < 0.4  # the best is in the picture, and not at its rim
    assert 0.5 < high < 0.8
    told = "1 trial leaves" if count == 1 else "6 trials leave"
    assert f"{told} the picture, up to {short_number(wild)}" in words_of(figure)
    figure.savefig(tmp_path / "curves.png")


def test_a_slight_excess_is_no_outlier(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.51, 0.52, 0.53])
    add_trial(tmp_path, "t0001", [ZERO_SHOT, 0.51, 0.52, 0.56])
    figure = draw(tmp_path)
    assert figure.axes[0].get_ylim()[1] > 0.56
    assert "leave" not in words_of(figure)


def test_picture_is_a_png_of_1200_by_600_on_light_ground(tmp_path):
    path = tmp_path / "curves.png"
    draw(three_trials(tmp_path)).savefig(path)
    pixels = np.asarray(imread(path))
    assert pixels.shape[:2] == (600, 1200)
    assert pixels[0, 0, :3] == pytest.approx(to_rgba(COLOURS["card"][0])[:3], abs=0.01)


def test_learning_rate_has_a_log_axis_and_missing_values_are_left_out(tmp_path):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT, 0.49], weight_decay=None, lr=3e-5)
    figure = hyperparameter_effects(read_board(tmp_path))
    assert figure is not None
    panels = {ax.get_title(loc="left"): ax for ax in figure.axes if ax.get_visible()}
    assert list(panels) == ["lr", "strategy"]  # what all trials share is no panel
    assert panels["lr"].get_xscale() == "log"
    shown = {line.get_gid(): line.get_xdata()[0] for line in panels["lr"].lines if line.get_gid()}
    assert shown == {"t0000.lr": 1e-5, "t0001.lr": 5e-7, "t0002.lr": 1e-4, "t0003.lr": 3e-5}
