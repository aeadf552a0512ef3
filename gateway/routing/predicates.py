"""Row predicates: which rows of a route's replies a permit shows, as its annotation `@rows` says it.

    region = principal.tenant and (status in ['open', 'paid'] or not amount > 100.00)

A predicate compares members of a row with literals or with the principal: `=`, `!=`, `<`, `<=`, `>`, `>=`, `in [...]`,
joined by `and`, `or`, `not` and parentheses. `principal.id`, `.tenant`, `.agent`, `.issuer` are texts; `.roles` and
`.teams` stand behind `in`. Text is quoted by ' (doubled within); text is compared as it is written, letter case and
accents included, and has no order.

A member that is NULL or absent matches nothing, nor does its negation, as in SQL. Parsing answers the disjunctive
normal form, in which `not` has been pushed into the comparisons, so no other kind of row exists: a row is shown when
every term of one of the groups holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from adapters.contract import Json

TEXTS = ("id", "tenant", "agent", "issuer")
LISTS = ("roles", "teams")
_MOST_GROUPS, _MOST_TERMS, _MOST_VALUES, _DEEPEST, _LONGEST = 32, 200, 100, 20, 4000

_TOKEN = re.compile(
    r"(?P<text>'(?:[^']|'')*')|(?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![A-Za-z0-9_.])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<sign><=|>=|!=|=|<|>|\(|\)|\[|\]|,)"
)
_SIGNS = {"=": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "in": "out", "out": "in"}
_WORDS = frozenset({"and", "or", "not", "in", "true", "false", "null"})


class BadPredicate(ValueError):
    """A text that is no predicate; the message says where it stops being one."""


@dataclass(frozen=True, slots=True)
class OfPrincipal:
    """The principal's attribute instead of a literal."""

    name: str


Operand: TypeAlias = str | int | bool | Decimal | OfPrincipal | tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """`field op operand`: eq ne lt le gt ge with one value, in and out with several."""

    field: tuple[str, ...]
    op: str
    operand: Operand


Group: TypeAlias = tuple[Term, ...]
Predicate: TypeAlias = tuple[Group, ...]
"""Holds when every term of one of its groups does."""


def parse(text: str) -> Predicate:
    """The predicate that a text says; raises `BadPredicate`."""
    if len(text) > _LONGEST:
        raise BadPredicate(f"it is longer than {_LONGEST} characters")
    parser = _Parser(list(_tokens(text)))
    groups = parser.either(negated=False, depth=0)
    parser.end()
    return tuple(dict.fromkeys(tuple(dict.fromkeys(group)) for group in groups))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadPredicate(f"'{text[at : at + 12]}' at character {at + 1} can't stand here")
        kind = match.lastgroup or ""
        yield kind, match[0]
        at = match.end()


