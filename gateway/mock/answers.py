"""What a route without a system answers: its contract's example with what the caller named in it, a list in pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from adapters.contract import Json, JsonSchema
from gateway.mock.mock import mocked, taking

_ITEMS = 5
"""How many items a mocked list has at least, where its schema takes them: enough for more than one page."""
_NAMES_ONE = ("id", "number", "key", "code")
"""How the names of members end by which items are told apart."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller named: parameters of the path in their order, members of the body, and a list's page request."""

    path: Mapping[str, Json]
    body: Json = None
    last: str = ""
    """The parameter with which the path ends, empty: it ends with none. It names the one entity that is answered."""
    page: Mapping[str, Any] | None = None
    """`{limit, after, where}` of a list; `after` is what `next` said."""


class Answers:
    """The mocked replies of one route: the same for the same question.

    Made on a thread: looking for a first example may take a while. Raises `CantMock` where there is none.
    """

    def __init__(self, schema: JsonSchema | None, examples: Sequence[Json], *, is_list: bool) -> None:
        self._takes: Callable[[Json], bool] = (lambda body: body is None) if schema is None else taking(schema)
        self._base = mocked(schema, examples)
        self._is_list = is_list and isinstance(self._base, dict) and isinstance(self._base.get("items"), list)
        if self._is_list:
            self._base = self._lengthened({**self._base, "next": None})
            # A contract may ask for several items: then the whole list is one page.
            self._divides = self._takes({**self._base, "items": self._base["items"][:1]})

    def takes(self, body: Json) -> bool:
        """Whether the contract takes a reply."""
        return self._takes(body)

    def to(self, asked: Asked) -> Json:
        """The reply to a question, the caller's to change; a list's `next` is the position of its next item, or
        None."""
        return deepcopy(self._page(asked) if self._is_list and asked.page is not None else self._one(asked))

    def _one(self, asked: Asked) -> Json:
        given = {**(asked.body if isinstance(asked.body, dict) else {}), **asked.path}
        value = self._base
        for name, said in given.items() if isinstance(value, dict) else ():
            member = _member(value, name, whole=name != asked.last)
            if member is not None and self._takes(changed := {**value, member: said}):
                value = changed
        return value

    def _page(self, asked: Asked) -> Json:
        page = asked.page or {}
        begin, limit = page.get("after") or 0, page["limit"]
        equal = {name: value for name, operator, value in page.get("where", ()) if operator == "eq"}
        whole = self._named({**asked.path, **equal})
        if not self._divides:
            return whole
        end = begin + limit
        return {**whole, "items": whole["items"][begin:end], "next": end if end < len(whole["items"]) else None}

    def _named(self, given: Mapping[str, Json]) -> dict[str, Any]:
        """The whole list, in which each item says of itself what the caller asked for."""
        whole: dict[str, Any] = self._base
        for name, said in given.items():
            items = [_with(item, name, said) for item in whole["items"]]
            if self._takes(changed := {**whole, "items": items}):
                whole = changed
        return whole

    def _lengthened(self, page: dict[str, Any]) -> dict[str, Any]:
        items = page["items"]
        for number in range(len(items), _ITEMS if items else 0):
            for item in _varied(page["items"][-1], number):
                if item not in page["items"] and self._takes(longer := {**page, "items": [*page["items"], item]}):
                    page = longer
                    break
        return page


def _with(item: Json, name: str, said: Json) -> Json:
    member = _member(item, name, whole=True) if isinstance(item, dict) else None
    return item if member is None else {**item, member: said}


def _member(value: Mapping[str, Json], name: str, *, whole: bool) -> str | None:
    """The member that a parameter names: of the same name however it is spelt or, unless it must be the whole name,
    of its end, as `customer_id` is the `id` of a customer."""
    members = {_plain(each): each for each in value}
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").split("_")
    tails = ("".join(words[start:]).lower() for start in range(1 if whole else len(words)))
    return next((members[tail] for tail in tails if tail in members), None)


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _varied(item: Json, number: int) -> Iterator[Json]:
    """Items that differ from `item` in one member, those first by which items are likely told apart."""
    if not isinstance(item, dict):
        return
    for name in sorted(item, key=lambda each: not _plain(each).endswith(_NAMES_ONE)):
        value = item[name]
        if isinstance(value, str):
            yield {**item, name: _counted(value, number)}
        elif isinstance(value, int) and not isinstance(value, bool):
            yield {**item, name: value + 1}


def _counted(text: str, number: int) -> str:
    """`C-10001` → `C-10002`, `text` → `text 2`."""
    digits = re.search(r"[0-9]+$", text)
    if digits is None:
        return f"{text} {number + 1}"
    return text[: digits.start()] + str(int(digits[0]) + 1).zfill(len(digits[0]))
