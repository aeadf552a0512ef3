"""A question as it is asked: by parameters with texts for values, the same for HTTP and for the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.audit.question import FIELDS, Question, microseconds

_MOST_TEXT = 1024
_UNKNOWN = f"is no parameter of this list: it takes {', '.join(FIELDS)}, upstream, text, status and time"


class BadQuestion(ValueError):
    """A parameter that can't be used: its `name`, and as the message what is wrong with it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


def question_of(parameters: Mapping[str, str]) -> Question:
    """The question; raises `BadQuestion`. Parameters are those of `FIELDS`, `upstream`, `text`, `time.ge`, `time.lt`,
    `status`, `status.ge` and `status.le`; a status may be written 4xx."""
    equal: dict[str, str] = {}
    rest: dict[str, Any] = {}
    for name, value in parameters.items():
        if not value or len(value) > _MOST_TEXT:
            raise BadQuestion(name, f"must be 1 to {_MOST_TEXT} characters")
        if name in FIELDS:
            equal[name] = value
        elif name in _BOUNDS:
            rest |= _bound(name, value)
        elif name in ("upstream", "text"):
            rest[name] = value
        else:
            raise BadQuestion(name, _UNKNOWN)
    return Question(equal, **rest)


def _bound(name: str, value: str) -> dict[str, int]:
    try:
        return _BOUNDS[name](value)
    except (ValueError, OverflowError) as error:
        raise BadQuestion(name, _WANTED[name.partition(".")[0]]) from error


def _status(value: str) -> tuple[int, int]:
    """The least and the most status that `value` means: 503, or 5xx for all of them."""
    if len(value) == 3 and value[1:] == "xx" and value[0] in "12345":
        return int(value[0]) * 100, int(value[0]) * 100 + 99
    if not (value.isascii() and value.isdigit() and len(value) <= 3):
        raise ValueError(value)
    return int(value), int(value)


_WANTED = {"time": "must be an RFC 3339 time, such as 2026-03-01T12:00:00Z", "status": "must be a status, or 4xx"}
_BOUNDS: Mapping[str, Callable[[str], dict[str, int]]] = {
    "time.ge": lambda value: {"since": microseconds(value)},
    "time.lt": lambda value: {"until": microseconds(value)},
    "status": lambda value: dict(zip(("least_status", "most_status"), _status(value), strict=True)),
    "status.ge": lambda value: {"least_status": _status(value)[0]},
    "status.le": lambda value: {"most_status": _status(value)[1]},
}
