"""The page to look at in the morning: what the night found, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from data.files import replace_text
from search_spaces.domain import Domain
from search_spaces.space import SearchSpace
from trainables.trial.report import DATA_MEASURES, METRICS
from tune.format import (
    NOTHING,
    count_text,
    difference_text,
    gain_text,
    long_duration,
    measured_memory,
    score_text,
    short_number,
    warmup_text,
)
from tune.leaderboard.leaderboard import SCALED_ERRORS, Leaderboard
from tune.leaderboard.ranking import Line, leaderboard_lines
from tune.leaderboard.standing import HYPERPARAMETERS, varying
from tune.records.scores_on_test import name_on_test, rows_on_test
from tune.records.spec import SweepSpec, Units
from tune.records.sweep_folder import SweepFolder
from tune.records.timeline import Span, time_spent
from tune.records.trial_record import TrialRecord
from tune.report.brushing import brushing_data, brushing_script, content_hash
from tune.report.charts.importances import Importances
from tune.report.charts.learning_curves import METRIC_NAMES
from tune.report.charts.plot_style import COLOURS
from tune.report.pictures import Shown, trials_drawn
from tune.report.repeat_command import SPACE_FILE, repeat_commands
from tune.report.sentences import progress_of, verdict_of
from tune.verdict.advice import advise

TEMPLATE = "page.html.j2"
REFRESH_SECONDS = 15  # of the page of a sweep that runs
SHORTEST = 0.5  # seconds of an activity that is listed

# The table's own columns; a further hyperparameter gets one of its own where trials differ in it.
TABLED = ("strategy", *HYPERPARAMETERS)


@dataclass(frozen=True)
class Life:
    """Where a sweep is in its life. is_running: its page is written again and again. note: why it stopped before its
    end, and how to go on; empty where it did not. written: when the page was, where that matters."""

    is_running: bool = False
    note: str = ""
    written: str = ""


ENDED = Life()


def write_report(
    folder: SweepFolder,
    leaderboard: Leaderboard,
    spec: SweepSpec,
    *,
    life: Life = ENDED,
    importances: Importances | None = None,
) -> Path:
    """Write report.html in one step, of a finished or a running sweep; returns its path.

    importances: of the hyperparameters; nothing is said of them where they were not measured.
    """
    best_folder, space = folder.best.absolute(), spec.search_space()
    shown = Shown.of(folder, leaderboard, importances)
    pictures = {name: picture.markup() for name, picture in shown.pictures().items()}
    script, on_test = brushing_script(), rows_on_test(leaderboard.test)
    page = _template().render(
        life=life,
        refresh_seconds=REFRESH_SECONDS,
        script=script,
        script_hash=content_hash(script),
        brushing=brushing_data(leaderboard) if "parallel" in pictures else None,
        pictures=pictures,
        importances=shown.importances,
        repetition=repeat_commands(spec),
        space_file=SPACE_FILE,
        board=leaderboard,
        spec=spec,
        best_folder=best_folder if best_folder.is_dir() else None,
        metrics=leaderboard.score_names,
        metric_names=METRIC_NAMES,
        colours=COLOURS,
        verdict=verdict_of(leaderboard),
        progress=progress_of(leaderboard, spec.trials, is_running=life.is_running),
        lines=table_lines(leaderboard),
        extra=[name for name in varying(leaderboard.standings) if name not in TABLED],
        has_strategy=any("strategy" in s.hyper for s in leaderboard.standings),
        time_spent=_time_spent(shown.timeline),
        test=_test_table(on_test, leaderboard.units),
        worse_on_test=_worse_on_test(on_test, leaderboard.initial_name),
        facts=facts_of(spec),
        space=space,
        domains=domains_of(space),
        top_set=leaderboard.decided.confidence_set if leaderboard.decided else (),
        skill=leaderboard.decided.skill if leaderboard.decided else {},
        advice=advise(leaderboard, shown.records, space),
        drawn=trials_drawn(pictures["curve"]),
        errors=_errors(shown.records),
        initial_models=len({tuple(r.initial.scores[m] for m in METRICS) for r in shown.records if r.initial}),
    )
    replace_text(folder.report, page)
    return folder.report


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=short_number,
        score=score_text,
        gain=gain_text,
        distance=difference_text,
        duration=long_duration,
        size=measured_memory,
        warmup=warmup_text,
    )
    return environment.get_template(TEMPLATE)


def _time_spent(timeline: Sequence[Span]) -> list[tuple[str, str, float]]:
    """Give what the sweep's time went to: the activity, how long, and its share of the clock."""
    found = time_spent(timeline)
    rows = [(name, seconds) for name, seconds in found.seconds.items() if seconds >= SHORTEST]
    return [(name, long_duration(seconds), seconds / found.wall) for name, seconds in rows]


