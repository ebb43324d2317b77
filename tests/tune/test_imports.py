"""The specification of what is imported when: every room in an interpreter of its own, and what commands load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

HEAVY = (
    *("torch", "numpy", "pandas", "scipy", "pyarrow", "arch", "matplotlib"),
    *("ray", "optuna", "transformers", "uni2ts", "tensorboard"),
)
SPACES = ("moirai/quickstart", "moirai_distill/moirai-distill", "time_moe/time-moe-50m", "time_llm/time-llm")
IMPORT = """
import importlib, json, sys
for name in {modules!r}:
    importlib.import_module(name)
print(json.dumps(sorted(set({heavy!r}) & set(sys.modules))))
"""
RUN = """
import json, sys
from tune.cli.main import main
sys.argv = ["foretune", *{arguments!r}]
try:
    main()
except SystemExit as ended:
    assert (ended.code or 0) == {code!r}, ended.code
print(json.dumps(sorted(set({heavy!r}) & set(sys.modules))))
"""


def modules_in(*folders: str) -> list[str]:
    """Names of all modules of these folders of the project, `__main__` apart."""
    found: list[str] = []
    for folder in folders:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            if parts[-1] != "__main__":
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def loaded(script: str, cwd: Path = REPOSITORY) -> set[str]:
    """Run a script in a fresh interpreter; of the heavy packages, those that it had imported at its end."""
    ended = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout.splitlines()[-1]))


def rooms() -> Iterator[tuple[str, set[str]]]:
    """Each room, and what importing all of it must not bring."""
    yield "search_spaces", {"torch", "ray", "optuna", "pandas"}
    yield "tune/cli", {"torch", "ray", "optuna"}
    yield "tune/records", {"torch", "ray", "optuna"}
    yield "tune/leaderboard", {"torch", "ray", "optuna"}
    for room in ("tune/planning", "tune/report", "tune/forecasts", "tune/export", "tune/serving", "trainables", "data"):
        yield room, {"ray", "optuna"}


@pytest.mark.parametrize(("room", "unwanted"), list(rooms()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_room_imports_no_more_than_it_may(room: str, unwanted: set[str]) -> None:
    modules = modules_in(room)
    assert modules
    assert not loaded(IMPORT.format(modules=modules, heavy=HEAVY)) & unwanted


def test_the_ray_room_is_the_one_that_imports_ray_and_optuna() -> None:
    assert {"ray", "optuna"} <= loaded(IMPORT.format(modules=modules_in("tune/ray_backend"), heavy=HEAVY))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["sweep", "--help"],
        ["spaces"],
        ["spaces", "show", "moirai-grid"],
        *(["spaces", "check", str(REPOSITORY / "search_spaces" / f"{name}.yaml")] for name in SPACES),
        ["status"],
    ],
)
def test_help_spaces_and_status_are_answered_without_any_of_the_heavy_packages(
    arguments: list[str], tmp_path: Path
) -> None:
    assert loaded(RUN.format(arguments=arguments, heavy=HEAVY, code=0), tmp_path) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--trails", "3"],
        ["nospace"],
        ["--set", "lrr=3"],
        ["--set", "lr=2"],
        ["--set", "pretrained=nofolder"],
        ["moirai-distill-quickstart", "--set", "teacher=nofolder"],
        ["time-moe-quickstart", "--set", "batch_size=0"],
        ["--data", "nofile.csv"],
        ["--max-files", "3"],
        ["--split", "ratoi"],
        ["--trials", "0"],
        ["--trials", "9", "--searcher", "grid", "--set", "lr=choice:1e-5,1e-4"],
        ["--gpus", "99"],
        ["--time-budget", "2"],
        ["--then", "nospace"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_reported_before_any_of_the_heavy_packages_is_imported(
    arguments: list[str], tmp_path: Path
) -> None:
    assert loaded(RUN.format(arguments=["sweep", *arguments], heavy=HEAVY, code=2), tmp_path) == set()


def test_a_plan_is_made_without_ray(tmp_path: Path) -> None:
    found = loaded(RUN.format(arguments=["sweep", "--dry-run"], heavy=HEAVY, code=0), tmp_path)
    assert not found & {"ray", "optuna", "tensorboard"}
