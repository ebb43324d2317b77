"""The tutorial, typed from its first command to its last in an empty folder, and the page of Python after it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tune
from tests.docs.pages import DOCS, READMES, arguments_of, blocks_of, is_quoted_right, name_of, session_of
from tests.tune.service import foretune
from tune.api.search import _flags
from tune.cli.main import app

pytestmark = pytest.mark.sweeps
Printed = dict[tuple[str, ...], str]


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Printed]:
    """The folder in which all was typed, and what each command of foretune printed; without a GPU, as on the page."""
    cwd = tmp_path_factory.mktemp("meters")
    printed: Printed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setenv("HF_HUB_OFFLINE", "1")
        for block in blocks_of(DOCS / "tutorial.md"):
            if block.language == "python":
                (cwd / block.title).write_text(block.text, encoding="utf-8")
            elif block.language == "console":
                for words, quoted in session_of(block):
                    printed[tuple(words)] = type_in(words, quoted, cwd)
            elif block.language in ("yaml", "text"):
                assert is_quoted_right(block.text, (cwd / block.title).read_text(encoding="utf-8")), block
    return cwd, printed


def type_in(words: list[str], quoted: str, cwd: Path) -> str:
    """Run a command, and hold what the page quotes against what it prints."""
    started = time.monotonic()
    arguments = arguments_of(words)
    if arguments is None:
        assert words[0] == "python", words
        done = subprocess.run([sys.executable, *words[1:]], cwd=cwd, capture_output=True, text=True, check=False)
    else:
        done = foretune(*arguments, cwd=cwd)
    print(f"{time.monotonic() - started:5.1f} s  {' '.join(words)}")
    assert done.returncode == 0, (words, done.stdout + done.stderr)
    assert is_quoted_right(quoted, done.stdout), (words, quoted, done.stdout)
    return str(done.stdout)


def test_the_tutorial_is_right(tutorial: tuple[Path, Printed]) -> None:
    cwd, printed = tutorial
    assert len(printed) >= 10
    assert {"ray_results", "meters-model", "forecasts.png", "forecasts.csv"} <= {path.name for path in cwd.iterdir()}


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_what_a_readme_quotes_is_of_the_tutorial(tutorial: tuple[Path, Printed], page: Path) -> None:
    _, printed = tutorial
    steps = [step for block in blocks_of(page) if block.language == "console" for step in session_of(block)]
    assert steps
    for words, quoted in steps:
        assert is_quoted_right(quoted, printed[tuple(words)]), words


def test_the_page_of_python_runs(tutorial: tuple[Path, Printed], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its search is that of the tutorial, which is not run again; the options that it takes are parsed."""
    cwd, _ = tutorial
    search = tune.search

    def found(frame: Any, *, space: str, settings: Any = None, name: str = "", **options: Any) -> Any:
        if space != "quickstart":
            return search(frame, space=space, **options)
        assert isinstance(frame, pd.DataFrame)
        sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        app.get_command(None, "sweep").make_context("sweep", [space, "--name", name, *sets, *_flags(options)])
        return tune.Sweep(name)

    monkeypatch.chdir(cwd)
    monkeypatch.setattr(tune, "search", found, raising=False)
    names: dict[str, Any] = {}
    blocks = [b for b in blocks_of(DOCS / "how-to" / "python.md") if b.language == "python"]
    for block in blocks:
        exec(compile(block.text, f"python.md:{block.line}", "exec"), names)
    assert names["board"].index[0] == names["best"].index[0] == "t0002"
    assert set(names["past"]["series"]) == {"meter_09", "meter_12"}
    assert len(names["forecast"]) == 20 * 48