# --- the tables


def table_lines(board: Leaderboard) -> list[Line]:
    """Give the leaderboard's lines, the initial model's only where it was measured."""
    return [x for x in leaderboard_lines(board) if not x.is_initial or x.scores[board.metric] is not None]


def _errors(records: Iterable[TrialRecord]) -> dict[str, list[str]]:
    """Group the failed trials by what they failed of."""
    groups: dict[str, list[str]] = {}
    for record in records:
        if record.error is not None:
            groups.setdefault(record.error.strip() or "no message", []).append(record.trial_id)
    return groups


def _test_table(
    test: Mapping[str, Mapping[str, float | None]], units: Units
) -> tuple[list[str], dict[str, list[float | None]]]:
    """Give the columns of the test scores, and each model's values in them; errors in these units."""
    hidden = {name_on_test(name) for name in (DATA_MEASURES if units == "scaled" else SCALED_ERRORS)}
    known = dict.fromkeys(name for row in test.values() for name, value in row.items() if value is not None)
    columns = [name for name in known if name not in hidden]
    values = {name: [row.get(column) for column in columns] for name, row in test.items()}
    return columns, {name: numbers for name, numbers in values.items() if any(n is not None for n in numbers)}


def _worse_on_test(test: Mapping[str, Mapping[str, float | None]], initial: str) -> set[tuple[str, str]]:
    """Give the models and columns of errors in which a model is worse than the initial one."""
    start = test.get(initial, {})
    smaller_is_better = {name_on_test(metric) for metric in METRICS}
    return {
        (name, column)
        for name, row in test.items()
        for column, value in row.items()
        if column in smaller_is_better
        and value is not None
        and (before := start.get(column)) is not None
        and value > before
    }


# --- the facts

Facts = list[tuple[str, str]]


def facts_of(spec: SweepSpec) -> dict[str, Facts]:
    """Give what defines the sweep, by heading."""
    data, task = spec.data, spec.task
    budget = long_duration(spec.time_budget_seconds) if spec.time_budget_seconds else "no limit"
    stopping = f"{spec.scheduler}, {count_text(spec.grace_period, 'epoch')} of grace"
    if spec.scheduler == "asha":
        stopping += f", reduction factor {short_number(spec.reduction_factor)}"
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
            ("train stride", short_number(task.train_stride)),
            ("evaluation stride", short_number(task.eval_stride)),
            ("scale", task.scale),
        ],
        "Search": [
            ("model", spec.trainable),
            ("space", str(spec.space.get("name", NOTHING))),
            ("metric", f"{spec.metric}, lower is better"),
            ("trials", short_number(spec.trials)),
            *([("repeats", f"{spec.repeats} of each of the best {spec.repeated}")] if spec.repeats else []),
            ("time budget", budget),
            ("searcher", spec.searcher),
            ("scheduler", "none" if spec.scheduler == "none" else stopping),
            ("trials at once", short_number(spec.max_concurrent or max(1, spec.gpus or 1))),
            ("seed", short_number(spec.seed)),
        ],
        "Made": [("created", spec.created or NOTHING), *sorted(spec.versions.items())],
    }


def domains_of(space: SearchSpace) -> list[tuple[str, str, str]]:
    """List a space's parameters: name, on which condition, and its domain or fixed value."""
    found = _domains(space.search, space.fixed, "")
    for decider, branches in space.conditional.items():
        for value, branch in branches.items():
            found += _domains(branch.search, branch.fixed, f"{decider} = {value}")
    return found


def _domains(search: Mapping[str, Domain], fixed: Mapping[str, object], condition: str) -> list[tuple[str, str, str]]:
    searched = [(name, condition, _domain_text(domain)) for name, domain in search.items()]
    return searched + [(name, condition, short_number(value)) for name, value in fixed.items()]


def _domain_text(domain: Domain) -> str:
    """log, 5e-7 to 1e-4; one of full, head_only."""
    if domain.kind == "choice":
        return f"one of {', '.join(map(short_number, domain.arguments()))}"
    low, high, *step = map(short_number, domain.arguments())
    return f"{domain.kind}, {low} to {high}" + (f" in steps of {step[0]}" if step else "")
