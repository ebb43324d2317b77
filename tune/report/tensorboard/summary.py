"""The text of TensorBoard's TEXT tab: the verdict, the leaderboard, and what to repeat the sweep with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tune.leaderboard.leaderboard import Leaderboard
from tune.records.spec import SweepSpec
from tune.records.trial_record import TrialRecord
from tune.report.leaderboard_text import COSTS, ENDING, hyperparameter_columns, leaderboard_table, score_columns
from tune.report.repeat_command import SPACE_FILE, repeat_commands
from tune.report.sentences import progress_of, verdict_of
from tune.verdict.advice import advise


def summary_texts(board: Leaderboard, spec: SweepSpec, records: Sequence[TrialRecord]) -> dict[str, str]:
    """Return Markdown by tag, in the order of the tab."""
    scores = [name for name in score_columns(board) if name not in ENDING]
    of_trials = ["trial", *ENDING, *hyperparameter_columns(board), *COSTS]
    tables = [*leaderboard_table(board, scores), "", *leaderboard_table(board, of_trials, trials_alone=True)]
    return {
        "summary/1 verdict": "\n".join(_verdict(board, spec, records)),
        "summary/2 leaderboard": "\n".join(tables),
        "summary/3 repeat": "\n".join(_repeat(spec)),
    }


def _verdict(board: Leaderboard, spec: SweepSpec, records: Sequence[TrialRecord]) -> Iterator[str]:
    verdict = verdict_of(board)
    yield from (f"# {verdict.lead}", "", verdict.text)
    if verdict.further:
        yield from ("", *(f"- {sentence}" for sentence in verdict.further))
    yield from ("", progress_of(board, spec.trials))
    advised = advise(board, records, spec.search_space())
    if advised:
        yield from ("", "## What to try next", "")
        yield from (f"- {line.text} `foretune sweep … {line.options}`" for line in advised)


def _repeat(spec: SweepSpec) -> Iterator[str]:
    found = repeat_commands(spec)
    if found.space is not None:
        yield from (f"With this in `{SPACE_FILE}`:", "", *_code(found.space), "")
    yield from _code("\n".join(found.commands))
    if found.learned_from:
        names = ", ".join(f"`{name}`" for name in found.learned_from)
        yield from ("", f"Its searcher also learned from {names}; add `--start-from` with these names.")
    versions = ", ".join(f"{name} {version}" for name, version in sorted(spec.versions.items()))
    content = f"Series with content hash `{spec.data.content_hash}`" if spec.data.content_hash else "Series"
    yield from ("", f"{content}; sweep of {spec.created or 'unknown date'}; {versions or 'versions unknown'}.")


def _code(text: str) -> Iterator[str]:
    """Indented, because a fence inside the text cannot end it."""
    yield from (f"    {line}" for line in text.rstrip("\n").splitlines())
