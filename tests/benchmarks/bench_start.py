"""How long commands take to answer, and the default sweep to its first epoch and to its end.

    uv run python tests/benchmarks/bench_start.py [--beside CHECKOUT] [--rounds 7] [--sweeps 3]

Commands: seconds beyond the interpreter's own start, the best of several rounds, taken in turn. Sweeps: from the start
of the process to each moment, the median. With --beside, the same of another checkout, which has its own .venv, in the
same rounds; the ratio is ours over the other's. Bytecode is compiled first, as it is on any machine from the second
start on.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPACE = "SPACE"  # the checkout's own file of the default space
COMMANDS = (
    ["--help"],
    ["spaces"],
    ["sweep", "--help"],
    ["status"],
    ["spaces", "check", SPACE],
    ["sweep", "--trails", "3"],
    ["sweep", "nospace"],
    ["sweep", "--set", "lrr=3"],
    ["sweep", "--data", "nofile.csv"],
    ["sweep", "--dry-run"],
)
MOMENTS = {
    "plan printed": r"^sweep ",
    "first trial starts": r"^t0000 starts",
    "first epoch done": r"^t0000 epoch 1 ",
    "last trial done": r"8 of 8 trials done",
    "result printed": r"^best checkpoint",
}
END = "end of the process"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def seconds(python: Path, arguments: list[str], folder: str) -> float:
    """Wall-clock seconds of a process, which must answer: 0, or 2 for a mistake."""
    start = time.perf_counter()
    done = subprocess.run([python, *arguments], cwd=folder, check=False, capture_output=True)
    elapsed = time.perf_counter() - start
    assert done.returncode in (0, 2), done.stderr.decode()
    return elapsed


def sweep_moments(python: Path, folder: str) -> dict[str, float]:
    """Seconds from the start of a default sweep to each moment."""
    found: dict[str, float] = {}
    start = time.perf_counter()
    command = [python, "-m", "tune", "sweep"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        for line in process.stdout:
            for name, pattern in MOMENTS.items():
                if name not in found and re.search(pattern, line):
                    found[name] = time.perf_counter() - start
    assert process.returncode == 0
    return {**found, END: time.perf_counter() - start}


def row(name: str, figures: list[float]) -> str:
    ratio = f"{figures[0] / figures[1]:.2f}" if len(figures) == 2 else ""
    return f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} | {ratio} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sweeps", type=int, default=3)
    arguments = parser.parse_args()
    checkouts = {"here": (Path(__file__).parents[2], Path(sys.executable))}
    if arguments.beside is not None:
        checkouts["beside"] = arguments.beside, arguments.beside / ".venv" / "bin" / "python"
    for checkout, python in checkouts.values():
        packages = [checkout / name for name in ("tune", "trainables", "search_spaces", "data", ".venv")]
        subprocess.run([python, "-m", "compileall", "-q", *packages], check=False, capture_output=True)
    calls: dict[tuple[str, str], tuple[Path, list[str]]] = {}
    for name, (checkout, python) in checkouts.items():
        space = str(next((checkout / "search_spaces").rglob("quickstart.yaml")))
        calls[name, ""] = python, ["-c", "pass"]
        for command in COMMANDS:
            call = [space if part == SPACE else part for part in command]
            calls[name, " ".join(command)] = python, ["-m", "tune", *call]
    best = dict.fromkeys(calls, float("inf"))
    moments: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for key, (python, call) in calls.items():
                best[key] = min(best[key], seconds(python, call, folder))
        for _ in range(arguments.sweeps):
            for name, (_, python) in checkouts.items():
                with tempfile.TemporaryDirectory() as own:
                    moments[name].append(sweep_moments(python, own))
    print(f"| | {' | '.join(checkouts)} | ratio |")
    print(f"| --- |{' --- |' * len(checkouts)} --- |")
    print(row("the interpreter alone", [best[name, ""] for name in checkouts]))
    for command in map(" ".join, COMMANDS):
        print(row(f"`foretune {command}`", [best[name, command] - best[name, ""] for name in checkouts]))
    if arguments.sweeps:
        for moment in (*MOMENTS, END):
            middle = [statistics.median(found[moment] for found in moments[name]) for name in checkouts]
            print(row(f"`foretune sweep`: {moment}", middle))


if __name__ == "__main__":
    main()