class _Parser:
    """Recursive descent; each rule answers its groups, negated where a `not` stands before."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens, self._at = tokens, 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise BadPredicate(f"'{self._peek()[1]}' comes after its end: join with 'and' or 'or'")

    def either(self, negated: bool, depth: int) -> list[Group]:
        return self._chain("or", self._both, negated, depth, joins=negated)

    def _both(self, negated: bool, depth: int) -> list[Group]:
        return self._chain("and", self._not, negated, depth, joins=not negated)

    def _chain(self, word: str, rule: Any, negated: bool, depth: int, *, joins: bool) -> list[Group]:
        # By De Morgan, a negated `or` joins what an `and` does, and the other way round.
        found: list[Group] = rule(negated, depth)
        while self._peek() == ("name", word):
            self._at += 1
            other: list[Group] = rule(negated, depth)
            found = [one + two for one in found for two in other] if joins else found + other
            if len(found) > _MOST_GROUPS or sum(map(len, found)) > _MOST_TERMS:
                raise BadPredicate("it has too many alternatives: write it simpler")
        return found

    def _not(self, negated: bool, depth: int) -> list[Group]:
        if depth > _DEEPEST:
            raise BadPredicate("it is nested too deep")
        if self._peek() == ("name", "not"):
            self._at += 1
            return self._not(not negated, depth + 1)
        if self._peek() == ("sign", "("):
            self._at += 1
            found = self.either(negated, depth + 1)
            self._take("sign", ")")
            return found
        term = self._term()
        return [(Term(term.field, _OPPOSITE[term.op], term.operand) if negated else term,)]

    def _term(self) -> Term:
        kind, name = self._next()
        if kind != "name" or name in _WORDS or name.split(".")[0] == "principal":
            raise BadPredicate(f"'{name}' stands where a member of the row is expected")
        field = tuple(name.split("."))
        kind, sign = self._next()
        negated = (kind, sign) == ("name", "not")
        if negated:
            kind, sign = self._next()
        if (kind, sign) == ("name", "in"):
            return Term(field, "out" if negated else "in", self._several())
        if negated or sign not in _SIGNS:
            raise BadPredicate(f"'{sign}' isn't a comparison: use {' '.join(_SIGNS)} or in")
        return Term(field, _SIGNS[sign], self._one())

    def _several(self) -> Operand:
        if self._peek()[0] == "name":
            name = self._principal(LISTS, "behind 'in'")
            return OfPrincipal(name)
        self._take("sign", "[")
        values = [self._one()]
        while self._peek() == ("sign", ","):
            self._at += 1
            values.append(self._one())
        self._take("sign", "]")
        if len(values) > _MOST_VALUES:
            raise BadPredicate(f"a list has at most {_MOST_VALUES} values")
        return tuple(values)

    def _one(self) -> Operand:
        kind, written = self._peek()
        if kind == "text":
            self._at += 1
            return written[1:-1].replace("''", "'")
        if kind == "number":
            self._at += 1
            return Decimal(written) if "." in written else int(written)
        if written in ("true", "false") and kind == "name":
            self._at += 1
            return written == "true"
        if written == "null":
            raise BadPredicate("nothing equals null: a member that is null matches nothing")
        return OfPrincipal(self._principal(TEXTS, "here"))

    def _principal(self, known: Sequence[str], where: str) -> str:
        kind, name = self._next()
        first, _, rest = name.partition(".")
        if kind != "name" or first != "principal" or rest not in known:
            options = ", ".join(f"principal.{each}" for each in known)
            raise BadPredicate(f"'{name}' can't stand {where}: write a literal or {options}")
        return rest

    def _take(self, kind: str, written: str) -> None:
        found = self._next()
        if found != (kind, written):
            raise BadPredicate(f"'{written}' is missing before '{found[1]}'")

    def _next(self) -> tuple[str, str]:
        found = self._peek()
        self._at += 1
        return found

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "the end")


# ── types ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TypedTerm:
    """A term whose field has a known type, `kind`: text, integer, decimal, number, boolean, date or instant."""

    field: tuple[str, ...]
    kind: str
    op: str
    operand: Any
    """In the JSON spelling of the kind, a tuple of such behind in and out, or `OfPrincipal`."""


TypedPredicate: TypeAlias = tuple[tuple[TypedTerm, ...], ...]


def typed(term: Term, kind: str) -> TypedTerm:
    """The term for a field of a kind; raises `BadPredicate` where it makes no sense."""
    name = ".".join(term.field)
    if term.op in ("lt", "le", "gt", "ge") and kind in ("text", "boolean"):
        raise BadPredicate(f"'{name}' is {kind}, which has no order: compare it with =, != or in")
    if isinstance(term.operand, OfPrincipal):
        if kind != "text":
            raise BadPredicate(f"'{name}' is {kind}, principal.{term.operand.name} is text")
        return TypedTerm(term.field, kind, term.op, term.operand)
    if isinstance(term.operand, tuple):
        if any(isinstance(each, OfPrincipal) for each in term.operand) and kind != "text":
            raise BadPredicate(f"'{name}' is {kind}, and what the principal has is text")
        values = tuple(each if isinstance(each, OfPrincipal) else _spelt(each, kind, name) for each in term.operand)
        return TypedTerm(term.field, kind, term.op, values)
    return TypedTerm(term.field, kind, term.op, _spelt(term.operand, kind, name))


def _spelt(value: Any, kind: str, name: str) -> Json:
    """A literal in the JSON spelling of the kind."""
    from_text, types = _LITERALS[kind]
    if type(value) not in types:
        raise BadPredicate(f"'{name}' is {kind}, which {value!r} isn't".replace("Decimal", ""))
    if kind == "integer" and not -(2**63) <= value < 2**63:
        raise BadPredicate(f"'{name}' is compared with a number of more than 64 bits")
    try:
        return from_text(value)
    except ValueError as error:
        raise BadPredicate(f"'{name}' is {kind}, which '{value}' isn't") from error


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _instant(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("no offset")
    return text


_LITERALS: dict[str, tuple[Any, tuple[type, ...]]] = {
    "text": (str, (str,)),
    "integer": (int, (int,)),
    "decimal": (lambda value: format(Decimal(value), "f"), (int, Decimal)),
    "number": (float, (int, Decimal)),
    "boolean": (bool, (bool,)),
    "date": (_date, (str,)),
    "instant": (_instant, (str,)),
}
