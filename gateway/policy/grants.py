"""What of a route's replies a caller may see: the marks of the permits that let it in, taken together.

A row is visible when one of the permits shows it. A field of that row is clear when one of the permits that show the
row leaves it clear; else it is left out, or a token stands for it where one of those permits says so.
"""

from __future__ import annotations

import hmac
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from adapters.contract import Json
from gateway.call import Principal
from gateway.policy.rows import BoundRows, bind
from gateway.routing.rules import Mark, Path

Plan: TypeAlias = tuple[tuple[Path, ...], tuple[Path, ...]]
"""What is left out, and what a token stands for."""


@dataclass(frozen=True, slots=True)
class View:
    """What one permit shows to one caller; `rows` None: every row."""

    rows: BoundRows | None
    masked: frozenset[Path]
    tokenised: frozenset[Path]

    def covers(self, path: Path) -> bool:
        """Whether a field isn't clear in it: the field itself, or what it stands in."""
        return any(path[:size] in self.masked or path[:size] in self.tokenised for size in range(1, len(path) + 1))

    def tokenises(self, path: Path) -> bool:
        return path in self.tokenised and not any(path[:size] in self.masked for size in range(1, len(path) + 1))


class Grant:
    """What one caller may see of one route's replies. It never changes."""

    def __init__(self, marks: Sequence[Mark], principal: Principal, key: bytes) -> None:
        self._views = tuple(
            View(None if mark.rows is None else bind(mark.rows, principal), mark.masked, mark.tokenised)
            for mark in marks
        )
        self._key, self._tenant = key, (principal.tenant or "").encode() + b"\0"
        self._paths = sorted({path for view in self._views for path in view.masked | view.tokenised})
        # By which of the views show the row, a bit each.
        self._plans: dict[int, Plan] = {}
        self._whole = self._plan((1 << len(self._views)) - 1)
        self.narrows = all(view.rows is not None for view in self._views)
        """Whether there may be rows that it doesn't show."""
        whole_views = [view for view in self._views if view.rows is None]
        self.unsafe = frozenset(
            path for path in self._paths if any(view.covers(path) for view in self._views)
            and all(view.covers(path) for view in whole_views)
        )  # fmt: skip
        """The fields that may not be clear in some row, and so tell nothing by filters or sorting either."""
        rows = [view.rows for view in self._views if view.rows is not None]
        self.decides_by = frozenset(term.field[0] for each in rows for group in each.groups for term in group)
        """The members of a row that say whether it is visible, and what of it is clear."""

    @property
    def redacts(self) -> bool:
        """Whether some field may not be clear."""
        return bool(self.unsafe)

    @cached_property
    def spelt(self) -> str:
        """All of it as a text, the same in every process and snapshot."""
        views = ((view.rows and view.rows.groups, sorted(view.masked), sorted(view.tokenised)) for view in self._views)
        return repr(sorted(map(repr, views)))

    def always(self) -> Plan:
        """What is left out, and what is replaced, in every row."""
        return self._whole

    def shows(self, row: Json) -> bool:
        """Whether a row is visible."""
        return any(view.rows is None or view.rows.match(row) for view in self._views)

    def redacted(self, row: Json) -> Json:
        """A visible row without what isn't clear in it; the row itself stays as it is."""
        left_out, tokens = self._whole
        if len(self._views) > 1:
            bits = 0
            for number, view in enumerate(self._views):
                if view.rows is None or view.rows.match(row):
                    bits |= 1 << number
            left_out, tokens = self._plan(bits)
        for path in left_out:
            row = _changed(row, path, None)
        for path in tokens:
            row = _changed(row, path, self._token)
        return row

    def rows(self, names: Mapping[str, str] | None) -> list[list[list[Json]]] | None:
        """The visible rows as `ListRequest.of` takes them, each field by its name in `names` (None: by its own); None
        when they can't be said so."""
        groups: list[list[list[Json]]] = []
        for view in self._views:
            found = None if view.rows is None else view.rows.conditions(names)
            if found is None:
                return None
            groups += found
        return groups

    def _plan(self, bits: int) -> Plan:
        plan = self._plans.get(bits)
        if plan is None:
            showing = [view for number, view in enumerate(self._views) if bits >> number & 1]
            hidden = [path for path in self._paths if all(view.covers(path) for view in showing)]
            tokens = [path for path in hidden if any(view.tokenises(path) for view in showing)]
            plan = tuple(path for path in hidden if path not in tokens), tuple(tokens)
            self._plans[bits] = plan
        return plan

    def _token(self, value: Json) -> Json:
        """The token of a text: the same for the same text within a tenant, so that equals are still seen as equal."""
        if not isinstance(value, str):
            return _GONE if value is not None else None
        digest = hmac.digest(self._key, self._tenant + value.encode("utf-8", "surrogatepass"), "sha256")
        token = "tok-" + b32encode(digest[:16]).decode().rstrip("=").lower()
        # Whatever has to be an e-mail address stays one, which leads nowhere (RFC 2606).
        return f"{token}@token.invalid" if "@" in value else token


_GONE: Any = object()


def _changed(value: Json, path: Path, change: Callable[[Json], Json] | None) -> Json:
    """A copy of `value` in which what stands at `path` is changed, or left out; an array stands for its items."""
    if isinstance(value, list):
        return [_changed(each, path, change) for each in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    name, *below = path
    copy = dict(value)
    if below:
        copy[name] = _changed(value[name], tuple(below), change)
        return copy
    made = _each(value[name], change) if change is not None else _GONE
    if made is _GONE:
        del copy[name]
    else:
        copy[name] = made
    return copy


def _each(value: Json, change: Callable[[Json], Json]) -> Json:
    if not isinstance(value, list):
        return change(value)
    made = [_each(each, change) for each in value]
    return [each for each in made if each is not _GONE]
