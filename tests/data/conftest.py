"""What tests of reading share."""

from __future__ import annotations

import pytest


@pytest.fixture
def write(tmp_path):
    """Write a text file and return its path."""

    def write_text(text, name="file.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text
