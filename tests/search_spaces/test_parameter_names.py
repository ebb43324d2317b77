"""The specification of search_spaces/parameter_names.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.mistakes import SpaceError
from search_spaces.override import override_space
from search_spaces.parameter_names import check_parameter_names
from tests.search_spaces.my_space import VALID, read


def test_unknown_parameters_are_reported_with_near_names(tmp_path: Path) -> None:
    known = ["pretrained", "strategy", "lr", "batch_size", "warmup_steps", "gradient_clip"]
    space = read(tmp_path, VALID)
    with pytest.raises(SpaceError) as caught:
        check_parameter_names(override_space(space, {"gradient_clp": "2"}), known)
    lines = str(caught.value).splitlines()
    assert lines[0] == ("my_space: fixed: 'moirai' has no parameter 'gradient_clp'; did you mean 'gradient_clip'?")
    assert len(lines) == 3
    assert "conditional.strategy.head_only.fixed: 'moirai' has no parameter 'patience'" in lines[1]
    check_parameter_names(space, [*known, "patience"])


@pytest.mark.parametrize(
    ("typed", "meant"), [("learning_rate", "lr"), ("num_train_epochs", "epochs"), ("wd", "weight_decay")]
)
def test_a_name_of_other_tools_leads_to_ours(tmp_path: Path, typed: str, meant: str) -> None:
    known = ["pretrained", "strategy", "lr", "epochs", "batch_size", "warmup_steps", "weight_decay", "patience"]
    with pytest.raises(SpaceError, match=f"has no parameter '{typed}'; did you mean '{meant}'"):
        check_parameter_names(override_space(read(tmp_path, VALID), {typed: "2"}), known)
