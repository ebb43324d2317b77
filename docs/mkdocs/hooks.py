"""What mkdocs asks of us: pages that lie beside docs/, and parts of pages that are made of the code itself."""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import reference  # noqa: E402  (beside this file)

BESIDE = {  # of the repository: of the site
    "search_spaces/README.md": "reference/spaces.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
PARTS: dict[str, Callable[[], str]] = {
    "commands": reference.commands,
    "options": reference.options,
    "parameters": reference.parameters,
    "spaces": reference.spaces,
}
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie beside docs/, and the schemas that editors read."""
    for source, target in BESIDE.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text(encoding="utf-8")))
    for name, schema in reference.schemas().items():
        files.append(File.generated(config, f"schema/{name}", content=json.dumps(schema, indent=2) + "\n"))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in what is generated, and point links between the repository's files to the site's pages."""
    target = page.file.src_uri
    source = next((s for s, t in BESIDE.items() if t == target), f"docs/{target}")
    filled = MARK.sub(lambda found: PARTS[found[1]](), markdown)
    return LINK.sub(lambda found: _site_link(found[0], source, target), filled)


def _site_link(link: str, source: str, target: str) -> str:
    """Return a link of a file of the repository as one between two pages."""
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    page = BESIDE.get(meant, meant.removeprefix("docs/"))
    return link if meant == page else posixpath.relpath(page, posixpath.dirname(target) or ".")
