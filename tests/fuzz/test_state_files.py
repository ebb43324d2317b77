"""Every file of a sweep's folder with content that it should not have, under the commands that read it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.cases import cases
from tests.fuzz.commands import run
from tests.fuzz.hostile import cells, damaged_bytes, damaged_json, damaged_lines, deep
from tests.paths import TOYS
from tests.tune.cli.command_line import strict_json

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]  # each case has a limit of its own

TRUST = ("--trust", f"{TOYS / 'toy_model.py'}:Toy")
COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status", "--storage", "{}"),
    "timeline": ("status", "whole", "--timeline", "--storage", "{}"),
    "leaderboard": ("leaderboard", "whole", "--storage", "{}"),
    "json": ("leaderboard", "whole", "--format", "json", "--storage", "{}"),
    "csv": ("leaderboard", "whole", "--format", "csv", "--storage", "{}"),
    "report": ("report", "whole", "--storage", "{}"),
    "export": ("export", "whole", "--to", "{}/out", "--force", "--storage", "{}"),
    "compare": ("compare", "whole", "again", "--storage", "{}"),
    "tensorboard": ("tensorboard", "whole", "--storage", "{}"),
    "predict": ("predict", "{}/whole/best", *TRUST),
    "evaluate": ("evaluate", "{}/whole/best", *TRUST),
}
SLOW: dict[str, tuple[str, ...]] = {  # seconds each, so drawn once in a while
    "resume": ("resume", "whole", "--storage", "{}"),
    "finish": ("finish", "whole", "--storage", "{}"),
    "repeat": ("repeat", "whole", "--storage", "{}"),
}


@pytest.fixture(scope="module")
def place(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command has been run once."""
    place = tmp_path_factory.mktemp("place")
    for command in (*COMMANDS, *SLOW):
        fresh(finished, place)
        execute(command, place, limited=False)
    return place


def fresh(finished: Path, place: Path) -> Path:
    """Return a whole copy of the sweep, beside another one."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(finished, place / "whole")
    shutil.copytree(finished, place / "again")
    return place / "whole"


def execute(command: str, place: Path, *, limited: bool = True) -> None:
    line = [part.replace("{}", str(place)) for part in {**COMMANDS, **SLOW}[command]]
    statuses = (0, 2, 130) if command == "tensorboard" else (0, 2)
    ended = run(*line, cwd=place, statuses=statuses, limited=limited)
    if command == "json" and ended.status == 0:
        strict_json(ended.out)


def readable(finished: Path) -> list[str]:
    """Every file that some command reads."""
    names = [path.relative_to(finished) for path in sorted(finished.rglob("*")) if path.is_file()]
    kept = [n for n in names if not n.name.endswith(".lock") and n.name != "report.html" and "tfevents" not in n.name]
    assert len(kept) > 15, kept
    return [str(name) for name in kept]


@st.composite
def damaged(draw: st.DrawFn, name: str, raw: bytes) -> bytes:
    """Draw other content for a file: its bytes, its lines or its values are not what they were."""
    nested = deep(draw(st.sampled_from(("list", "object"))), draw(st.sampled_from((50, 5000, 200_000))))
    kinds = ["bytes", "nested"]
    if name.endswith((".json", ".csv", ".txt", ".jsonl", ".py")):
        kinds += ["lines", "values", "values", "values"]
    match draw(st.sampled_from(kinds)):
        case "bytes":
            return draw(damaged_bytes(raw))
        case "nested":
            return nested.encode()
        case "lines":
            return draw(damaged_lines(raw.decode("utf-8", "replace"))).encode("utf-8", "surrogatepass")
    if name.endswith(".csv"):
        rows = [line.split(",") for line in raw.decode().splitlines()] or [[""]]
        for _ in range(draw(st.integers(1, 4))):
            row = draw(st.sampled_from(rows))
            row[draw(st.integers(0, len(row) - 1))] = draw(cells())
        return "\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass")
    documents = list(_documents(raw.decode()))
    if not documents:
        return draw(damaged_bytes(raw))
    at = draw(st.integers(0, len(documents) - 1))
    documents[at] = draw(damaged_json(documents[at]))
    return "\n".join(map(json.dumps, documents)).encode("utf-8", "surrogatepass")


def _documents(text: str) -> Iterator[Any]:
    """Give what a file of JSON holds: one document, or one a line."""
    try:
        yield json.loads(text)
    except ValueError:
        for line in text.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                return


@cases(60)
@given(data=st.data())
def test_no_content_of_a_file_is_more_than_one_message(finished: Path, place: Path, data: st.DataObject) -> None:
    folder = fresh(finished, place)
    name = data.draw(st.sampled_from(readable(finished)), label="file")
    (folder / name).write_bytes(data.draw(damaged(name, (finished / name).read_bytes()), label="content"))
    often, seldom = st.sampled_from(sorted(COMMANDS)), st.sampled_from(sorted(SLOW))
    commands = st.lists(often, min_size=1, max_size=3, unique=True)
    for command in data.draw(st.one_of(*[commands] * 9, seldom.map(lambda slow: [slow])), label="commands"):
        execute(command, place)
