"""A request's body becomes a JSON value that has one meaning, and bounds, or a 400 that says where it hasn't.

JSON leaves open what a member that stands twice means (RFC 8259 §4) and how exact a number is (§6): two readers, say
a gateway that checks and a system that acts, could take one text for two things. Both are refused here, as is what is
too deep or has too many parts. None of it is looked for piece by piece unless a count says that it's there.
"""

from __future__ import annotations

import re

import orjson

from adapters.contract import Json
from adapters.depth import deeper_than
from gateway.errors import BadRequest

MOST_DEPTH = 64
MOST_PARTS = 100_000
_LONGEST_NUMBER = 64
_FIX = "Send valid JSON in UTF-8."
# 18 digits are within 64 bits; a longer run is looked at, be it in a number or not.
_LONG_RUN = b"0" * 19
_DIGITS = bytes(ord("0") if byte in b"0123456789." else ord(" ") for byte in range(256))
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(?:[ \t\r\n]*(:))?|[{}]|-?[0-9][0-9.eE+-]*')


def json_body(raw: bytes) -> Json:
    """The value of a JSON text; raises `BadRequest`."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        detail = f"The body isn't JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise BadRequest(detail, fix=_FIX) from error
    # The ways to say no at once come first; a small body passes them all in a microsecond.
    if raw.count(b"{") + raw.count(b"[") > MOST_DEPTH and deeper_than(raw, value, MOST_DEPTH):
        raise BadRequest(
            f"The body has more than {MOST_DEPTH} levels of arrays and objects.", fix=f"Send at most {MOST_DEPTH}."
        )
    if len(raw) > MOST_PARTS and _parts(raw) > MOST_PARTS and _parts(_STRING.sub(b"", raw)) > MOST_PARTS:
        raise BadRequest(f"The body has more than {MOST_PARTS} members and items.", fix="Send it in several requests.")
    # A value whose text had a member twice, written anew, has fewer colons than that: where no character is escaped,
    # strings are written as they were; elsewhere they are left out of the count.
    again = orjson.dumps(value)
    colons = bytes.count if b"\\" not in raw else _colons
    if colons(raw, b":") != colons(again, b":") or _LONG_RUN in raw.translate(_DIGITS):
        _scan(raw)
    return value


def _parts(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"{") + raw.count(b"[")


def _colons(raw: bytes, colon: bytes) -> int:
    return _STRING.sub(b"", raw).count(colon)


def _scan(raw: bytes) -> None:
    """Goes through a valid text token by token; raises for a member that stands twice, or an inexact number."""
    open_objects: list[set[str]] = []
    for token in _TOKEN.finditer(raw):
        text = token[0]
        if text == b"{":
            open_objects.append(set())
        elif text == b"}":
            open_objects.pop()
        elif token[1]:
            name = orjson.loads(text[:-1])
            if name in open_objects[-1]:
                raise BadRequest(
                    f"A member stands twice in one object: {_at(raw, token.start())}.", fix="Send it once."
                )
            open_objects[-1].add(name)
        elif text[:1] != b'"' and not _exact(text):
            detail = f"A number is too large or too long to be kept as it is written: {_at(raw, token.start())}."
            raise BadRequest(detail, fix="Send it as a text, where the contract takes one.")


def _exact(number: bytes) -> bool:
    """Whether a number is read without a change that matters: a whole one by 64 bits, others to a double's digits."""
    if len(number) > _LONGEST_NUMBER:
        return False
    return not number.removeprefix(b"-").isdigit() or -(2**63) <= int(number) < 2**64


def _at(raw: bytes, position: int) -> str:
    before = raw[:position]
    line, column = before.count(b"\n") + 1, position - before.rfind(b"\n")
    return f"line {line}, column {column}"
