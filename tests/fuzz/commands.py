"""Command lines run in this process: exit 0, or 2 with one message."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from tests.fuzz.cases import checked_message, within_limits
from tests.tune.cli.command_line import Ended
from tests.tune.cli.stand_ins import nothing_waits
from tune.cli import main as cli

MOST_LINES = 45


def run(*arguments: object, cwd: Path, statuses: Sequence[int] = (0, 2), limited: bool = True) -> Ended:
    """Run a command line without a search, without a server that waits, and check how it ends.

    limited: in time and memory, which the first run of a command has no measure of: it imports what it needs.
    """
    line = ["foretune", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        chdir(cwd),
        mock.patch.object(sys, "argv", line),
        nothing_waits(),
        within_limits(0) if limited else nullcontext(),
    ):
        try:
            cli.main()
        except SystemExit as end:
            ended = Ended(end.code or 0, out.getvalue(), err.getvalue())  # type: ignore[arg-type]  # always a number
    assert ended.status in statuses, (line, ended)
    assert "Traceback" not in ended.err, (line, ended.err)
    if ended.status == 2:
        assert ended.err.startswith("foretune: "), (line, ended.err)
        checked_message(ended.err)
        assert "\x1b[31m" not in ended.err, line
        assert len(ended.err.splitlines()) <= MOST_LINES, (line, ended.err)
    return ended
