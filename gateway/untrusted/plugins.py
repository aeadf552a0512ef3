"""Scanners that other packages bring, found through the entry-point group `figway.scanners`.

An entry point names a function from a text to whether it holds instructions to a model. It runs on a thread, and
keeps its own bounds; where it fails, its rule counts as found: what can't be looked at isn't called clean.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from gateway.untrusted.scanner import Look

GROUP = "figway.scanners"

logger = logging.getLogger("figway")


class UnknownScanner(LookupError):
    """No scanner of that name is installed, or it can't be loaded; the message says what to do."""


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


@cache
def scanner_called(name: str) -> Look:
    """The scanner of that name; raises `UnknownScanner`."""
    point = _installed().get(name)
    if point is None:
        known = ", ".join(sorted(_installed())) or "none"
        raise UnknownScanner(f"no scanner '{name}' is installed; there are {known}")
    try:
        look = point.load()
    except Exception as error:  # broad: a plug-in's module may raise anything
        raise UnknownScanner(f"scanner '{name}' can't be loaded ({type(error).__name__}): reinstall it") from error
    if not callable(look):
        raise UnknownScanner(f"scanner '{name}' isn't a function from a text to true or false")

    def guarded(text: str) -> bool:
        try:
            return bool(look(text))
        except Exception:  # broad: a plug-in may raise anything, and what it couldn't look at isn't clean
            logger.exception("scanner '%s' failed", name)
            return True

    return guarded
