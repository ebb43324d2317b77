"""The specification of tune/report/sentences.py: the verdict, read from the page."""

from __future__ import annotations

from tests.tune.report.read_page import page_of
from tests.tune.report.written_sweep import HYPER, ZERO_SHOT, add_trial, three_trials
from tests.tune.reports import report, write_trial


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
    assert "the initial model is the one to use" in verdict


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
    write_trial(tmp_path, "t0000", HYPER, [report(0, 0.1, mae=0.8), report(1, 0.9, mae=0.6, stopped_by="epochs")])
    assert "t0000 reached val_mae 0.6000 at epoch 1, 0.2000 (25.0 %) better" in page_of(
        tmp_path, metric="val_mae"
    ).section("Verdict")
