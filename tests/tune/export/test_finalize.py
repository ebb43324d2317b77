"""The specification of tune/export/finalize.py: a trial that is no gain is not exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from tune.export.finalize import export
from tune.records.spec import SweepError
from tune.sweep import Sweep


def test_an_export_of_what_is_no_gain_is_refused_in_its_own_words(worse: Sweep, tmp_path: Path) -> None:
    with pytest.raises(SweepError) as refusal:
        export(worse, trial_id=None, target=tmp_path / "out", force=False)
    assert str(refusal.value) == (
        "t0000 does not beat its untrained start on val_loss, so nothing of it is worth keeping; "
        "export it all the same with --force"
    )
