"""README.md and README.zh-CN.md: short, and in step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import READMES, Block, blocks_of, commands_in, links_of, name_of, tokens_of

ENGLISH, CHINESE = READMES


def headings(page: Path) -> list[str]:
    return [token.tag for token in tokens_of(page) if token.type == "heading_open"]


def structure(page: Path) -> list[str]:
    kinds = ("heading_open", "fence", "table_open", "tr_open", "bullet_list_open", "list_item_open")
    return [token.type for token in tokens_of(page) if token.type in kinds]


def content(block: Block) -> object:
    """What a block says without its comments, which are translated."""
    return (
        [*commands_in(block)]
        if block.language == "bash"
        else [line.partition("  #")[0] for line in block.text.splitlines()]
    )


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_a_readme_is_short_and_begins_with_the_setup_free_commands(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 150
    first = blocks_of(page)[0]
    assert list(commands_in(first)) == [["uv", "run", "foretune", "sweep"], ["uv", "run", "pytest"]]
    assert len([link for link in links_of(page) if link.endswith(".png")]) >= 3


def test_both_have_the_same_parts() -> None:
    assert headings(CHINESE) == headings(ENGLISH)
    assert structure(CHINESE) == structure(ENGLISH)


def test_both_have_the_same_commands_and_code() -> None:
    pairs = list(zip(blocks_of(ENGLISH), blocks_of(CHINESE), strict=True))
    assert len(pairs) >= 4
    for ours, theirs in pairs:
        assert (ours.language, content(ours)) == (theirs.language, content(theirs))


def test_both_lead_to_the_same_pages() -> None:
    own = {"README.md", "README.zh-CN.md"}
    assert [*filter(lambda link: link not in own, links_of(CHINESE))] == [
        *filter(lambda link: link not in own, links_of(ENGLISH))
    ]
