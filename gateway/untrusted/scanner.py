"""Looks for instructions to a model in what a reply holds, in time that is in proportion to its length.

All rules together are one regular expression, over the reply's encoded bytes; only where that finds something are its
texts looked at one by one, to say where. The engine is Rust's `regex`, by way of the validator of JSON Schemas: it
doesn't backtrack, so no rule and no text makes it take for ever. Texts written for that purpose cost some hundred times
what others do, so that there is also a time after which the rest of a reply counts as not looked at.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import takewhile

import jsonschema_rs
import orjson

from adapters.contract import Json
from adapters.errors import pointer
from gateway.untrusted.rules import BUILT_IN, Rule

MOST_FOUND = 16
"""Places that are told of one reply."""
UNREAD = "unread"
"""The rule of a reply whose rest wasn't looked at, as that would have taken too long."""
_PIECE = 8 * 1024
_OVERLAP = 1024
"""Characters looked at in one go, some 30 µs and 8 ms at worst, and those that two pieces share."""
_LONGEST = 1.0
"""Seconds of CPU for which a reply is looked at, enough for 200 MB of what is usual."""
_NEVER = float("inf")
_OFTEN = 64
_MOST_PROGRAM = 32 * 2**20
_MOST_STATES = 8 * 2**20
_DEEPEST = 128
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]+")

Look = Callable[[str], bool]
"""Whether a text, of at most 8 Ki characters, has what it looks for."""


class BadPattern(ValueError):
    """A regular expression that the engine doesn't take, or that is too large."""


class _Spent(Exception):
    """The time for a reply is over."""


@dataclass(frozen=True, slots=True)
class Found:
    """A text that a rule found something in. `at` is a JSON Pointer (RFC 6901) into the reply; what was found is
    never told."""

    at: str
    rule: str


@lru_cache(maxsize=256)
def look_for(pattern: str) -> Look:
    """What looks for a pattern; raises `BadPattern`. Lookaround and references back are unknown to the engine."""
    options = jsonschema_rs.RegexOptions(size_limit=_MOST_PROGRAM, dfa_size_limit=_MOST_STATES)
    try:
        absent = jsonschema_rs.Draft202012Validator({"not": {"pattern": pattern}}, pattern_options=options)
    except ValueError as error:
        raise BadPattern("it isn't a regular expression of linear time, or it is too large") from error
    is_absent = absent.is_valid
    return lambda text: not is_absent(text)


class Scanner:
    """Holds replies against rules. `looks` are further ones, such as other packages bring, by id."""

    def __init__(self, rules: Sequence[Rule] = BUILT_IN, looks: Sequence[tuple[str, Look]] = ()) -> None:
        self.rules, self._looks = tuple(rules), tuple(looks)
        # What is built in and what a workspace adds are apart, as the first is the dearer to make, and always the same.
        # The largest rule stands alone: joined with others it makes an automaton whose states are far more.
        parts = (BUILT_IN[:1], BUILT_IN[1:], [each for each in rules if each not in BUILT_IN])
        self._any = [look_for("|".join(f"(?:{each.pattern})" for each in part)) for part in parts if part]
        self._each: list[tuple[str, Look]] = []

    def with_more(self, rules: Sequence[Rule], looks: Sequence[tuple[str, Look]]) -> Scanner:
        """A scanner that looks for more."""
        return Scanner((*self.rules, *rules), (*self._looks, *looks))

    @property
    def ids(self) -> list[str]:
        """What it may say that it found."""
        return [*(each.id for each in self.rules), *(name for name, _ in self._looks), UNREAD]

    @property
    def slow(self) -> bool:
        """Whether it has code of others to run, which is for whole texts: there is no telling beforehand."""
        return bool(self._looks)

    def suspects(self, encoded: str) -> bool:
        """Whether JSON, as it is sent, may hold something: quick, and wrong only in saying yes."""
        return self.slow or self._has_any(encoded)

    def look(self, encoded: str, seconds: float = _LONGEST) -> list[Found]:
        """Where in JSON, as it is sent, something was found; what isn't looked at within so many seconds of this
        thread's CPU is told as the rule `unread`. Blocks."""
        until = time.thread_time() + seconds
        found: list[Found] = []
        try:
            if self.slow or self._has_any(encoded, until):
                self._gather(orjson.loads(encoded), found, until)
        except _Spent:
            found = [*found[: MOST_FOUND - 1], Found("", UNREAD)]
        return found

    def found(self, value: Json) -> list[Found]:
        """Where in a JSON value something was found: 16 places at most, member names included."""
        found: list[Found] = []
        self._gather(value, found, _NEVER)
        return found

    def _gather(self, value: Json, found: list[Found], until: float) -> None:
        for number, (at, text) in enumerate(_texts(value, ())):
            if number % _OFTEN == 0 and time.thread_time() > until:
                raise _Spent
            if self.slow or self._has_any(text, until):
                found += [Found(self._place(at), name) for name, look in self._by_id() if _has(text, look, until)]
                if len(found) >= MOST_FOUND:
                    del found[MOST_FOUND:]
                    return

    def _has_any(self, text: str, until: float = _NEVER) -> bool:
        return any(_has(text, look, until) for look in self._any)

    def _place(self, at: tuple[str | int, ...]) -> str:
        """Where that is; only around a member whose name is itself what is looked for, as names are told."""
        clean = takewhile(lambda part: isinstance(part, int) or not self._has_any(part), at)
        return pointer(*clean)

    def rules_in(self, text: str) -> list[str]:
        """The ids of the rules that find something in one text."""
        return list(dict.fromkeys(each.rule for each in self.found(text)))

    def _by_id(self) -> list[tuple[str, Look]]:
        """Every rule by itself, made when the first text asks which it was."""
        if not self._each:
            self._each = [*((each.id, look_for(each.pattern)) for each in self.rules), *self._looks]
        return self._each


def _has(text: str, look: Look, until: float) -> bool:
    if len(text) <= _PIECE:
        return _sees(look, text)
    for at in range(0, len(text), _PIECE - _OVERLAP):
        if time.thread_time() > until:
            raise _Spent
        if _sees(look, text[at : at + _PIECE]):
            return True
    return False


def _sees(look: Look, text: str) -> bool:
    """Whether `look` finds something in a text as it stands, or in what it looks like to a reader."""
    if look(text):
        return True
    plain = _undisguised(text)
    return plain is not text and look(plain)


def _undisguised(text: str) -> str:
    """The text without invisible characters, its letters as they are read (NFKC); itself where that is so already."""
    if text.isascii():
        return text
    try:
        text.encode("latin-1")
        hidden = "\u00ad" in text
    except UnicodeEncodeError:
        hidden = not unicodedata.is_normalized("NFKC", text) or _INVISIBLE.search(text) is not None
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)) if hidden else text


def _texts(value: Json, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text of a JSON value and where it stands, in order; a member's name stands
    where the object does, as it may be what is looked for."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, list) and len(at) < _DEEPEST:
        for number, each in enumerate(value):
            yield from _texts(each, (*at, number))
    elif isinstance(value, dict) and len(at) < _DEEPEST:
        for name, each in value.items():
            yield at, name
            yield from _texts(each, (*at, name))


@cache
def built_in() -> Scanner:
    """The scanner with the rules that every workspace has."""
    return Scanner()
