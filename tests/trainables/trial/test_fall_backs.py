"""What a model does otherwise because the machine cannot do it: in every report of its trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import CPU, Toy, ToyHyper, run, spec_in
from trainables.trial.trial import Trial


class Cautious(Toy):
    def fall_backs(self, hyper: ToyHyper) -> dict[str, str]:
        return {"attention sdpa: no GPU": "attention auto is sdpa here, not flash attention: no GPU"}


def test_every_report_of_the_trial_says_it_beside_what_memory_needs(
    task: ForecastTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [r.fall_backs for r in run(Trial(Cautious(), spec_in(tmp_path, "t0000"), task, CPU), 2)] == [
        "attention sdpa: no GPU"
    ] * 2
    monkeypatch.setattr(Toy, "fits", 0)
    monkeypatch.setattr(Toy, "saves", 16)
    last = run(Trial(Cautious(), spec_in(tmp_path, "t0001"), task, CPU), 2)[-1]
    assert last.fall_backs == "attention sdpa: no GPU + gradient checkpointing"
