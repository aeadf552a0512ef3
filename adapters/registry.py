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
    except Exception as error:  # broad: a plug-in's module may raise anything, and the other kinds still serve
        sentence = f"its entry point {point.value} fails with {_told(error)}; mend or reinstall its package"
        raise UnknownKind(f"adapter kind '{name}' can't be loaded: {sentence}") from error
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
    return f"{_told(error)}; install the package that provides it"


def _told(error: Exception) -> str:
    """The error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
