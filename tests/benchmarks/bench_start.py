"""How long commands take to answer, beyond the interpreter's own start; the best of several rounds, taken in turn.

    uv run python tests/benchmarks/bench_start.py [--beside CHECKOUT] [--rounds 9]

With --beside, the same commands of another checkout, which has its own .venv, in the same rounds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPACE = "SPACE"  # the checkout's own file of the default space
COMMANDS = (["--help"], ["spaces"], ["sweep", "--help"], ["status"], ["spaces", "check", SPACE])


def seconds(python: Path, arguments: list[str], folder: str) -> float:
    """Wall-clock seconds of a process, which must succeed."""
    start = time.perf_counter()
    subprocess.run([python, *arguments], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    checkouts = {"here": (Path(__file__).parents[2], Path(sys.executable))}
    if arguments.beside is not None:
        checkouts["beside"] = arguments.beside, arguments.beside / ".venv" / "bin" / "python"
    calls: dict[tuple[str, str], tuple[Path, list[str]]] = {}
    for name, (checkout, python) in checkouts.items():
        space = str(next((checkout / "search_spaces").rglob("quickstart.yaml")))
        calls[name, ""] = python, ["-c", "pass"]
        for command in COMMANDS:
            call = [space if part == SPACE else part for part in command]
            calls[name, " ".join(command)] = python, ["-m", "tune", *call]
    best = dict.fromkeys(calls, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for key, (python, call) in calls.items():
                best[key] = min(best[key], seconds(python, call, folder))
    print("the interpreter alone", *(f"{name} {best[name, '']:.3f} s" for name in checkouts), sep=", ")
    for command in map(" ".join, COMMANDS):
        figures = (f"{name} {best[name, command] - best[name, '']:.3f} s" for name in checkouts)
        print(f"foretune {command}", *figures, sep=", ")


if __name__ == "__main__":
    main()
