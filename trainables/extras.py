"""Optional libraries: how the user gets those of an extra."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def is_checkout() -> bool:
    """Whether this is the project's folder, which `uv run` runs from, and not an installed package."""
    return (ROOT / "pyproject.toml").is_file()


def with_extra(extra: str, command: str = "…") -> str:
    """Return what the user types to get the libraries of an extra: the command with it, or what installs them."""
    return f"uv run --extra {extra} foretune {command}" if is_checkout() else f"pip install 'foretune[{extra}]'"
