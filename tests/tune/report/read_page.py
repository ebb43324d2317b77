"""A page of a sweep, read back: its elements, the text of each section, and its tables."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.tune.report.written_sweep import make_spec, read_board
from tune.records.sweep_folder import SweepFolder
from tune.report.page import write_report


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
        self._skipping = tag in ("style", "script") or values.get("class") == "narrow-only"  # the same as "wide-only"
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
    path = write_report(SweepFolder(folder), board, make_spec(metric=metric, **spec))
    return Page(path.read_text(encoding="utf-8"))
