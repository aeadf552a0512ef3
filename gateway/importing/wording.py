"""The words of a source, as they go into a contract: what models will read.

They are told plainly, and what reads like instructions to a model isn't told at all. Words that were accepted once stay
(`contract.json`, whose hash the ledger has) until somebody accepts others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.importing.drift import Change, Grade
from gateway.importing.model import LeftOut
from gateway.routing.contracts import METHODS
from gateway.routing.lint_words import DATA, NAMED, WORDS
from gateway.untrusted.plain import instructs, plain

INSTEAD = "Not described, as the words of its source read like instructions to a model."
Place: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Words that aren't told: where they would stand, the rules that they break, and the words."""

    at: Place
    rules: str
    text: str


def worded(value: Any, unsaid: list[Unsaid], at: Place = (), *, named: bool = False) -> Any:
    """A document with its words told plainly; `unsaid` gathers those that aren't. What needs no change is the same
    object."""
    if isinstance(value, list):
        items = [worded(each, unsaid, (*at, number)) for number, each in enumerate(value)]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if not isinstance(value, Mapping):
        return value
    made = {key: _told(key, each, unsaid, (*at, key), named=named) for key, each in value.items()}
    return made if any(made[key] is not each for key, each in value.items()) else value


def _told(key: str, value: Any, unsaid: list[Unsaid], at: Place, *, named: bool) -> Any:
    if named or not isinstance(value, str):
        if not named and key in DATA:
            return value
        return worded(value, unsaid, at, named=not named and key in NAMED and isinstance(value, Mapping))
    if key not in WORDS:
        return value
    told = plain(value)
    rules = instructs(value) or instructs(told)
    if rules:
        unsaid.append(Unsaid(at, rules, value))
        return INSTEAD
    return value if told == value else told


def left_out(unsaid: list[Unsaid], document: Mapping[str, Any], files: Mapping[str, bytes]) -> list[LeftOut]:
    """What isn't told, as an import lists it, with the file and line of its source where they can be found."""
    return [
        LeftOut(f"{_owner(document, each.at)}: {each.at[-1]}", f"its words {_READ} ({each.rules})", _line(each, files))
        for each in unsaid
    ]


_READ = "read like instructions to a model"


def _line(unsaid: Unsaid, files: Mapping[str, bytes]) -> str:
    beginning = [re.escape(word) for word in unsaid.text.split()[:4]]
    pattern = re.compile(r"\s+".join(beginning).encode())
    for name in files:
        found = pattern.search(files[name]) if beginning else None
        if found is not None:
            return f"{name}:{files[name].count(10, 0, found.start()) + 1}"
    return ""


# ── what was accepted stays ──────────────────────────────────────────────────────────────────────────────────


def kept(new: Any, base: Any, changed: list[Place], at: Place = (), *, named: bool = False) -> Any:
    """`new` with the words that `base` has at the same place; `changed` gathers where they differ. What only one of
    them has is as `new` has it."""
    if isinstance(new, list) and isinstance(base, list):
        pairs = _paired(new, base)
        items = [
            kept(each, before, changed, (*at, number))
            for number, (each, before) in enumerate(zip(new, pairs, strict=True))
        ]
        return items if any(made is not old for made, old in zip(items, new, strict=True)) else new
    if not isinstance(new, Mapping) or not isinstance(base, Mapping):
        return new
    made = dict(new)
    for key, each in new.items():
        if key not in base or (not named and key in DATA):
            continue
        if not named and key in WORDS and isinstance(each, str) and isinstance(base[key], str):
            if each != base[key]:
                changed.append((*at, key))
                made[key] = base[key]
        else:
            inner = not named and key in NAMED and isinstance(each, Mapping)
            made[key] = kept(each, base[key], changed, (*at, key), named=inner)
    return made if any(made[key] is not each for key, each in new.items()) else new


def _paired(new: list[Any], base: list[Any]) -> list[Any]:
    """For each item the one of `base` that has its name, or stands where it does among as many; None: there is none."""
    names = {_name(each): each for each in base if _name(each)}
    if names:
        return [names.get(_name(each)) for each in new]
    return list(base) if len(new) == len(base) else [None] * len(new)


def _name(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, Mapping):
        return None
    name = value.get("name", value.get("$ref"))
    return (str(name), str(value.get("in", ""))) if name is not None else None


def words_drift(changed: list[Place], unsaid: list[Unsaid], document: Mapping[str, Any]) -> Iterator[Change]:
    """What changed in words, graded: what models read may not change unseen."""
    bad = {each.at: each.rules for each in unsaid}
    for at in changed:
        where = f"{_owner(document, at)}: {at[-1]}"
        if at in bad:
            yield Change(Grade.BREAKING, where, f"its words {_READ} now ({bad[at]}): they aren't taken over")
        else:
            yield Change(Grade.POTENTIALLY, where, "its words changed: read them before you accept them")


def _owner(document: Mapping[str, Any], at: Place) -> str:
    """What the words at a place describe: an operation, and a schema or member by its name."""
    if at[0] == "paths" and len(at) > 3 and at[2] in METHODS:
        operation = document["paths"][at[1]][at[2]]
        parts: list[Any] = [operation.get("operationId", f"{at[2]} {at[1]}")]
        inner, value = at[3:-1], operation
    elif at[0] == "components" and len(at) > 3:
        parts, inner, value = (
            [f"{str(at[1]).removesuffix('s')} {at[2]}"],
            at[3:-1],
            document["components"][at[1]][at[2]],
        )
    else:
        parts, inner, value = ["the contract"], at[:-1], document
    for part in inner:
        value = value[part]
        name = value.get("name") if isinstance(value, Mapping) else None
        parts.append(name if isinstance(name, str) else part)
    return ".".join(str(part) for part in parts if part not in ("properties", "schema", "parameters"))
