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

COMMANDS = (["--help"], ["spaces"], ["sweep", "--help"], ["status"], ["spaces", "check", "{space}"])
CALL = "import sys; from tune.cli.main import main; sys.argv = ['foretune', *sys.argv[1:]]; main()"


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
    space = Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml"
    commands = [[part.format(space=space) for part in command] for command in COMMANDS]
    pythons = {"here": Path(sys.executable)}
    if arguments.beside is not None:
        pythons["beside"] = arguments.beside / ".venv" / "bin" / "python"
    calls = {(name, ()): (python, ["-c", "pass"]) for name, python in pythons.items()}
    calls |= {(n, tuple(c)): (python, ["-c", CALL, *c]) for n, python in pythons.items() for c in commands}
    best = dict.fromkeys(calls, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for key, (python, call) in calls.items():
                best[key] = min(best[key], seconds(python, call, folder))
    for command, shown in zip(commands, COMMANDS, strict=True):
        figures = {name: best[name, tuple(command)] - best[name, ()] for name in pythons}
        print(" ".join(["foretune", *shown]), *(f"{name} {value:.3f} s" for name, value in figures.items()), sep=", ")
    print("the interpreter alone", *(f"{name} {best[name, ()]:.3f} s" for name in pythons), sep=", ")


if __name__ == "__main__":
    main()
