"""Every command, option and example of the pages, against the real command line: nothing is run here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from search_spaces.domain import parse_domain
from search_spaces.library import shipped_names
from tests.docs.pages import PAGES, READMES, arguments_of, blocks_of, commands_in, inline_code_of, links_of, name_of
from tests.tune.cli.command_line import leaves
from tune.cli.config_file import config_schema
from tune.cli.group import LazyGroup
from tune.cli.main import COMMANDS
from tune.planning.space_schema import space_schema

LANGUAGES = {"bash", "console", "python", "yaml", "toml", "text"}
OTHERS = {
    "--extra",
    "--no-sync",
    "--override",
    "--torch-backend",
    "--wheel",
    "--local-dir",
    "--logdir",
    "--rehearse",
    "--build-arg",
    "--gpus",
    "--rm",
    "--shm-size",
    "--user",
    "--network",
    "--from",
}  # other programs'
MISTAKE = "foretune sweep --trails 3"  # whose message was timed
ELSEWHERE = {"COMMAND", "…", "--help", "--version"}  # of the group, or any


@pytest.fixture(scope="module")
def app() -> Any:
    """The command line anew, whose options look at no file."""
    group = LazyGroup("foretune", COMMANDS, help="")
    for _, command in leaves(group):
        for param in command.params:
            param.callback = None
    return group


def parse(app: Any, arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """Parse a command line as foretune does, and return the command with the values of its parameters."""
    context, command, name = None, app, "foretune"
    while hasattr(command, "list_commands") and arguments:
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
        found = command.get_command(context, arguments[0])
        assert found is not None, f"there is no command {arguments[0]!r}"
        name, command, arguments = arguments[0], found, arguments[1:]
    return name, command.make_context(name, arguments, parent=context).params


def lines() -> Iterator[Any]:
    for page in PAGES:
        for block in blocks_of(page):
            for words in commands_in(block):
                arguments = arguments_of(words)
                if arguments is not None:
                    yield pytest.param(arguments, id=f"{name_of(page)}:{block.line} {' '.join(arguments[:2])}")


@pytest.mark.parametrize("arguments", [*lines()])
def test_a_command_of_a_page_can_be_typed(app: Any, arguments: list[str]) -> None:
    name, params = parse(app, arguments)
    if name == "sweep":
        space = params["space"]
        assert space.endswith(".yaml") or space in shipped_names()
        for setting in params["set_"] or ():
            parse_domain(setting.partition("=")[2])


def test_the_pages_have_commands() -> None:
    assert len(list(lines())) > 60


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_in_the_text_exist(app: Any, page: Path) -> None:
    """A command in a sentence may leave out its arguments, or name them in capitals."""
    flags = {flag for _, c in leaves(app) for p in c.params for flag in (*p.opts, *p.secondary_opts)}
    for code in inline_code_of(page):
        if code.startswith("--"):
            assert code.partition("=")[0].split()[0] in flags | OTHERS, code
        if code.startswith("foretune ") and code != MISTAKE and code.split()[1] not in ELSEWHERE:
            with suppress(typer.BadParameter, typer.Exit):  # a missing argument is a BadParameter
                parse(app, [word for word in shlex.split(code)[1:] if word != "…"])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert [b for b in blocks_of(page) if b.language not in LANGUAGES] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_compiles_and_yaml_fits_its_schema(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "python":
            compile(block.text, f"{name_of(page)}:{block.line}", "exec")
        if block.language == "yaml" and "…" not in block.text:
            schema = config_schema() if block.title == "foretune.yaml" else space_schema()
            text = re.sub(r"(?<=\d)e-", ".0e-", block.text)  # YAML 1.1 takes 1e-5 for text
            jsonschema.validate(yaml.safe_load(text), schema)


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_the_readmes_links_lead_somewhere(page: Path) -> None:
    links = links_of(page)
    assert len(links) > 10
    assert [link for link in links if not (page.parent / link.partition("#")[0]).exists()] == []
