"""Where tests find what they need: the repository, data beside it, and example models."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent
SHARED = REPOSITORY.parent / "shared"  # further data; a test that uses them is skipped where they are missing
TOYS = TESTS / "tune" / "toy"
TINY_GPT2 = TESTS / "trainables" / "time_llm" / "gpt2"
