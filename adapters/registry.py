"""The kinds of adapter that are installed, found through the entry-point group `figway.adapters`, loaded lazily."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from adapters.contract import Kind

GROUP = "figway.adapters"

# The driver package that a kind's import may lack → how to get it.
_INSTALL = {
    "pyodbc": "unixODBC is missing: install it with 'apt-get install unixodbc'",
    "libodbc": "unixODBC is missing: install it with 'apt-get install unixodbc'",
}


class UnknownKind(LookupError):
    """No adapter of that kind is installed, or it can't be loaded; the message says what to do."""


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> list[str]:
    """The kinds that are installed, sorted, without loading any."""
    return sorted(_entry_points())


@cache
def kind(name: str) -> Kind:
    """The kind called `name`; raises `UnknownKind`."""
    point = _entry_points().get(name)
    if point is None:
        raise UnknownKind(f"no adapter of kind '{name}' is installed; there are {', '.join(names())}")
    try:
        loaded = point.load()
    except ImportError as error:
        raise UnknownKind(f"adapter kind '{name}' can't be loaded: {_advice(error)}") from error
    if not isinstance(loaded, Kind):
        raise UnknownKind(
            f"entry point '{name}' in {GROUP} names {point.value}, which is not an adapters.contract.Kind"
        )
    return loaded


def _advice(error: ImportError) -> str:
    text = str(error)
    for fragment, sentence in _INSTALL.items():
        if fragment in text:
            return sentence
    return f"{text}; install the package that provides it"
