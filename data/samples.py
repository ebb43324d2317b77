"""What comes with foretune: a sample dataset and tiny pretrained models, found by name."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent

SAMPLES = {path.stem: path for path in sorted((HERE / "bundled").glob("*.*"))}
PRETRAINED = {path.parent.name: path.parent for path in sorted((HERE / "pretrained").glob("*/config.json"))}
