"""The readers by name, each loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from importlib import import_module

from gateway.importing.model import Reading, Request

READERS = ("wsdl", "odbc", "copybook", "table")


def reader(name: str) -> Callable[[Request], Reading]:
    """The function `read` of a reader."""
    found: Callable[[Request], Reading] = import_module(f"gateway.importing.{name}").read
    return found


def chosen(include: tuple[str, ...], exclude: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether globs let a name in; without `include` all are, upper and lower case are the same."""

    def lets_in(name: str) -> bool:
        name = name.lower()
        wanted = not include or any(fnmatchcase(name, each.lower()) for each in include)
        return wanted and not any(fnmatchcase(name, each.lower()) for each in exclude)

    return lets_in
