"""What comes with foretune: sample datasets, one of them a folder, and tiny pretrained models, found by name."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parents[1]  # the package `data`

SAMPLES = {path.stem: path for path in sorted((HERE / "bundled").glob("[!._]*"))}
PRETRAINED = {path.parent.name: path.parent for path in sorted((HERE / "pretrained").glob("*/config.json"))}
