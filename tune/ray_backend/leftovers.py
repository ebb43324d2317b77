"""Folders of Ray's sessions: those of ours that have died are removed, and Ray has no way to do it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psutil

from data.files import parse_json
from tune.ray_backend.watch import needed_processes

MARK = "foretune.json"  # in a session's folder: a process by which it is known whether the session lives


def mark_session(folder: Path) -> None:
    """Leave our mark in the folder of a session that this process has started."""
    process = next(iter(needed_processes()), None)
    if process is not None and folder.is_dir():
        mark = {"pid": process.pid, "started": process.create_time()}
        (folder / MARK).write_text(json.dumps(mark), encoding="utf-8")


def remove_dead_sessions(ray_folder: Path) -> int:
    """Remove the session folders that bear our mark and whose process has ended; return how many."""
    removed = 0
    for mark in sorted(ray_folder.glob(f"session_*/{MARK}")):
        if mark.parent.is_symlink() or _lives(mark):
            continue
        shutil.rmtree(mark.parent, ignore_errors=True)
        removed += 1
    return removed


def ray_temp_folder() -> Path:
    """Return the folder where Ray keeps its sessions, as Ray finds it."""
    from ray._common.utils import get_default_ray_temp_dir

    return Path(get_default_ray_temp_dir())


def _lives(mark: Path) -> bool:
    """Whether the process of a mark runs, and is the one that left it; of a mark that cannot be read, yes."""
    try:
        fields = parse_json(mark.read_text(encoding="utf-8"))
        process = psutil.Process(int(fields["pid"]))
        return process.create_time() == float(fields["started"]) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return True
