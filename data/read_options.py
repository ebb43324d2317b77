"""What a user may say of how their files are to be read; whatever they leave out is found out."""

from __future__ import annotations

import codecs
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from data.errors import near_names

FORMATS = ("wide-csv", "long-csv", "parquet", "jsonl", "xlsx", "tsf")
RESAMPLING = ("mean", "sum", "last", "max")
Resampling = Literal["mean", "sum", "last", "max"]


class ReadOptions(BaseModel):
    """How a file is to be read; None means that it is found out.

    format: one of FORMATS; else by the file's suffix, and wide or long by the columns' names.
    columns: the series to keep (column names, or ids of a long file; 'file/column' in a folder); None = all.
    time_column: the column of the time. id_columns: those that together name a series of a long file.
    date_format: of strptime, such as '%d/%m/%Y %H:%M'. timezone: of the clock that local times are read from.
    freq: the step of the grid, a pandas alias; resample: how the rows within a step become one.
    max_rows_per_file: rows of each series of a file that are taken, the last ones.
    decimal: '.' or ','. encoding: of text. na: words and numbers that mean a missing value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str | None = None
    columns: tuple[str, ...] | None = None
    time_column: str | None = None
    id_columns: tuple[str, ...] | None = None
    date_format: str | None = None
    timezone: str | None = None
    freq: str | None = None
    resample: Resampling | None = None
    max_rows_per_file: int | None = Field(default=None, ge=1)
    decimal: str | None = None
    encoding: str | None = None
    na: tuple[str, ...] = ()

    @field_validator("format")
    @classmethod
    def _known_format(cls, format: str | None) -> str | None:
        if format is not None and format not in FORMATS:
            near = near_names(format, FORMATS)
            raise ValueError(f"--format must be one of {', '.join(FORMATS)}, got {format!r}{near}")
        return format

    @field_validator("columns")
    @classmethod
    def _some_series(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and not names:
            raise ValueError("--columns must name series, separated by commas, got none; leave it out for all of them")
        return names

    @field_validator("id_columns")
    @classmethod
    def _some_columns(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and not (names and all(names)):
            raise ValueError("--id-columns must name columns, separated by commas, got an empty name; like store,item")
        return names

    @field_validator("date_format")
    @classmethod
    def _has_directives(cls, format: str | None) -> str | None:
        if format is not None and "%" not in format:
            raise ValueError(f"--date-format is written as for strptime, got {format!r}; like %d/%m/%Y %H:%M")
        return format

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str | None) -> str | None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

        if name is None:
            return None
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            near = near_names(name, available_timezones()) or "; write it like Europe/Berlin"
            raise ValueError(f"--timezone must be a zone of the IANA database, got {name!r}{near}") from error
        return name

    @field_validator("freq")
    @classmethod
    def _known_freq(cls, freq: str | None) -> str | None:
        if freq is None:
            return None
        from data.frequencies import canonical_freq  # pandas: half a second

        try:
            return canonical_freq(freq)
        except ValueError as error:
            raise ValueError(f"--freq must be a pandas offset like h, 15min, D or MS, got {freq!r}") from error

    @field_validator("decimal")
    @classmethod
    def _known_decimal(cls, mark: str | None) -> str | None:
        if mark not in (None, ".", ","):
            raise ValueError(f"--decimal must be a point or a comma, got {mark!r}")
        return mark

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                b"a".decode(name, "ignore")  # which codecs of something else than text, such as base64, do not do
            return None if name is None else codecs.lookup(name).name
        except (LookupError, ValueError) as error:  # the latter of a name with a zero
            raise ValueError(f"--encoding must be one that Python knows, like gbk or latin-1, got {name!r}") from error

    @model_validator(mode="after")
    def _resampled_to_a_step(self) -> ReadOptions:
        if self.resample is not None and self.freq is None:
            raise ValueError(f"--resample {self.resample} needs the step that rows are brought to; add --freq, like h")
        return self
