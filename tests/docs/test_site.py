"""The site is built without a warning, its generated pages are whole, and nothing in it is fetched from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import REPOSITORY
from tests.tune.cli.command_line import leaves
from tune.cli.config_file import config_schema
from tune.cli.main import app
from tune.planning.space_schema import space_schema

pytest.importorskip("mkdocs")  # which Python before 3.11.5 does not have
# What a browser fetches by itself; links that are followed by hand may lead anywhere.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["'](?:https?:)?//[^>]*>|<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|icon)["']?[^>]*\bhref=["'](?:https?:)?//[^>]*>|@import\s+url\(["']?https?:[^)]*\)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = ("-m", "mkdocs", "build", "--strict", "-f", str(REPOSITORY / "docs" / "mkdocs" / "mkdocs.yml"))
    done = subprocess.run(
        [sys.executable, *command, "--site-dir", str(folder)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    for words, command in leaves(app):
        assert f'id="{"-".join(words)}"' in page
        for param in command.params:
            assert all(f"<code>{name}</code>" in page for name in param.opts if name.startswith("--")), param.opts


def test_the_api_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("search.search", "sweep.Sweep.leaderboard", "sweep.Sweep.resume", "forecaster.Forecaster.predict"):
        assert f'id="tune.api.{name}"' in page
    assert "&gt;&gt;&gt;" in page  # an example as code, not as a quotation
    assert "<blockquote>" not in page


def test_every_hyperparameter_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "parameters.html").read_text(encoding="utf-8")
    definitions = {key: value for key, value in space_schema()["definitions"].items() if not key.endswith("-point")}
    assert len(definitions) > 8
    for definition in definitions.values():
        assert all(f"<code>{name}</code>" in page for name in definition.get("properties", {}))


def test_the_schemas_are_beside_the_pages(site: Path) -> None:
    assert json.loads((site / "schema" / "space.json").read_text()) == space_schema()
    assert json.loads((site / "schema" / "foretune.json").read_text()) == config_schema()


def test_pages_from_beside_docs_are_part_of_the_site(site: Path) -> None:
    for name in ("reference/spaces.html", "changes.html", "contributing.html", "security.html", "from_python.html"):
        assert (site / name).is_file()
    assert 'href="reference/spaces.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 30
    assert {p.name: f for p in pages if (f := FETCHED.findall(p.read_text(encoding="utf-8")))} == {}
