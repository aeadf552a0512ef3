"""Rows: what the caller may not see isn't there, whatever is asked.

Where the upstream can be narrowed itself, it is (`dispatch` passes the rows on); what it answers is looked at all the
same. Where it can't, pages are filled up from what is visible, so that neither their sizes nor `next` tell of the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from hashlib import sha256

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.contract import Json, Source
from gateway.call import Call, Reply, UpstreamCall
from gateway.errors import BadRequest, BadUpstreamReply, NotFound, UnknownOutcome
from gateway.identity.signing import Keyring, SigningKey
from gateway.pipeline import Around, Handler
from gateway.policy.grants import Grant
from gateway.routing.model import Route

_MOST_READS = 50
"""Upstream calls for one page, at most: a page that isn't full by then is answered as it is, with its `next`."""
_LAST_READ = 0.5
"""Seconds before the deadline after which no further page is read."""
_NONCE = 12
HIDDEN = "There is nothing of this name, or nothing that you may see."


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a page may do: read `widest` rows at once; a composite's steps look after their own lineage."""

    widest: int
    composite: bool


def visible_rows(route: Route, widest: int, cursor_keys: Keyring) -> Around:
    """A filter that leaves the caller only the rows that its grant shows; innermost, before replies are judged.
    `widest`: how many rows an upstream is asked for at once, at most."""
    sealer = _Positions(cursor_keys)
    bounds = _Bounds(widest, route.compose is not None)

    def around(call: Call, rest: Handler) -> Awaitable[Reply]:
        grant = call.grant
        if grant is None:
            return rest(call)
        if route.is_list:
            return _Page(call, rest, grant, sealer, bounds).read()
        return _one(call, rest, grant, composite=bounds.composite)

    return around


async def _one(call: Call, rest: Handler, grant: Grant, *, composite: bool) -> Reply:
    before = len(call.upstream_calls)
    reply = await rest(call)
    if not grant.narrows:
        return reply
    reply.warnings = ()
    if call.writes:
        if reply.body is not None and not grant.shows(reply.body):
            raise UnknownOutcome("The change was made, but its answer isn't yours to see.")
    elif not grant.shows(reply.body):
        # The audit alone tells this from an entity that isn't there.
        call.decision = "deny"
        _forget_sources(call.upstream_calls[-1:] if composite else call.upstream_calls[before:], "NotFound")
        raise NotFound(HIDDEN)
    return reply


def _forget_sources(calls: Iterable[UpstreamCall], outcome: str | None = None) -> None:
    """Takes from a call's lineage what names the rows that were read."""
    for made in calls:
        made.sources = tuple(Source(each.system, each.object, as_of=each.as_of) for each in made.sources)
        if outcome is not None:
            made.sources, made.outcome = (), outcome


