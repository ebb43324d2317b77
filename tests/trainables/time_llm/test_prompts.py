"""The specification of trainables/time_llm/prompts.py: the published prompts, to the letter."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from tests.paths import REPOSITORY
from tests.trainables.time_llm.published import GPT2, HERE, OUTPUT, WHOLE, close
from trainables.time_llm.prompts import ETT, as_rows, normalise, prompt_texts, tokenize, top_lags


def test_series_are_normalised_as_published(golden):
    normalised = normalise(golden["main.x"])
    close(normalised.mean, golden["main.mean"], 1e-6)
    close(
        normalised.std, golden["main.stdev"], 1e-6
    )  # a square root differs in its last bit from processor to processor
    close(as_rows(normalised.series), golden["main.series_norm"], 1e-6)


def paired(lags, steps):
    """Lags with each mirror pair (k, steps - k) in ascending order: rounding decides which comes first."""
    first, *rest = lags
    assert len(rest) % 2 == 0
    pairs = [sorted(rest[i : i + 2]) for i in range(0, len(rest), 2)]
    assert all(sum(pair) == steps for pair in pairs)
    return [first, *pairs]


def test_lags_are_the_published_ones_up_to_the_order_of_mirror_pairs(golden):
    ours = top_lags(golden["main.series_norm"])
    for mine, published in zip(ours.tolist(), golden["main.lags"].tolist(), strict=True):
        assert paired(mine, 96) == paired(published, 96)


def test_prompts_are_the_published_ones_to_the_letter_but_for_mirror_pairs(golden):
    def halves(text):
        head, lags = text.split("lags are : ")
        numbers, end = lags.split("]")
        return head, paired(json.loads(numbers + "]"), 96), end

    ours = prompt_texts(golden["main.series_norm"], ETT, 24)
    assert [halves(text) for text in ours] == [halves(text) for text in golden.prompts["main"]]


LETTER_BY_LETTER = """
import json, sys, numpy as np, torch
from trainables.time_llm.prompts import ETT, prompt_texts
arrays, prompts = np.load(sys.argv[1]), json.load(open(sys.argv[2]))
for case in ("main", "univariate"):
    if case in prompts and f"{case}.series_norm" in arrays:
        assert prompt_texts(torch.from_numpy(arrays[f"{case}.series_norm"]), ETT, 24) == prompts[case], case
print("equal")
"""


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="needs torch's MKL")
def test_prompts_are_the_published_ones_to_the_letter_where_the_processor_does_not_matter(golden):
    """MKL's compatible code path rounds alike on every processor, and so orders mirror pairs alike."""
    folder = HERE / "parity" if golden.llm == str(GPT2) else WHOLE / ("minilm" if "mini" in golden.llm else "bert")
    done = subprocess.run(
        [sys.executable, "-c", LETTER_BY_LETTER, folder / "golden.npz", folder / "prompts.json"],
        env={**os.environ, "MKL_CBWR": "COMPATIBLE"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "equal", done.stderr


def test_tokens_are_the_published_ones(golden):
    model = golden.model()
    for case, texts in golden.prompts.items():
        if f"{case}.token_ids" in golden:
            assert torch.equal(tokenize(texts, model.backbone.tokenizer).long(), golden.tokens(case))


def test_a_description_of_ones_own_is_reported(gpt2):
    model = gpt2.model(description=gpt2.meta["custom_description"])
    expected = gpt2.prompts["domain"][1]  # of its lags, none is decided by rounding alone
    assert model.prompts(gpt2["main.x"])[1].split("lags")[0] == expected.split("lags")[0]
    close(model(gpt2["main.x"], gpt2.tokens("domain")), gpt2["domain.output"], OUTPUT)


def test_a_windows_prompt_does_not_depend_on_its_batch(gpt2):
    model = gpt2.model()
    series = torch.randn(64, 96, 1, generator=torch.Generator().manual_seed(1)).cumsum(1)
    assert model.prompts(series) == [model.prompts(series[i : i + 1])[0] for i in range(64)]


def test_the_lower_median_the_trend_and_whole_numbers_by_hand():
    rows = torch.tensor([[4.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]])
    first, flat = prompt_texts(rows, "D.", 3)
    assert first.startswith(
        "<|start_prompt|>Dataset description: D.Task description: forecast the next 3 steps given the previous 4 "
        "steps information; Input statistics: min value 1.0, max value 4.0, median value 2.0, "
        "the trend of input is downward, top 5 lags are : [0, "
    )
    assert "downward" in flat  # no difference counts as downward
    assert first.endswith("]<|<end_prompt>|>")
