"""A tool as it is searched: what its name, its sentences and its schemas say, by their weight."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gateway.catalogue.intent import READS, VERBS, Act
from gateway.catalogue.language import is_plural, pair_of, plain, stems_of, words_of

# What a word counts where it stands, and how many of them are usual there: in longer texts each counts less.
_NAME, _TITLE, _TOLD, _ARGUMENT, _SAID, _ANSWER = (5.0, 3), (3.0, 5), (2.0, 14), (1.2, 10), (0.8, 40), (0.7, 20)
_SURE, _LESS_SURE = (3.0, 1), (1.5, 1)
_DEEPEST = 6
"""Levels of a schema that are looked at."""
_MOST = 2_000
"""Parts of a schema that are looked at."""
_PREFIX = re.compile(r"\^?([A-Za-z]{1,5}[-_/]?)(?:\[|\\d|\d)")
_PATH = re.compile(r"{([^{}]*)}")
_PAGING = frozenset({"limit", "cursor", "sort", "fields", "expand", "_gateway", "next", "items", "result", "offset"})
_NUMBERS = frozenset(stems_of("id number no nr code key identifier num"))


@dataclass(frozen=True, slots=True)
class Entry:
    """`terms`: stem → what it counts; `about`: the stems of the name without its verb; `verb`: that verb, where it is
    one of its own such as `approve`; `usual`: it, where it is one such as `add`; `needs`: for each parameter of the
    path, the stems of what it names; `takes`: the same for its other arguments; `codes`: what codes of examples and
    patterns begin with, and what they name; `one`: of a path that ends with a parameter, what stands before it, and
    `all`: any other path, so that `one` of a tool is `all` of those that list and create what it is about."""

    name: str
    act: Act
    terms: Mapping[str, float]
    about: frozenset[str]
    verb: str | None
    usual: str | None
    needs: tuple[frozenset[str], ...]
    takes: frozenset[frozenset[str]]
    codes: frozenset[tuple[str, frozenset[str]]]
    one: str | None
    all: str | None


def entry_of(told: Mapping[str, Any], *, method: str, path: str, is_list: bool) -> Entry:
    """A tool as `tools/list` says it, and where its route is."""
    name = stems_of(told["name"])
    plural = any(is_plural(each) for each in words_of(told["name"])[-1:])
    act = _act(name, method, is_list or plural, read=bool(told["annotations"]["readOnlyHint"]))
    needs = tuple(_named(each) for each in _PATH.findall(path))
    usual = {each for each in (name[:1] + name[-1:]) if any(each in said for said in VERBS.values())}
    own = name[0] if len(name) > 1 and not usual and stems_of(told["title"])[:1] == name[:1] else None
    about = (frozenset(name) - usual - {own}) or frozenset(name)
    before, param, _ = path.rpartition("/{") if path.endswith("}") else ("", "", "")
    taken = {_named(member) for member, _, _ in _members(told["inputSchema"])}
    return Entry(
        told["name"],
        act,
        _terms(told, path, name),
        about,
        own,
        next(iter(sorted(usual)), None),
        needs,
        frozenset(taken - {frozenset()} - set(needs)),
        frozenset(_owned(told, needs[-1] if param else about)),
        before if param else None,
        None if param else path,
    )


def _named(member: str) -> frozenset[str]:
    """What a member names whose number it is: `customer_no` is a customer's."""
    return frozenset(stems_of(member)) - _NUMBERS


