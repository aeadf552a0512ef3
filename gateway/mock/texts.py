"""A text that a pattern takes: the shortest that is easily found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from re import _parser  # type: ignore[attr-defined]  # the standard library's own reading of a pattern
from typing import Any

_MOST = 1000
"""Repetitions of one part, at most."""
_PRINTABLE = "a0A1 bB-_.,:;/@#+*~!?$%&()[]{}<>='\"^|\\`" + "cdefghijklmnopqrstuvwxyzCDEFGHIJKLMNOPQRSTUVWXYZ23456789"
_CLASSES: Mapping[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_NOT_DIGIT": lambda each: not each.isdecimal(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda each: not each.isspace(),
    "CATEGORY_WORD": lambda each: each.isalnum() or each == "_",
    "CATEGORY_NOT_WORD": lambda each: not (each.isalnum() or each == "_"),
}


def matching(pattern: str, least: int, most: int) -> Iterator[str]:
    """Texts that `pattern` probably takes, of `least` to `most` characters where it lets them grow; none where it can't
    be read. Look-arounds are passed over, so each must still be held against it."""
    try:
        parsed = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return
    for extra in dict.fromkeys((0, least, 1, 2)):
        text = _text(parsed, extra)
        if text is not None and len(text) <= most:
            yield text
            if len(text) < least:  # a pattern that isn't anchored takes more around it
                yield text + "a" * (least - len(text))
                yield "a" * (least - len(text)) + text


def _text(parsed: Any, extra: int) -> str | None:
    """What the parts make together; `extra` more of each that may repeat. None: a part has no text."""
    made: list[str] = []
    for code, argument in parsed:
        piece = _part(str(code), argument, extra)
        if piece is None:
            return None
        made.append(piece)
    return "".join(made)


def _part(code: str, argument: Any, extra: int) -> str | None:
    match code:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return next(each for each in _PRINTABLE if each != chr(argument))
        case "ANY":
            return "a"
        case "IN":
            return next((each for each in _PRINTABLE if _in(each, argument)), _first(argument))
        case "BRANCH":
            return next((text for each in argument[1] if (text := _text(each, extra)) is not None), None)
        case "SUBPATTERN":
            return _text(argument[3], extra)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, high, inner = argument
            one = _text(inner, extra)
            return None if one is None else one * min(int(high), int(low) + extra, max(int(low), _MOST))
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return ""
    return None


def _in(char: str, options: Any) -> bool:
    negated = bool(options) and str(options[0][0]) == "NEGATE"
    return negated != any(_is(char, str(code), argument) for code, argument in options)


def _is(char: str, code: str, argument: Any) -> bool:
    if code == "LITERAL":
        return ord(char) == int(argument)
    if code == "RANGE":
        return bool(argument[0] <= ord(char) <= argument[1])
    return code == "CATEGORY" and _CLASSES[str(argument)](char)


def _first(options: Any) -> str | None:
    """The first character of a class of which none is a usual one."""
    code, argument = options[0]
    if str(code) == "LITERAL":
        return chr(argument)
    return chr(argument[0]) if str(code) == "RANGE" else None
