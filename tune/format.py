"""How numbers look to a person: 5e-7 stays 5e-7, two hours are 2h 00m, bytes are GB."""

from __future__ import annotations

import math
from typing import Any

from search_spaces.domain import Domain


def number(value: Any) -> str:
    """Four to five significant digits; small and large ones in powers of ten without padding (5e-7, not 5e-07)."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    text = f"{value:.4f}"
    return text.rstrip("0").rstrip(".") if value == round(value, 3) else text


def domain_text(domain: Domain) -> str:
    """log:5e-7:1e-4, choice:16,32: as a person types it after --set."""
    return f"{domain.kind}:{(',' if domain.kind == 'choice' else ':').join(map(number, domain.arguments()))}"


def duration(seconds: float) -> str:
    """42s, 3m 05s, 2h 00m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def memory(count: int) -> str:
    """512 MB, 7.9 GB; decimal units."""
    if round(count, -6) < 10**9:
        return f"{count / 10**6:.0f} MB"
    return f"{count / 10**9:.1f} GB"
