"""A file of rows, and a small generated month with its counts."""

from __future__ import annotations

import pytest

from data.passages import read_site_map
from data.passages.sample import write_sample_passages
from tests.data.passages.records import HEADER, count


@pytest.fixture
def write(tmp_path):
    """Write text as a file under a header and return its path."""

    def write_text(text, name="a.csv", header=HEADER, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes((header + text).encode(encoding))
        return path

    return write_text


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A small generated month."""
    return write_sample_passages(tmp_path_factory.mktemp("sample"), rows=30_000, n_files=8)


@pytest.fixture(scope="session")
def month(sample):
    """Its counts."""
    return count(*sample.files, sites=read_site_map(sample.site_map))
