"""Pydantic's findings in our words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from tune.validation_messages import MISSING, validation_messages


class Model(BaseModel):
    count: int = Field(default=1, ge=1, le=10)
    share: float = Field(default=0.5, gt=0, lt=1, allow_inf_nan=False)
    kind: Literal["a", "b"] = "a"
    size: Literal["auto"] | Annotated[int, Field(gt=0)] = "auto"
    name: str = ""

    @model_validator(mode="after")
    def _named_if_shared(self) -> Model:
        if self.share == 0.25 and not self.name:
            raise ValueError("a quarter needs a name; give one")
        return self


class Demanding(BaseModel):
    lr: float


def told(model: type[BaseModel], **values: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        model(**values)
    return validation_messages(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("count", 0, "must be 1 or more, got 0"),
        ("count", 11, "must be 10 or less, got 11"),
        ("count", 2.5, "must be a whole number, got 2.5"),
        ("count", "ten", "must be a whole number, got 'ten'"),
        ("share", 0.0, "must be above 0, got 0"),
        ("share", 1.0, "must be below 1, got 1"),
        ("share", float("nan"), "must be a finite number, got nan"),
        ("share", -5e-7, "must be above 0, got -5e-7"),
        ("share", "much", "must be a number, got 'much'"),
        ("kind", "c", "must be 'a' or 'b', got 'c'"),
        ("size", "big", "must be 'auto' or a whole number, got 'big'"),
        ("name", 3, "must be text, got 3"),
        ("name", None, "must be text, got null"),
    ],
)
def test_a_wrong_value_is_reported_as_rule_and_value(field: str, value: Any, message: str) -> None:
    assert told(Model, **{field: value}) == {field: message}


def test_every_wrong_field_is_reported_once() -> None:
    assert list(told(Model, count=0, kind="c", size="big")) == ["count", "kind", "size"]


def test_a_rule_of_our_own_keeps_its_words_and_stands_for_the_whole() -> None:
    assert told(Model, share=0.25) == {"": "a quarter needs a name; give one"}


def test_a_field_that_is_not_there_is_missing() -> None:
    assert told(Demanding) == {"lr": MISSING}
