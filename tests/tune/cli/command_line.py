"""What tests of commands share: what a command left, the files that it reads, and machines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.paths import REPOSITORY, TOYS
from tune.planning.budget import Machine
from tune.planning.gpus import Gpu

TOY = TOYS / "toy.yaml"
TWO_CORES = Machine(cpus=2)
ONE_GPU = Machine(2, (Gpu("H200", 8 * 10**9, 8 * 10**9),))
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit status and what it wrote."""

    status: int
    out: str
    err: str


Foretune = Callable[..., Ended]


def everything(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the content of the files."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def write_csv(path: Path, rows: int, *columns: str, start: str = "2024-01-01") -> Path:
    """Write hourly series that rise and fall."""
    first = datetime.fromisoformat(start)
    lines = [",".join(("date", *columns))]
    for row in range(rows):
        values = [f"{(row * (i + 3)) % 24 + i}.5" for i in range(len(columns))]
        lines.append(",".join((f"{first + timedelta(hours=row):%Y-%m-%d %H:%M}", *values)))
    path.write_text("\n".join(lines) + "\n")
    return path


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def facts(out: str) -> dict[str, str]:
    """A dry run's lines: what, and in numbers."""
    pairs = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in out.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def strict_json(text: str) -> Any:
    """Parse JSON as a strict reader does: NaN and Infinity are no JSON."""

    def reject(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    return json.loads(text, parse_constant=reject)


def process(*arguments: object, cwd: Path, **environment: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command