class _Page:
    """One page of a list for a caller who may not see all of it."""

    def __init__(self, call: Call, rest: Handler, grant: Grant, sealer: _Positions, route: _Bounds) -> None:
        self._call, self._rest, self._grant = call, rest, grant
        self._sealer, self._route = sealer, route
        self._asked = call.page
        self._limit: int = call.page["limit"]
        self._reads = 0
        self._before = len(call.upstream_calls)
        self._last: Reply | None = None
        self._items: list[Json] = []
        self._position: Json = None
        self._previous: Json = None

    async def read(self) -> Reply:
        after, before = self._asked["after"], self._asked.get("before")
        self._position = None if after is None else self._sealer.opened(after)
        if before is not None:
            self._asked = {**self._asked, "before": self._sealer.opened(before)}
        wide = self._limit
        while await self._goes_on(wide):
            # Where little is visible, more is read at once.
            wide = min(wide * 4, max(self._route.widest, self._limit))
        return self._answer()

    async def _goes_on(self, wide: int) -> bool:
        """Reads on, and whether more has to be read: until the page is full and it's known whether more follows."""
        rows, following = await self._rows(wide)
        visible = [number for number, row in enumerate(rows) if self._grant.shows(row)]
        missing = self._limit - len(self._items)
        if len(visible) > missing and len(rows) <= wide:
            if missing:
                # A position is known behind whole reads only: so it is read again up to the last that the page takes.
                rows, self._position = await self._rows(visible[missing - 1] + 1)
                self._items += [row for row in rows if self._grant.shows(row)]
            return False
        self._items += [rows[number] for number in visible]
        stands = following is None or following == self._position
        self._position = None if stands else following
        return not stands and self._grant.narrows and not self._call.rows_pushed and self._may_read()

    def _may_read(self) -> bool:
        return self._reads < _MOST_READS and self._call.deadline - time.monotonic() > _LAST_READ

    async def _rows(self, limit: int) -> tuple[list[Json], Json]:
        """The next rows, visible or not, and the position behind them."""
        call = self._call
        call.page = {**self._asked, "limit": limit, "after": self._position}
        call.rows_pushed = False
        self._reads += 1
        read = len(call.upstream_calls)
        self._last = self._merged(await self._rest(call))
        body = self._last.body
        rows = body.get("items") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise BadUpstreamReply("The answer isn't a list of items.")
        if self._grant.narrows and not self._route.composite and not call.rows_pushed:
            _forget_sources(call.upstream_calls[read:])
        # Only an upstream that leaves out rows by itself knows what is visible before a page.
        self._previous = body.get("previous") if call.rows_pushed or not self._grant.narrows else None
        return rows, body.get("next")

    def _merged(self, reply: Reply) -> Reply:
        last = self._last
        if last is not None and last.as_of is not None and (reply.as_of is None or last.as_of < reply.as_of):
            reply.as_of = last.as_of
        return reply

    def _answer(self) -> Reply:
        reply, narrows = self._last, self._grant.narrows
        assert reply is not None
        self._call.page = self._asked
        if self._reads > 1 and not self._route.composite:
            self._tell_as_one()
        # Whatever else is said of the list, such as a count, may be said of rows that aren't visible.
        others = {} if narrows else reply.body
        following = None if self._position is None else self._sealer.sealed(self._position)
        reply.body = {**others, "items": self._items, "next": following}
        if "before" in self._asked:
            previous = self._previous
            reply.body["previous"] = None if previous is None else self._sealer.sealed(previous)
        reply.warnings = () if narrows else reply.warnings
        return reply

    def _tell_as_one(self) -> None:
        """How often an upstream had to be asked tells how much isn't visible: lineage knows one call of each."""
        calls = self._call.upstream_calls
        kept: dict[tuple[str, str], UpstreamCall] = {}
        for each in calls[self._before :]:
            first = kept.setdefault((each.upstream, each.operation), each)
            first.seconds += 0.0 if first is each else each.seconds
        calls[self._before :] = kept.values()


class _Positions:
    """Positions as texts that their holder can't read: they hold values of rows and fields that it may not see."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    def sealed(self, position: Json) -> str:
        key, nonce = self._keys.current, os.urandom(_NONCE)
        return f"{key.id}.{(nonce + _cipher(key).encrypt(nonce, orjson.dumps(position), None)).hex()}"

    def opened(self, text: Json) -> Json:
        try:
            id, _, written = text.partition(".")
            key, raw = self._keys.by_id(id), bytes.fromhex(written)
            if key is None:
                raise ValueError("no such key")
            return orjson.loads(_cipher(key).decrypt(raw[:_NONCE], raw[_NONCE:], None))
        except (AttributeError, ValueError, InvalidTag) as error:
            raise BadRequest(
                "The cursor was given to someone who may see other rows, or too long ago.",
                fix="Leave the cursor out to start again.",
            ) from error


def _cipher(key: SigningKey) -> AESGCM:
    return AESGCM(sha256(b"positions\0" + key.secret).digest())
