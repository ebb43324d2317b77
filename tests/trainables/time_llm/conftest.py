"""The published figures, with each backbone or with GPT-2 alone."""

from __future__ import annotations

import pytest

from tests.trainables.time_llm.published import find_golden


@pytest.fixture(scope="module", params=["gpt2", "bert", "minilm"])
def golden(request):
    return find_golden(request.param)


@pytest.fixture(scope="module")
def gpt2():
    return find_golden("gpt2")
