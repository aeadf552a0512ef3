"""Rows: what the caller may not see isn't there, whatever is asked.

Where the upstream can be narrowed itself, it is (`dispatch` passes the rows on); what it answers is looked at all the
same. Where it can't, pages are filled up from what is visible, so that neither their sizes nor `next` tell of the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable
from hashlib import sha256

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.contract import Json, Source
from gateway.call import Call, Reply
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


def visible_rows(route: Route, cursor_keys: Keyring) -> Around:
    """A filter that leaves the caller only the rows that its grant shows; innermost, before replies are judged."""
    sealer = _Positions(cursor_keys)
    composite = route.compose is not None

    def around(call: Call, rest: Handler) -> Awaitable[Reply]:
        grant = call.grant
        if grant is None:
            return rest(call)
        return _Page(call, rest, grant, sealer, composite).read() if route.is_list else _one(call, rest, grant)

    return around


async def _one(call: Call, rest: Handler, grant: Grant) -> Reply:
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
        _forget_sources(call, "NotFound")
        raise NotFound(HIDDEN)
    return reply


def _forget_sources(call: Call, outcome: str | None = None) -> None:
    """Takes from the call's lineage what names the rows that were read."""
    if call.upstream_calls:
        last = call.upstream_calls[-1]
        last.sources = tuple(Source(each.system, each.object, as_of=each.as_of) for each in last.sources)
        if outcome is not None:
            last.sources, last.outcome = (), outcome


class _Page:
    """One page of a list for a caller who may not see all of it."""

    def __init__(self, call: Call, rest: Handler, grant: Grant, sealer: _Positions, composite: bool) -> None:
        self._call, self._rest, self._grant = call, rest, grant
        self._sealer, self._composite = sealer, composite
        self._asked = call.page
        self._reads = 0
        self._last: Reply | None = None

    async def read(self) -> Reply:
        limit: int = self._asked["limit"]
        after = self._asked["after"]
        position = None if after is None else self._sealer.opened(after)
        kept: list[Json] = []
        while True:
            items, following = await self._some(limit - len(kept), position)
            kept += items
            stands = following == position
            position = following
            if position is None or stands or len(kept) >= limit or self._call.rows_pushed or not self._may_read():
                break
        if position is not None and len(kept) >= limit and not await self._more(position):
            position = None
        return self._answer(kept, position)

    async def _more(self, position: Json) -> bool:
        """Whether there is a visible row behind a position; when in doubt there is."""
        if not self._grant.narrows or self._call.rows_pushed:
            return True
        answered = self._last
        try:
            while self._may_read():
                items, following = await self._some(self._asked["limit"], position)
                if items:
                    return True
                if following is None:
                    return False
                position = following
            return True
        finally:
            self._last = answered

    def _may_read(self) -> bool:
        return self._reads < _MOST_READS and self._call.deadline - time.monotonic() > _LAST_READ

    async def _some(self, limit: int, after: Json) -> tuple[list[Json], Json]:
        """The visible ones of the next rows, and the position behind them."""
        call, narrows = self._call, self._grant.narrows
        call.page = {**self._asked, "limit": limit, "after": after}
        call.rows_pushed = False
        self._reads += 1
        self._last = self._merged(await self._rest(call))
        body = self._last.body
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(items, list):
            raise BadUpstreamReply("The answer isn't a list of items.")
        if not narrows:
            return items, body.get("next")
        visible = [item for item in items if self._grant.shows(item)]
        if len(visible) != len(items) and not self._composite:
            _forget_sources(call)
        return visible, body.get("next")

    def _merged(self, reply: Reply) -> Reply:
        last = self._last
        if last is not None and last.as_of is not None and (reply.as_of is None or last.as_of < reply.as_of):
            reply.as_of = last.as_of
        return reply

    def _answer(self, items: list[Json], position: Json) -> Reply:
        reply = self._last
        assert reply is not None
        self._call.page = self._asked
        # Whatever else is said of the list, such as a count, may be said of rows that aren't visible.
        others = {} if self._grant.narrows else reply.body
        following = None if position is None else self._sealer.sealed(position)
        reply.body = {**others, "items": items, "next": following}
        reply.warnings = () if self._grant.narrows else reply.warnings
        return reply


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
