"""One entity asked for on both sides and compared, and pages of both lists: in somebody's name, under legacy's budget.

A difference counts only where no write of the entity was under way between the two answers; what legacy does to itself
is noise, as everywhere in comparing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import orjson

from adapters.contract import Json
from gateway.call import Call, Principal, new_id
from gateway.migration.budget import Budget
from gateway.migration.compare.model import Comparison, Observed
from gateway.migration.compare.redact import Redactor
from gateway.migration.entity import entity_in
from gateway.migration.model import Group, Side
from gateway.migration.outbox import Outbox
from gateway.migration.reads import Both
from gateway.migration.reconcile.model import Kind, Look
from gateway.migration.reconcile.ways import Ways
from gateway.migration.shadow import Skipped, ask
from gateway.routing.model import Route
from gateway.telemetry import continue_trace

_LATE = 1.0
_GONE = (404, 410)
_PAUSE, _LONGEST_PAUSE = 0.002, 0.25
_PAGE = 200
UNDER_WAY = "a write of it is under way, or one side hasn't seen one yet"


class Page(NamedTuple):
    """One page of a side's list, and the cursor of the next one; None: it is the last."""

    items: list[Json]
    cursor: str | None


class _Question(NamedTuple):
    """What either side is asked, and in whose name."""

    route: Route
    who: Principal
    path: Mapping[str, Json] = {}
    query: Mapping[str, Json] = {}


class CannotAsk(Exception):
    """A page can't be had; the message says why, in a sentence's words."""


@dataclass(frozen=True, slots=True)
class Means:
    """What asking works with in this process."""

    budget: Budget
    outbox: Outbox
    redactor: Redactor
    served: Callable[[], int]
    """The snapshot that is served now."""


