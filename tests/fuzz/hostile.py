"""What nobody should write into a file, and how files are damaged: cells, names, times, bytes, lines."""

from __future__ import annotations

import functools
import random
from typing import Any

from hypothesis import strategies as st

NUMBERS = (
    *("nan", "NaN", "inf", "-inf", "Infinity", "1e400", "-1e400", "1e-400", "1e39", "3.4028236e38", "5e-324", "1e-46"),
    *("0", "-0", "-0.0", "00", "1", "-1", "0.1", "1,5", "1.234,5", "1,234.5", "1 234", "1'234", "1_000", "0x1F", "0b1"),
    *("9" * 19, "9" * 400, "1" + "0" * 5000, "." + "0" * 5000 + "1", "1e", "e5", "+", "-", ".", ",", "--1", "1-", "+4"),
    *("١٢", "²", "１２", "½", "1\u00a0234", "\u22125", "true", "False", "None", "null", "NA", "#DIV/0!", "?", "-999"),
)
TIMES = (
    *("0001-01-01", "1582-10-10", "1600-02-29", "1677-09-21 00:12:43", "1677-09-22", "1900-02-29", "1969-12-31"),
    *("1970-01-01", "2000-02-30", "2016-12-31 23:59:60", "2024-02-29", "2024-03-31 02:30", "2024-10-27 02:30"),
    *(
        "2262-04-11 23:47:16",
        "2262-04-12",
        "2263-01-01",
        "3000-01-01",
        "9999-12-31 23:59:59",
        "10000-01-01",
        "99999999",
    ),
    *("2024-13-01", "2024-00-00", "2024-01-01T25:00", "2024-01-01 24:00", "24:00", "2024-01-01T00:00+99:99"),
    *("2024-01-01T00:00Z", "2024-01-01T00:00+14:00", "2024-01-01T00:00-12:00", "2024-W53-7", "2024-W54", "2024-366"),
    *("2024Q5", "2024Q1", "Q0 2024", "01/02/03", "13/13/2024", "1 Jan 24", "Jan 2024", "2024年13月45日", "年", "now"),
    *("today", "NaT", "", " ", "-1", "0", "1e9", "1700000000", "1700000000000", "17000000000000000000", "1e300"),
    *("2024-01-01 00:00:00.123456789123", "2024-01-01 12:00 PM", "2024-01-01 13:00 PM", "12 AM", "P1D", "-2024-01-01"),
)
TEXTS = (
    *(
        "",
        " ",
        "\t",
        "x",
        "'",
        '"',
        '""',
        '"""',
        "\\",
        "a,b",
        "a;b",
        "a\nb",
        "a\r\nb",
        "a\rb",
        "\x00",
        "\x1a",
        "\x1b[31m",
    ),
    *("\ufeff", "\ufffd", "\u2028", "\u0085", "\u202e", "é", "流量", "🦉", "\ud7ff", "=1+1", "@SUM(1)", "#", "# note"),
    *("X" * 5000, "a" * 200_000, "%s", "%", "{}", "{0}", "[]", "[1]", '{"a":1}', "../..", "/dev/null", "Unnamed: 0"),
)
NAMES = (
    *(
        "date",
        "Date",
        "time",
        "timestamp",
        "ds",
        "id",
        "item_id",
        "unique_id",
        "series",
        "value",
        "target",
        "y",
        "unix",
    ),
    *(
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "index",
        "level_0",
        "__index_level_0__",
        "时间",
        "trailing",
        "a.1",
        "a",
    ),
)
FREQUENCIES = (
    *("h", "H", "15min", "D", "B", "W", "W-SUN", "MS", "ME", "M", "QS", "YE", "SMS", "SME-15", "BMS", "C", "bh", "cbh"),
    *("ns", "1ns", "us", "s", "0h", "-1h", "1e9h", "99999999h", "9" * 30 + "D", "1200MS", "1201MS", "100YS", "1.5h"),
    *("1h30min", "infer", "", " ", "x", "D h", "W-XXX", "QS-FOO", "2B", "WOM-1MON", "LWOM-FRI", "REQ-N-DEC-MON-1", "é"),
)
OTHERS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, -(10**18), 0.5, 1e308, 1e-308, -0.0),
    *(float("nan"), float("inf"), float("-inf"), "", "x", [], {}, [[]], [{}], {"a": {"b": None}}, [None], ["x"] * 50),
)


def cells() -> st.SearchStrategy[str]:
    """Text of a cell or a field."""
    known = st.sampled_from((*NUMBERS, *TIMES, *TEXTS, *NAMES))
    return known | st.text(max_size=20) | st.floats().map(repr) | st.integers().map(str) | st.dates().map(str)


def values() -> st.SearchStrategy[Any]:
    """A value of JSON, sometimes nested."""
    leaf = st.sampled_from(OTHERS) | cells() | st.floats() | st.integers()
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    )


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Return a file's bytes as a disk, a network or a careless program may leave them."""
    raw = bytearray(content)
    rng = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(
            st.sampled_from(("flip", "flip", "cut", "tail", "hole", "zeros", "insert", "double", "swap", "junk"))
        )
        _damage(raw, kind, rng)
    return bytes(raw)


def _damage(raw: bytearray, kind: str, rng: random.Random) -> None:
    at = rng.randrange(len(raw) + 1)
    end = min(len(raw), at + rng.choice((1, 2, 4, 8, 64, 1000)))
    match kind:
        case "flip" if at < len(raw):
            raw[at] ^= 1 << rng.randrange(8)
        case "cut":
            del raw[at:]
        case "tail":
            del raw[:at]
        case "hole":
            del raw[at:end]
        case "zeros":
            raw[at:end] = bytes(end - at)
        case "insert":
            raw[at:at] = rng.choice(
                (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"\n", b"\r", b",", b"[", b"{", b"\x80")
            )
        case "double":
            raw[at:at] = raw[at:end]
        case "swap":
            raw[:] = raw[at:] + raw[:at]
        case "junk":
            raw[at:end] = rng.randbytes(end - at)


@st.composite
def damaged_lines(draw: st.DrawFn, text: str) -> str:
    """Return a text whose lines are lost, doubled, exchanged, or hold something else."""
    lines = text.split("\n")
    for _ in range(draw(st.integers(1, 3))):
        if not lines:
            break
        at = draw(st.integers(0, len(lines) - 1))
        other = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(("drop", "double", "swap", "replace", "insert", "join", "end"))):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(other, lines[at])
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "replace":
                lines[at] = draw(cells())
            case "insert":
                lines.insert(at, draw(cells()))
            case "join":
                lines[at : at + 2] = ["".join(lines[at : at + 2])]
            case "end":
                lines[at] += draw(st.sampled_from(("\r", ",", ";", " ", '"', "\\", "\0")))
    return "\n".join(lines)


@st.composite
def damaged_json(draw: st.DrawFn, document: Any) -> Any:
    """Return a JSON document in which some values are others, lost, doubled or under another key."""
    document = _copied(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            return draw(values())
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(("replace", "replace", "drop", "rename", "nest"))):
            case "replace":
                holder[key] = draw(values())
            case "drop":
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[draw(cells())] = holder.pop(key)
            case _:
                holder[key] = [holder[key]]
    return document


def _copied(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _copied(value) for key, value in document.items()}
    return [_copied(value) for value in document] if isinstance(document, list) else document


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        found.append((document, key))
        found += _places(value)
    return found


@functools.cache
def deep(kind: str, depth: int) -> str:
    """Return a document that is nested so deeply."""
    opening, closing = {"list": ("[", "]"), "object": ('{"a":', "}")}[kind]
    return opening * depth + "1" + closing * depth
