"""Values with an inside: JSON documents, and PostgreSQL's arrays in their text form.

A number in a document that a double can't hold, an integer beyond 64 bits and a name that comes twice can't be spelt
exactly by what reads JSON, so they are refused. Raises ValueError with a sentence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from adapters.contract import Json
from adapters.depth import deeper_than

_LOW, _HIGH = -(2**63), 2**63 - 1
_DEEPEST = 64
_QUOTED = set('{}",\\ \t\n\r\v\f')


def write_document(value: Json) -> str:
    """A JSON value as the text to bind."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("must be a JSON value") from error
    if deeper_than(text.encode("utf-8", "surrogatepass"), value, _DEEPEST):
        raise ValueError(f"must have at most {_DEEPEST} levels")
    if "\\u0000" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must hold no NUL and no lone surrogate")
    return text


def read_document(raw: Any) -> Json:
    """The JSON value of a document's text, or of one that the driver took apart already."""
    if not isinstance(raw, str):
        raise ValueError("not a JSON text")
    try:
        value = json.loads(
            raw, parse_int=_integer, parse_float=_float, parse_constant=_constant, object_pairs_hook=_members
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if deeper_than(raw.encode("utf-8", "surrogatepass"), value, _DEEPEST):
        raise ValueError("nested too deeply")
    return value


def _integer(text: str) -> int:
    if len(text) > 20 or not _LOW <= int(text) <= _HIGH:
        raise ValueError("holds an integer beyond 64 bits")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if len(text) > 400 or not math.isfinite(number) or Decimal(repr(number)) != Decimal(text):
        raise ValueError("holds a number that a double can't")
    return number


def _constant(text: str) -> float:
    raise ValueError(f"holds {text}")


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("holds a name twice")
    return made


def write_array(value: Json, element: Callable[[Json], Any]) -> str:
    """An array's text, its elements written by `element`; arrays in arrays must be of one shape."""
    if not isinstance(value, list):
        raise ValueError("must be an array")
    if deeper_than(b"[" * (_DEEPEST + 1), value, 6):
        raise ValueError("must have at most 6 levels")
    _check_shape(value)
    return _written(value, element)


def _check_shape(value: list[Json]) -> None:
    shapes = {len(each) if isinstance(each, list) else -1 for each in value}
    if len(shapes) > 1 or 0 in shapes:
        raise ValueError("must have inner arrays of one length, and none that is empty")
    for each in value:
        if isinstance(each, list):
            _check_shape(each)


def _written(value: list[Json], element: Callable[[Json], Any]) -> str:
    return "{" + ",".join(_element(each, element) for each in value) + "}"


def _element(value: Json, element: Callable[[Json], Any]) -> str:
    if isinstance(value, list):
        return _written(value, element)
    if value is None:
        return "NULL"
    bound = element(value)
    text = "\\x" + bound.hex() if isinstance(bound, bytes) else str(bound)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_array(raw: Any, element: Callable[[str], Json]) -> list[Json]:
    """The elements of an array's text (`{1,NULL,"a b"}`), each read by `element`."""
    if not isinstance(raw, str) or not raw.startswith("{"):
        raise ValueError("not an array that starts at 1")
    parts = _parts(raw)
    next(parts)
    made = _read(parts, element)
    if next(parts, None) is not None:
        raise ValueError("not an array")
    return made


def _parts(raw: str) -> Iterator[str | tuple[str]]:
    """`{`, `}`, `,` as they are, and each element: quoted ones in a tuple, since a quoted NULL is a text."""
    place, end = 0, len(raw)
    while place < end:
        character = raw[place]
        if character in "{},":
            yield character
            place += 1
        elif character == '"':
            made: list[str] = []
            place += 1
            while raw[place : place + 1] != '"':
                place += raw[place : place + 1] == "\\"
                if place >= end:
                    raise ValueError("not an array")
                made.append(raw[place])
                place += 1
            yield ("".join(made),)
            place += 1
        else:
            start = place
            while place < end and raw[place] not in _QUOTED:
                place += 1
            if place == start:
                raise ValueError("not an array")
            yield raw[start:place]


def _read(parts: Iterator[str | tuple[str]], element: Callable[[str], Json]) -> list[Json]:
    """What stands up to the closing brace."""
    made: list[Json] = []
    expecting = True
    for part in parts:
        if part == "}" and (not expecting or not made):
            return made
        if part == ",":
            if expecting:
                break
            expecting = True
            continue
        if not expecting or part == "}":
            break
        expecting = False
        made.append(_one(part, parts, element))
    raise ValueError("not an array")


def _one(part: str | tuple[str], parts: Iterator[str | tuple[str]], element: Callable[[str], Json]) -> Json:
    if part == "{":
        return _read(parts, element)
    if isinstance(part, tuple):
        return element(part[0])
    return None if part == "NULL" else element(part)