class Asking:
    """One group in one snapshot. `both` has its detail and its list, by operationId."""

    def __init__(
        self, group: Group, ways: Ways, both: Mapping[str, Both], means: Means, snapshot: int, page: int
    ) -> None:
        self.group, self.ways, self.snapshot = group, ways, snapshot
        self._both, self._means, self._page = both, means, page
        self._entity = None if ways.detail is None else entity_in(group, ways.detail)

    def entity_of(self, id: Json, who: Principal) -> str:
        """By what the outbox knows the entity whose path parameter is `id`."""
        if self.ways.detail is None or self._entity is None:
            return str(id)
        return self._entity(self._call(_Question(self.ways.detail, who, {self.ways.parameter: id}))) or str(id)

    # ── one entity ───────────────────────────────────────────────────────────────────────────────────────────

    async def look(self, id: Json, entity: str, who: Principal) -> Look:
        """How the two sides have an entity; needs a detail."""
        route, outbox, name = self.ways.detail, self._means.outbox, self.group.name
        assert route is not None
        question = _Question(route, who, {self.ways.parameter: id})
        look = Look(Kind.UNKNOWN)
        for careful in (False, True):
            seen = outbox.pending.changes
            newest = await outbox.newest(name, entity) if careful else None
            if outbox.pending(name, entity):
                return Look(Kind.UNKNOWN, UNDER_WAY, passing=True)
            look = await self._looked(question)
            if look.kind in (Kind.SAME, Kind.UNKNOWN) or outbox.pending.changes == seen:
                return look
            if careful and await outbox.newest(name, entity) != newest:
                return Look(Kind.UNKNOWN, UNDER_WAY, passing=True)
        return look

    async def _looked(self, question: _Question) -> Look:
        judge = self._both[question.route.operation_id].judge
        try:
            # Legacy comes last: it isn't asked for nothing.
            replacement = await self._ask("replacement", question)
            legacy = await self._ask("legacy", question)
            gone = [each.status in _GONE for each in (legacy, replacement)]
            if all(gone):
                return Look(Kind.SAME, "neither has it")
            for each, is_gone in zip((legacy, replacement), gone, strict=True):
                if each.problem is not None and not is_gone:
                    return Look(Kind.UNKNOWN, f"a side answers {each.problem}", passing=True)
            found = await judge(legacy, replacement, None)
            if found.verdict == "mismatch" and not any(gone):
                found = await judge(legacy, replacement, await self._ask("legacy", question))
        except Skipped as skipped:
            return Look(Kind.UNKNOWN, f"a side wasn't asked: {skipped}", passing=True)
        return self._told(found, legacy, replacement)

    def _told(self, found: Comparison, legacy: Observed, replacement: Observed) -> Look:
        if found.verdict == "incomparable":
            return Look(Kind.UNKNOWN, found.reason, passing=True)
        if found.verdict != "mismatch":
            return Look(Kind.SAME, found.verdict)
        kind = Kind.DIFFERENT
        if legacy.problem is not None or replacement.problem is not None:
            kind = Kind.MISSING if legacy.problem is None else Kind.EXTRA
        wrong = (each for each in found.differences if each.verdict == "mismatch" and each.pointer.startswith("/"))
        members = {each.pointer.split("/")[1].replace("~1", "/").replace("~0", "~") for each in wrong}
        bodies = [None if each.problem is not None else each.body for each in (legacy, replacement)]
        sample = self._means.redactor.comparison(found)
        return Look(kind, "", sample, False, bodies[0], bodies[1], tuple(sorted(members)))

    async def compared(self, legacy: Json, replacement: Json) -> Look:
        """How two items of the lists compare."""
        listing = self.ways.listing
        assert listing is not None
        judge = self._both[listing.operation_id].judge
        pages = [Observed(200, {"items": [item], "next": None}) for item in (legacy, replacement)]
        found = await judge(pages[0], pages[1], None)
        if found.verdict == "incomparable":
            return Look(Kind.UNKNOWN, found.reason)
        if found.verdict != "mismatch":
            return Look(Kind.SAME, found.verdict)
        return Look(Kind.DIFFERENT, "", self._means.redactor.comparison(found))

    async def newest(self, entity: str) -> tuple[int, int]:
        """The number of the entity's newest write in the outbox, and how many of its writes are open."""
        return await self._means.outbox.newest(self.group.name, entity)

    # ── pages ────────────────────────────────────────────────────────────────────────────────────────────────

    async def page(self, side: Side, cursor: str | None, who: Principal) -> Page:
        """A page of one side's list; raises `CannotAsk`."""
        route = self.ways.listing
        assert route is not None
        query: dict[str, Json] = {"limit": _limit(route, self._page)}
        query |= {each.name: each.default for each in route.parameters if _has_default(each)}
        question = _Question(route, who, query=query if cursor is None else {**query, "cursor": cursor})
        try:
            observed = await self._ask(side, question)
        except Skipped as skipped:
            raise CannotAsk(f"{side} wasn't asked: {skipped}") from skipped
        body = observed.body
        if observed.problem is not None or not isinstance(body, Mapping) or not isinstance(body.get("items"), list):
            raise CannotAsk(f"{side} answers {observed.problem or 'no page'}")
        return Page(body["items"], _cursor(body.get("next")))

    async def _ask(self, side: Side, question: _Question) -> Observed:
        """What a side answers; legacy as soon as its budget allows. Raises `Skipped`."""
        both = self._both[question.route.operation_id]
        if side == "replacement":
            return (await ask(both.sides[side], self._call(question), both.deadline)).observed
        pause, take = _PAUSE, self._means.budget.take
        while (claim := take(both.legacy, "reconcile", both.deadline + _LATE, both.extra)) is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        try:
            # An entity that is looked at isn't worth a call of a legacy system that has been laid down meanwhile.
            if question.route is self.ways.detail and self._means.served() != self.snapshot:
                raise Skipped("superseded")
            return (await ask(both.sides[side], self._call(question), both.deadline)).observed
        finally:
            claim.release()

    def _call(self, question: _Question) -> Call:
        """A call of its own: handlers change it."""
        route, path = question.route, dict(question.path)
        target = route.path
        for name, value in path.items():
            target = target.replace(f"{{{name}}}", quote(str(value), safe=""))
        return Call(
            id=new_id(),
            operation=route.operation_id,
            snapshot=self.snapshot,
            method=route.method,
            target=target,
            deadline=time.monotonic(),
            traceparent=continue_trace(None),
            path=path,
            query=dict(question.query),
            principal=question.who,
            route=route.path,
            effect=route.effect.value,
            batch=True,
        )


def _has_default(parameter: Any) -> bool:
    return parameter.where == "query" and parameter.default is not None and parameter.name != "limit"


def _limit(route: Route, most: int) -> int:
    """As many items a page as the list takes, and no more than it needs to be quick."""
    named = (each.schema.get("maximum") for each in route.parameters if each.name == "limit")
    maximum = next((each for each in named if isinstance(each, int)), _PAGE)
    return max(1, min(maximum, most, _PAGE))


def _cursor(next: Json) -> str | None:
    """The cursor within a page's `next`, which is a URL."""
    if not isinstance(next, str):
        return None
    found = parse_qs(urlsplit(next).query).get("cursor")
    return found[0] if found else None


def id_bytes(id: Json) -> bytes:
    """An id as it is kept."""
    return orjson.dumps(id)
