"""The sweep service and its command line; the only place where spaces meet trainables.

`from tune import search, Sweep, load_forecaster` is for scripts and notebooks; see `tune.api`.
"""

from typing import TYPE_CHECKING, Any

from tune.ray_backend import (
    settings as settings,  # what torch and Ray read when they are imported, before ours imports them
)

if TYPE_CHECKING:
    from tune.api import Forecaster, SearchError, Sweep, load_forecaster, search

_PUBLIC = ("Forecaster", "SearchError", "Sweep", "load_forecaster", "search")
__all__ = ["Forecaster", "SearchError", "Sweep", "load_forecaster", "search"]


def __getattr__(name: str) -> Any:
    """Import what is for scripts when it is asked for: a command needs none of it."""
    if name in _PUBLIC:
        from tune import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
