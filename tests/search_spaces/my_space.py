"""A valid space file, and how the tests read one."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.library import load_space
from search_spaces.mistakes import SpaceError
from search_spaces.space import SearchSpace

VALID = """\
description: Two branches.
trainable: moirai
trials: 7
fixed: {pretrained: moirai-tiny, gradient_clip: 1.0}
search:
  strategy: {choice: [head_only, full]}
  batch_size: {choice: [16, 32]}
conditional:
  strategy:
    head_only: {fixed: {patience: 8}, search: {lr: {log: [1e-5, 1e-4]}}}
    full: {fixed: {patience: 3}, search: {lr: {log: [5e-7, 5e-5]}, warmup_steps: {int: [0, 100, 50]}}}
first:
  - {strategy: head_only, lr: 5e-5, batch_size: 16}
  - {strategy: full, lr: 5e-6, batch_size: 32, warmup_steps: 50}
"""


def read(folder: Path, text: str) -> SearchSpace:
    path = folder / "my_space.yaml"
    path.write_text(text, encoding="utf-8")
    return load_space(str(path))


def mistakes_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpaceError) as caught:
        read(folder, text)
    return str(caught.value).splitlines()
