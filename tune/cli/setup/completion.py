"""The command completion: what a shell reads so that Tab knows foretune."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from data.errors import UserError

SHELLS = {
    "bash": "~/.bashrc",
    "zsh": "~/.zshrc",
    "fish": "~/.config/fish/completions/foretune.fish",
    "pwsh": "$PROFILE",
}


def completion(shell: Annotated[str, typer.Argument(help="bash, zsh, fish or pwsh.")]) -> None:
    """Print what makes a shell complete commands, options, sweeps and spaces.

    Add it to what the shell reads at its start: foretune completion bash >> ~/.bashrc
    """
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        raise UserError(f"completion is for {', '.join(SHELLS)}, got {shell!r}")
    script = get_completion_script(prog_name="foretune", complete_var="_FORETUNE_COMPLETE", shell=shell)
    sys.stdout.write(script.rstrip("\n") + "\n")
