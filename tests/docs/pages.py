"""The pages of the documentation as tests read them: code blocks, commands, inline code, links."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.paths import REPOSITORY

DOCS = REPOSITORY / "docs"
READMES = [REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"]
PAGES = [*READMES, REPOSITORY / "search_spaces" / "README.md", *sorted(DOCS.rglob("*.md"))]
FULL_STOP = "\N{ONE DOT LEADER}"
REDIRECTIONS = (">", ">>", "|")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """A code block: language, title (a file's name, or ''), text, and the line that it begins in."""

    language: str
    title: str
    text: str
    line: int


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def tokens_of(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))


def blocks_of(page: Path) -> list[Block]:
    """The code blocks of a page in order; an indented one has no language."""
    blocks = []
    for token in tokens_of(page):
        if token.type in ("fence", "code_block"):
            language, _, rest = token.info.partition(" ")
            title = _TITLE.search(rest)
            blocks.append(Block(language, title[1] if title else "", token.content, (token.map or [0])[0] + 1))
    return blocks


def inline_code_of(page: Path) -> list[str]:
    inside = (child for token in tokens_of(page) for child in token.children or ())
    return [" ".join(child.content.split()) for child in inside if child.type == "code_inline"]


def links_of(page: Path) -> list[str]:
    """Where a page's links and pictures lead, but for those to other sites."""
    inside = [child for token in tokens_of(page) for child in token.children or ()]
    found = [str(child.attrs.get("href") or child.attrs.get("src") or "") for child in inside]
    return [link for link in found if link and "://" not in link]


def commands_in(block: Block) -> Iterator[list[str]]:
    """The words of each command: every line of bash, and the lines after a prompt of a session."""
    joined = block.text.replace("\\\n", " ")
    for line in joined.splitlines():
        typed = line.removeprefix("$ ") if line.startswith("$ ") else line if block.language == "bash" else ""
        words = shlex.split(typed, comments=True)
        end = next((place for place, word in enumerate(words) if word in REDIRECTIONS), len(words))
        if words[:end]:
            yield words[:end]


def arguments_of(words: list[str]) -> list[str] | None:
    """What is given to foretune, also through `uv run` or after assignments; None for another program's command."""
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    if words[:2] == ["uv", "run"]:
        words = words[2:]
        while words and words[0].startswith("--"):
            words = words[2:] if words[0] == "--extra" else words[1:]
    return words[1:] if words and words[0] == "foretune" else None


def session_of(block: Block) -> list[tuple[list[str], str]]:
    """The commands of a session, each with what it printed."""
    steps = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        typed, _, output = part.partition("\n")
        steps.append((shlex.split(typed), output))
    return steps


def is_quoted_right(quoted: str, real: str) -> bool:
    """Whether a text is what was quoted; … is anything, and white space is not compared."""
    quoted, real = quoted.replace(".", FULL_STOP), real.replace(".", FULL_STOP)  # doctest writes … as three of them
    return doctest.OutputChecker().check_output(quoted.replace("…", "..."), real, FLAGS)
