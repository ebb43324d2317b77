"""How numbers look to a user: 5e-7 stays 5e-7, bytes are GB, two hours are 2h 00m, or 2 h 0 min on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping

from search_spaces.domain import Domain

NOTHING = "–"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def number(value: object) -> str:
    """Four to five significant digits; small and large ones in powers of ten without padding (5e-7, not 5e-07)."""
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return _power_of_ten(value, 4)
    text = f"{value:.4f}"
    return text.rstrip("0").rstrip(".") if value == round(value, 3) else text


def short_number(value: object, digits: int = 3) -> str:
    """On a page: three significant digits, 5e-7 as 5e-7; text as it is; a dash for None, NaN and infinity."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if value == 0:
        return "0"
    if isinstance(value, int):
        return str(value)
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
    return _power_of_ten(value, digits)


def _power_of_ten(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"


def score_text(value: float | None) -> str:
    """A metric: four decimals where they say enough, else five digits."""
    if value is None or not math.isfinite(value) or not 1e-2 <= abs(value) < 1e4:
        return short_number(None if value is None else float(value), 5)
    return f"{value:.4f}"


def difference_text(size: float) -> str:
    """How far two metrics are apart, without a sign: four decimals where they say enough, else two digits."""
    return f"{size:.4f}" if 1e-3 <= size < 1e4 else short_number(float(size), 2)


def gain_text(gain: float | None) -> str:
    """A gain over zero-shot, with its sign."""
    if not gain or not math.isfinite(gain):
        return short_number(gain)
    return f"{'+' if gain > 0 else '-'}{difference_text(abs(gain))}"


def warmup_text(hyper: Mapping[str, object]) -> str:
    """A warm-up in steps, or as the share of all steps that it was given as."""
    fraction = hyper.get("warmup_fraction")
    if isinstance(fraction, int | float):
        return f"{short_number(fraction * 100)} %"
    return short_number(hyper.get("warmup_steps"))


def domain_text(domain: Domain) -> str:
    """log:5e-7:1e-4, choice:16,32: as a user types it after --set."""
    return f"{domain.kind}:{(',' if domain.kind == 'choice' else ':').join(map(number, domain.arguments()))}"


def count_text(count: int, noun: str) -> str:
    """1 trial, 2 trials."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration(seconds: float) -> str:
    """42s, 3m 05s, 2h 00m."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02d}m"


def long_duration(seconds: float) -> str:
    """4.2 s, 3 min 5 s, 1 h 23 min, 2 d 3 h: as one says it."""
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, below, smaller in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // below} {smaller}"
    return f"{whole} s"


def quantity(value: float, unit: str = "") -> str:
    """Three significant digits and a decimal prefix: 13.8 M, 95 GFLOP/s."""
    for prefix, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * factor:
            return f"{short_number(value / factor)} {prefix}{unit}"
    return f"{short_number(float(value))} {unit}".rstrip()


def memory(count: int) -> str:
    """512 MB, 7.9 GB; decimal units."""
    if round(count, -6) < 10**9:
        return f"{count / 10**6:.0f} MB"
    return f"{count / 10**9:.1f} GB"


def measured_memory(count: int) -> str:
    """As `memory`; a dash where none was measured, which is 0."""
    return memory(count) if count > 0 else NOTHING
