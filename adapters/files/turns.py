"""Long work on a thread that lets others have their turn of the interpreter."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

_T = TypeVar("_T")

_EVERY = 8
_TURN, _PAUSE = 0.001, 0.0001
"""Seconds of work, and of waiting behind it: who reads meanwhile would else wait five times as long at each step."""


def giving_way(items: Iterator[_T]) -> Iterator[_T]:
    """The same items, with pauses between them."""
    begun = time.monotonic()
    for number, item in enumerate(items):
        if number % _EVERY == 0 and time.monotonic() - begun > _TURN:
            time.sleep(_PAUSE)
            begun = time.monotonic()
        yield item