def _owned(told: Mapping[str, Any], own: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What codes begin with, and what they name; a bare `id` is that of what it is a member of, else of `own`."""
    for schema in (told["inputSchema"], told.get("outputSchema", {})):
        for member, each, within in _members(schema):
            whose = _named(member) or _named(within) or own
            yield from ((code, whose) for code in _codes(each))


def _act(name: list[str], method: str, is_list: bool, *, read: bool) -> Act:
    first = next((act for act, verbs in VERBS.items() if name[:1] and name[0] in verbs), None)
    if read:
        if any(each in VERBS[Act.COUNT] for each in name):
            return Act.COUNT
        return Act.LIST if is_list or first is Act.LIST else Act.READ
    if method == "DELETE" or first is Act.DELETE:
        return Act.DELETE
    if first is not None and first not in READS:
        return first
    return Act.CHANGE if method in ("PUT", "PATCH") else Act.OTHER


def _terms(told: Mapping[str, Any], path: str, name: list[str]) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    _count(sums, _without_verb(name), _NAME)
    _count(sums, _without_verb(stems_of(told.get("title", ""))), _TITLE)
    description = told.get("description", "").removeprefix(told.get("title", ""))
    _count(sums, stems_of(description), _TOLD)
    _count(sums, _pairs(_without_verb(name)), _SURE)
    _count(sums, stems_of(_PATH.sub(" ", path)), _TITLE)
    names: list[str] = []
    said: list[str] = []
    for member, schema, _ in _members(told["inputSchema"]):
        names += stems_of(member)
        said += _said(schema)
        _count(sums, [*_codes(schema), *_pairs(stems_of(member))], _SURE)
    _count(sums, names, _ARGUMENT)
    _count(sums, said, _SAID)
    names, said = [], []
    for member, schema, _ in _members(told.get("outputSchema", {})):
        names += stems_of(member)
        said += _said(schema)
        _count(sums, [*_codes(schema), *_pairs(stems_of(member))], _LESS_SURE)
    _count(sums, names, _ANSWER)
    _count(sums, said, _SAID)
    return dict(sums)


def _without_verb(stems: list[str]) -> list[str]:
    """What is done by every second tool is known as its `act`, and says nothing else."""
    usual = bool(stems) and any(stems[0] in said for said in VERBS.values())
    return stems[1:] if usual else stems


def _pairs(stems: list[str]) -> list[str]:
    return [pair_of(*each) for each in pairwise(stems)]


def _count(sums: defaultdict[str, float], stems: list[str], weighed: tuple[float, int]) -> None:
    weight, usual = weighed
    share = weight / (0.5 + 0.5 * max(len(stems), 1) / usual)
    for each, times in Counter(stems).items():
        sums[each] += share * times / (times + 0.5) * 1.5


def _members(schema: Any, deep: int = 0, within: str = "") -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """The named members of a schema, at any depth, each with the name of what it stands in, where that says one."""
    if not isinstance(schema, Mapping) or deep > _DEEPEST:
        return
    for name, member in schema.get("properties", {}).items():
        if not isinstance(member, Mapping):
            continue
        if name not in _PAGING:
            yield name, member, within
        if name != "_gateway":
            yield from _members(member, deep + 1, within if name in _PAGING else name)
    yield from _members(schema.get("items"), deep + 1, within)
    for kind in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(kind, ()):
            yield from _members(each, deep + 1, within)


def _said(schema: Mapping[str, Any]) -> list[str]:
    texts = [schema.get("description", ""), schema.get("title", "")]
    texts += [each for each in schema.get("enum", ()) if isinstance(each, str)]
    texts += [each for each in schema.get("examples", ()) if isinstance(each, str)]
    return [each for text in texts if isinstance(text, str) for each in stems_of(text)]


def _codes(schema: Mapping[str, Any]) -> list[str]:
    """What the values of a member begin with, such as `#c-` for C-10001."""
    texts = [schema.get("pattern", ""), *schema.get("examples", ()), schema.get("example", "")]
    found = {code_of(text) for text in texts if isinstance(text, str)}
    return [each for each in found if each is not None]


def code_of(text: str) -> str | None:
    """What stands for texts that begin as this one, a pattern or an example, does: letters before a digit."""
    found = _PREFIX.match(text)
    return None if found is None else f"#{plain(found[1])}"
