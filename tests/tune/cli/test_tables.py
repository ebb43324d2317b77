"""The specification of tune/cli/tables.py: baselines and the initial model in tables, verdicts and the status."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.tune.ranked_sweep import add_baseline, add_trial, read
from tests.tune.untrained_sweep import UNTRAINED, make_sweep
from tune.cli.tables.sweeps import print_leaderboard, print_status
from tune.leaderboard.ranking import leaderboard_lines
from tune.report.leaderboard_text import leaderboard_markdown, verdict_sentence
from tune.report.page import table_lines, write_report
from tune.report.sentences import verdict_of
from tune.sweep import Sweep

# --- baselines in the leaderboard


@pytest.mark.parametrize(
    ("loss", "order"),
    [
        (0.125, ["naive", "t0001", "t0000", "zero-shot", "t0002", "t0003"]),
        (0.375, ["t0001", "naive", "t0000", "zero-shot", "t0002", "t0003"]),  # who ties with it does not beat it
        (0.5, ["t0001", "t0000", "zero-shot", "naive", "t0002", "t0003"]),
        (1.0, ["t0001", "t0000", "zero-shot", "t0002", "naive", "t0003"]),
        (None, ["t0001", "t0000", "zero-shot", "t0002", "t0003", "naive"]),
    ],
)
def test_a_baseline_stands_where_it_would_rank_or_at_the_end(sweep: Path, loss: float | None, order: list[str]) -> None:
    add_baseline(sweep, "naive", loss)
    board = read(sweep)
    assert [line.name for line in leaderboard_lines(board)] == order
    assert [line.name for line in table_lines(board)] == order
    cells = [line.split("|")[2].strip() for line in leaderboard_markdown(board).splitlines()[2 : 2 + len(order)]]
    assert cells == order


def test_the_table_shows_a_baseline_dim_and_the_test_scores_with_a_dash_for_no_loss(sweep: Path) -> None:
    add_baseline(sweep, "naive", None)
    scores = {
        "zero-shot": {"test_loss": 0.5, "test_mae": 0.75, "test_mse": 0.25},
        "naive": {"test_loss": None, "test_mae": 0.625, "test_mse": 0.125},
    }
    (sweep / "test_scores.json").write_text(json.dumps(scores))
    console = Console(width=160, force_terminal=True, color_system="standard", record=True, file=io.StringIO())
    board = read(sweep)
    print_leaderboard(console, board)
    dim = next(line for line in console.export_text(styles=True, clear=False).splitlines() if "naive" in line)
    assert "\x1b[2mnaive" in dim
    assert "naive: test_loss –, test_mae 0.625, test_mse 0.125" in console.export_text()


@pytest.mark.parametrize("width", [80, 100, 110, 120, 130, 140, 200])
def test_no_cell_is_cut_whatever_the_width(sweep: Path, width: int) -> None:
    add_baseline(sweep, "seasonal-naive", 0.4375)
    console = Console(width=width, record=True, file=io.StringIO())
    print_leaderboard(console, read(sweep))
    assert "…" not in console.export_text()


# --- which baselines the best trial beats


def test_nothing_is_said_of_a_baseline_that_is_beaten(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.375)
    assert verdict_sentence(read(sweep)) == "t0001 beats zero-shot: val_loss 0.25 at epoch 1, zero-shot 0.5."
    assert "does not beat" not in verdict_of(read(sweep)).text


def test_a_baseline_that_is_not_beaten_is_named_with_both_values(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.125)
    assert verdict_sentence(read(sweep)).endswith(
        "zero-shot 0.5. It does not beat naive (val_loss 0.125 against 0.25)."
    )
    assert verdict_of(read(sweep)).text.endswith("It does not beat naive (val_loss 0.1250 against 0.2500).")


def test_a_tie_beats_no_baseline(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.25)
    assert "does not beat naive (val_loss 0.25 against 0.25)" in verdict_sentence(read(sweep))


def test_without_a_loss_of_its_own_a_baseline_is_compared_on_val_mse(sweep: Path) -> None:
    add_baseline(sweep, "naive", None, val_mse=0.125)  # the trials have 0.25
    add_baseline(sweep, "other", None, val_mse=0.1875)
    add_baseline(sweep, "third", None, val_mse=0.375)
    assert verdict_sentence(read(sweep)).endswith(
        "It does not beat naive (val_mse 0.125 against 0.25) or other (val_mse 0.1875 against 0.25)."
    )


def test_a_trial_that_beats_nothing_is_named_again(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5, 0.75])
    add_baseline(tmp_path, "naive", 0.625)
    told = "keep zero-shot. t0000 does not beat naive (val_loss 0.625 against 0.75)."
    assert verdict_sentence(read(tmp_path)).endswith(told)
    assert verdict_of(read(tmp_path)).text.endswith(
        "worse. t0000 does not beat naive (val_loss 0.6250 against 0.7500)."
    )


def test_before_the_first_epoch_nothing_is_compared(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5])
    add_baseline(tmp_path, "naive", 0.125)
    assert verdict_sentence(read(tmp_path)) == "No trial has trained for an epoch yet."
    assert "does not beat" not in verdict_of(read(tmp_path)).text


# --- an initial model that is untrained


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


def test_markdown_and_csv_hold_names_as_text_alone(tmp_path: Path) -> None:
    """A baseline whose name is a column mark, a tag and a formula stays one cell of text in both."""
    add_trial(tmp_path, "t0000", [0.5, 0.25])
    add_baseline(tmp_path, "=a|<b>", 0.75)
    board = read(tmp_path)
    (line,) = [line for line in leaderboard_markdown(board).splitlines() if "=a" in line]
    assert "| =a\\|&lt;b&gt; |" in line
    assert "\n'=a|<b>," in "\n".join(f"{line[line.find(',') + 1 :]}" for line in board.to_csv().splitlines())


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_verdict_is_wrapped_between_words_on_a_terminal_and_is_one_line_in_a_pipe(
    sweep: Path, is_terminal: bool
) -> None:
    console = Console(width=40, force_terminal=is_terminal, no_color=True, record=True, file=io.StringIO())
    board = read(sweep)
    print_leaderboard(console, board)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    words = verdict_sentence(board).split()
    assert (verdict_sentence(board) in lines) is not is_terminal
    assert [word for line in lines for word in line.split()][-len(words) :] == words
