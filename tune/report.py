"""Owns the page that a person opens in the morning: what the night found, in one file that needs nothing else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from data.files import replace_text
from tune.journal import Journal, TrialRecord
from tune.leaderboard import METRICS, Leaderboard, Standing
from tune.plots import (
    COLOURS,
    METRIC_NAMES,
    NOTHING,
    hyperparameter_effects,
    number_text,
    score_text,
    svg_markup,
    validation_curves,
    varying,
)

if TYPE_CHECKING:  # the spec knows the task, and with it torch: a page needs neither to be made
    from tune.spec import SweepSpec

REPORT_FILE = "report.html"
TEMPLATE = "report.html.j2"
BEST_FOLDER = "best"

# The table's own columns; a further hyperparameter gets one of its own where trials differ in it.
TABLED = ("strategy", "lr", "epochs", "warmup_steps", "warmup_fraction", "weight_decay", "batch_size")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def write_report(folder: Path, leaderboard: Leaderboard, spec: SweepSpec) -> Path:
    """Write <folder>/report.html in one step, of a finished or a running sweep; returns its path."""
    best_folder = folder.absolute() / BEST_FOLDER
    page = _template().render(
        board=leaderboard,
        spec=spec,
        best_folder=best_folder if best_folder.is_dir() else None,
        metrics=METRICS,
        metric_names=METRIC_NAMES,
        colours=COLOURS,
        verdict=verdict_of(leaderboard),
        progress=progress_of(leaderboard, spec.trials),
        lines=table_lines(leaderboard),
        extra=[name for name in varying(leaderboard.standings) if name not in TABLED],
        effects=_effects(leaderboard),
        test=_test_table(leaderboard.test),
        facts=facts_of(spec),
        domains=domains_of(spec.space),
        **_of_records(Journal(folder).read(), leaderboard),
    )
    path = folder / REPORT_FILE
    replace_text(path, page)
    return path


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number_text, score=score_text, gain=gain_text, duration=duration_text, size=size_text, warmup=warmup_text
    )
    return environment.get_template(TEMPLATE)


def _of_records(records: list[TrialRecord], board: Leaderboard) -> dict[str, Any]:
    """Give what only the reports themselves tell: the curves, the errors, and how many starting points there are."""
    curves = _curves(records, board)
    return {
        "curves": curves,
        "drawn": {s.trial_id for s in board.standings if f'<g id="curve-{s.trial_id}">' in curves},
        "errors": _errors(records),
        "starts": len({tuple(r.zero_shot.get(m) for m in METRICS) for r in records if r.zero_shot}),
    }


# --- the words


@dataclass(frozen=True)
class Verdict:
    """kind: better, keep or open; lead is the answer in two or three words, text its numbers.

    gain: of the best trial over zero-shot (the strongest, where trials start from several models).
    """

    kind: str
    lead: str
    text: str
    gain: float | None = None


def verdict_of(board: Leaderboard) -> Verdict:
    """Say in one sentence what the sweep found, or has found so far."""
    metric, best = board.metric, board.best
    start = board.zero_shot[metric]
    if best is None:
        return _no_verdict(board)
    value = float(getattr(best, metric))
    came_to = f"{score_text(value)} at epoch {number_text(best.best_epoch)}"
    if start is None:
        text = f"{best.trial_id} reached {metric} {came_to}, but there is no zero-shot {metric} to hold it against."
        return Verdict("open", "Undecided", text)
    so_far = " so far" if _is_running(board) else ""
    if board.beats_zero_shot:
        text = f"{best.trial_id} reached {metric} {came_to}, {_distance(start, value)} better than zero-shot"
        return Verdict("better", f"Beats zero-shot{so_far}", f"{text} at {score_text(start)}.", start - value)
    text = f"nothing beat its {metric} of {score_text(start)}; the best trial, {best.trial_id}, came to {came_to}"
    return Verdict("keep", f"Keep zero-shot{so_far}", f"{text}, {_worse(start, value)}.", start - value)


def _no_verdict(board: Leaderboard) -> Verdict:
    start = board.zero_shot[board.metric]
    stands = (
        f"zero-shot stands at {board.metric} {score_text(start)}"
        if start is not None
        else f"zero-shot's {board.metric} is not known"
    )
    failed = sum(s.status == "failed" for s in board.standings)
    if failed and failed == len(board.standings):
        return Verdict("open", "No result", f"{_count(failed, 'trial')} failed and none was validated; {stands}.")
    return Verdict("open", "Undecided", f"no trial has been validated after an epoch of training; {stands}.")


def _is_running(board: Leaderboard) -> bool:
    return any(s.status == "running" for s in board.standings)


def progress_of(board: Leaderboard, planned: int) -> str:
    """Say how many trials there are and how they ended, and how long they trained."""
    if not board.standings:
        return f"No trial is on record; {_count(planned, 'trial')} planned."
    words = Counter(_ending(s) for s in board.standings)
    ended = ", ".join(f"{count} {word}" for word, count in words.most_common())
    seconds = duration_text(sum(s.seconds for s in board.standings))
    lead = "The sweep is still running: " if _is_running(board) else ""
    return f"{lead}{len(board.standings)} of {_count(planned, 'trial')} planned: {ended}. Trained for {seconds} in all."


def _ending(standing: Standing) -> str:
    if standing.status == "stopped" and standing.stopped_by:
        return f"stopped by {standing.stopped_by}" if standing.stopped_by != "diverged" else "diverged"
    return standing.status


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _distance(start: float, value: float) -> str:
    """A percentage has a meaning only where both are above zero: a likelihood may not be."""
    share = f" ({abs(start - value) / start * 100:.1f} %)" if start > 0 and value > 0 else ""
    return f"{_difference_text(abs(start - value))}{share}"


def _worse(start: float, value: float) -> str:
    return "no better and no worse" if value == start else f"{_distance(start, value)} worse"


def _difference_text(size: float) -> str:
    return f"{size:.4f}" if 1e-3 <= size < 1e4 else number_text(float(size), 2)


def gain_text(gain: float | None) -> str:
    """Write a gain over zero-shot with its sign."""
    if not gain or not math.isfinite(gain):
        return number_text(gain)
    return f"{'+' if gain > 0 else '-'}{_difference_text(abs(gain))}"


def duration_text(seconds: float) -> str:
    """Write seconds as a person says them: 4.2 s, 3 min 5 s, 1 h 23 min, 2 d 3 h."""
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, below, smaller in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // below} {smaller}"
    return f"{whole} s"


def size_text(size_bytes: int) -> str:
    """Write bytes in MB or GB of a thousand; a dash for none."""
    if size_bytes <= 0:
        return NOTHING
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def warmup_text(hyper: Mapping[str, Any]) -> str:
    """Write a warm-up in steps, or as the share of all steps that it was given as."""
    fraction = hyper.get("warmup_fraction")
    return f"{number_text(fraction * 100)} %" if fraction is not None else number_text(hyper.get("warmup_steps"))


# --- the pictures


def _curves(records: list[TrialRecord], board: Leaderboard) -> Markup:
    alt = f"Line chart of {board.metric} over epochs, a line a trial. {verdict_of(board).text}"
    return svg_markup(validation_curves(records, board), name="curve", alt=alt, titles=_titles(board))


def _effects(board: Leaderboard) -> Markup | None:
    figure = hyperparameter_effects(board)
    if figure is None:
        return None
    names = ", ".join(varying(s for s in board.standings if s.rank is not None))
    alt = f"Scatter plots of each trial's best {board.metric} against {names}. The leaderboard has the numbers."
    return svg_markup(figure, name="effect", alt=alt, titles=_titles(board))


def _titles(board: Leaderboard) -> dict[str, str]:
    return {s.trial_id: _title(s, board.metric) for s in board.standings}


def _title(standing: Standing, metric: str) -> str:
    hyper = standing.config
    parts = [standing.trial_id, str(hyper.get("strategy") or ""), f"lr {number_text(hyper.get('lr'))}"]
    parts.append(f"best {metric} {score_text(getattr(standing, metric))}")
    return ", ".join([part for part in parts if part] + [_ending(standing)])


# --- the tables


@dataclass(frozen=True)
class Line:
    """A line of the leaderboard; standing is None for zero-shot."""

    name: str
    scores: Mapping[str, float | None]
    standing: Standing | None = None


def table_lines(board: Leaderboard) -> list[Line]:
    """Give the trials in order, zero-shot before the first that does not beat it."""
    lines = [Line(s.trial_id, {m: getattr(s, m) for m in METRICS}, s) for s in board.standings]
    start = board.zero_shot[board.metric]
    if start is None:
        return lines
    scores = [line.scores[board.metric] for line in lines]
    better = sum(score is not None and score < start for score in scores)
    return [*lines[:better], Line("zero-shot", board.zero_shot), *lines[better:]]


def _errors(records: Iterable[TrialRecord]) -> dict[str, list[str]]:
    """Group the failed trials by what they failed of."""
    groups: dict[str, list[str]] = {}
    for record in records:
        if record.error is not None:
            groups.setdefault(record.error.strip() or "no message", []).append(record.trial_id)
    return groups


def _test_table(test: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], dict[str, list[float | None]]]:
    """Give the numeric columns of the test scores, and each model's values in them."""
    columns = list(dict.fromkeys(k for scores in test.values() for k, v in scores.items() if _is_number(v)))
    values = {name: [v if _is_number(v := scores.get(c)) else None for c in columns] for name, scores in test.items()}
    return columns, {name: numbers for name, numbers in values.items() if any(n is not None for n in numbers)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- the facts

Facts = list[tuple[str, str]]


def facts_of(spec: SweepSpec) -> dict[str, Facts]:
    """Give what defines the sweep, by heading."""
    data, task = spec.data, spec.task
    budget = duration_text(spec.time_budget_seconds) if spec.time_budget_seconds else "no limit"
    stopping = f"{spec.scheduler}, {_count(spec.grace_period, 'epoch')} of grace"
    if spec.scheduler == "asha":
        stopping += f", reduction factor {number_text(spec.reduction_factor)}"
    return {
        "Data": [
            ("name", Path(data.path).name),
            ("path", data.path),
            ("format", data.format or "recognised"),
            ("columns", ", ".join(data.columns) if data.columns else "all numeric"),
            ("hash", data.content_hash or NOTHING),
        ],
        "Task": [
            ("split", task.split),
            ("context length", f"{task.context_length} rows"),
            ("prediction length", f"{task.prediction_length} rows"),
            ("train stride", number_text(task.train_stride)),
            ("evaluation stride", number_text(task.eval_stride)),
            ("scale", task.scale),
        ],
        "Search": [
            ("model", spec.trainable),
            ("space", str(spec.space.get("name", NOTHING))),
            ("metric", f"{spec.metric}, lower is better"),
            ("trials", number_text(spec.trials)),
            ("time budget", budget),
            ("searcher", spec.searcher),
            ("scheduler", "none" if spec.scheduler == "none" else stopping),
            ("trials at once", number_text(spec.max_concurrent) if spec.max_concurrent else "auto"),
            ("seed", number_text(spec.seed)),
        ],
        "Made": [("created", spec.created or NOTHING), *sorted(spec.versions.items())],
    }


def domains_of(space: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """List a space's parameters: name, on which condition, and its domain or fixed value.

    space: as `SearchSpace.to_dict` gives it.
    """
    found = [*_domains(space, "")]
    for decider, branches in space.get("conditional", {}).items():
        for value, branch in branches.items():
            found += _domains(branch, f"{decider} = {value}")
    return found


def _domains(branch: Mapping[str, Any], condition: str) -> list[tuple[str, str, str]]:
    searched = [(name, condition, _domain_text(domain)) for name, domain in branch.get("search", {}).items()]
    return searched + [(name, condition, number_text(value)) for name, value in branch.get("fixed", {}).items()]


def _domain_text(domain: Mapping[str, Sequence[Any]]) -> str:
    """Write {'log': [5e-7, 1e-4]} as 'log, 5e-7 to 1e-4'."""
    kind, arguments = next(iter(domain.items()))
    if kind == "choice":
        return f"one of {', '.join(map(number_text, arguments))}"
    low, high, *step = map(number_text, arguments)
    return f"{kind}, {low} to {high}" + (f" in steps of {step[0]}" if step else "")
