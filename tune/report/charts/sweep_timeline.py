"""The time line of a sweep: which trials ran when, and what came before and after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainables.timeline import Activity
from tune.format import short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.timeline import Span
from tune.records.trial_record import TrialRecord
from tune.report.charts.plot_style import GREY, INK, MUTED, WIDE, Layout, Margins, draw_key, make_panels
from tune.report.charts.strategies import assign_styles, strategy_of, style_handles, style_of

_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_LEAST_OF_UNIT = 2.0  # so many of a unit, before it is used
_OWN = (Activity.RAY_START, Activity.CONCLUSION)  # of the sweep's activities, those that are drawn


@dataclass(frozen=True)
class Bar:
    """A stretch of a session: of a trial, or of the sweep where trial_id is empty. start, end: seconds of search, the
    time between sessions left out."""

    trial_id: str
    lane: int
    start: float
    end: float


@dataclass(frozen=True)
class Lanes:
    """bars: trials side by side are in lanes of their own. resumed: where sessions after the first begin."""

    bars: tuple[Bar, ...]
    resumed: tuple[float, ...]

    @classmethod
    def of(cls, spans: Sequence[Span]) -> Lanes:
        """Lay out the sessions one after another."""
        bars: list[Bar] = []
        resumed: list[float] = []
        before = 0.0
        sessions = [span for span in spans if span.what == Activity.SESSION and span.end > span.start]
        for session in sessions:
            inside = [
                s for s in spans if s.what != Activity.SESSION and s.start < session.end and s.end > session.start
            ]
            bars += _bars(inside, shift=before - session.start)
            if before:
                resumed.append(before)
            before += session.end - session.start
        return cls(tuple(bars), tuple(resumed))

    @property
    def end(self) -> float:
        return max((bar.end for bar in self.bars), default=0.0)


def _bars(spans: Sequence[Span], *, shift: float) -> list[Bar]:
    """Put what a session did into lanes: the sweep's own in the first, and each trial in the first that is free."""
    own = [Bar("", 0, s.start + shift, s.end + shift) for s in spans if not s.trial_id and s.what in _OWN]
    ends: dict[str, tuple[float, float]] = {}
    for span in spans:
        if span.trial_id:
            start, end = ends.get(span.trial_id, (span.start, span.end))
            ends[span.trial_id] = min(start, span.start), max(end, span.end)
    free: list[float] = []  # when each lane is free again
    for trial_id, (start, end) in sorted(ends.items(), key=lambda item: item[1]):
        lane = next((lane for lane, at in enumerate(free) if at <= start), len(free))
        free[lane : lane + 1] = [end]
        own.append(Bar(trial_id, lane + 1, start + shift, end + shift))
    return own


def sweep_timeline(
    lanes: Lanes, records: Sequence[TrialRecord], leaderboard: Leaderboard, layout: Layout = WIDE
) -> Figure:
    """Draw a bar a trial over the time of the search, in the colour of its strategy; only where there are bars.

    A bar carries its trial's id (as an SVG group); a stopped trial's is pale, the best one's has a border.
    """
    rows = max(bar.lane for bar in lanes.bars) + 1
    margins = Margins(left=0.3 if layout.is_narrow else 0.8, top=1.0 if layout.is_narrow else 0.45, bottom=0.6)
    height = (0.34 * max(rows, 2) + margins.top + margins.bottom) * layout.scale
    figure, (ax,) = make_panels(layout, height, margins=margins)
    hyper: Mapping[str, Mapping[str, object]] = {record.trial_id: record.hyper for record in records}
    status = {trial.trial_id: trial.status for trial in leaderboard.trials}
    best = None if leaderboard.best is None else leaderboard.best.run.trial_id
    styles = assign_styles(s for s in leaderboard.standings if s.rank is not None)
    for bar in lanes.bars:
        _draw_bar(ax, bar, _colour(bar, hyper), status.get(bar.trial_id), is_best=bar.trial_id == best)
    for time in lanes.resumed:
        ax.axvline(time, color=INK, lw=1.2, ls=":", zorder=5)
    _label(ax, lanes, rows, layout)
    handles = [*style_handles(styles), Patch(color=GREY, lw=0, label="start of Ray, conclusion")]
    handles = [Patch(color=h.get_color(), lw=0, label=h.get_label()) if isinstance(h, Line2D) else h for h in handles]
    if any(status.get(bar.trial_id) == "stopped" for bar in lanes.bars):
        handles.append(Patch(color=GREY, alpha=0.35, lw=0, label="pale: stopped early"))
    if lanes.resumed:
        handles.append(Line2D([], [], color=INK, lw=1.2, ls=":", label="resumed"))
    draw_key(ax, handles, layout)
    return figure


def _colour(bar: Bar, hyper: Mapping[str, Mapping[str, object]]) -> str:
    return style_of(strategy_of(hyper.get(bar.trial_id, {})))[0] if bar.trial_id else GREY


def _draw_bar(ax: Axes, bar: Bar, colour: str, status: str | None, *, is_best: bool) -> None:
    alpha = 1.0 if is_best else 0.4 if status == "stopped" else 0.8
    drawn = ax.barh(
        bar.lane,
        bar.end - bar.start,
        left=bar.start,
        height=0.72,
        color=colour,
        alpha=alpha,
        ec=INK if is_best else "none",
        lw=1.6 if is_best else 0,
        zorder=4 if is_best else 3,
    )[0]
    if bar.trial_id:
        drawn.set_gid(f"{bar.trial_id}.{bar.start:.3f}")


def _label(ax: Axes, lanes: Lanes, rows: int, layout: Layout) -> None:
    seconds, unit = next((u for u in _UNITS if lanes.end >= _LEAST_OF_UNIT * u[0]), _UNITS[-1])
    ax.set(xlim=(0, lanes.end or 1.0), ylim=(rows - 0.5, -0.5), yticks=[])
    steps = MaxNLocator(nbins=5 if layout.is_narrow else 12, steps=[1, 2, 5, 10])
    ticks = [t for t in steps.tick_values(0, lanes.end / seconds) if 0 <= t * seconds <= lanes.end]
    ax.set_xticks([t * seconds for t in ticks])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(round(value / seconds, 3))))
    ax.set_xlabel(f"{unit} of the sweep's sessions")
    if not layout.is_narrow and rows > 2:
        ax.set_ylabel("trials side by side", color=MUTED)
