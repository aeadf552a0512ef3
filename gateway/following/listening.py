"""`subscriptions/listen` of revision 2026-07-28: a stream that says which resources and lists to read anew.

https://modelcontextprotocol.io/specification/2026-07-28/basic/utilities/subscriptions. It says that something changed,
and never what: that is read by the resource. A caller that reads slowly has nothing queued: what it hasn't taken stays
in the log.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from decimal import Decimal
from typing import Any

import orjson

from adapters.changes import What
from adapters.contract import Json
from gateway.call import Principal
from gateway.errors import Overloaded
from gateway.events.model import LOADED, Event, Trimmed
from gateway.feeds.feed import Feed, tell
from gateway.following.entities import Entities, Watched
from gateway.following.events import Events, Follower
from gateway.ingress.mcp import McpIngress
from gateway.ingress.mcp_listen import RESOURCES, TOOLS, Wanted
from gateway.ingress.mcp_resources import Resources
from gateway.ingress.mcp_visit import Visit
from gateway.store.contract import StoreError

_PATIENCE = 1.0
_BATCH = 100
_WHOLE = (What.TRUNCATE.value, LOADED)


class Listening:
    """What opens streams."""

    def __init__(self, door: McpIngress, resources: Resources, entities: Entities, events: Events) -> None:
        self._door, self._resources, self._entities, self._events = door, resources, entities, events

    async def stream(self, visit: Visit, wanted: Wanted) -> AsyncIterator[Wanted | str]:
        """First what of `wanted` the caller is told, then `TOOLS`, `RESOURCES` or a URI for what changed. Raises a
        `Problem` when the caller may not listen, or no more; ends when the gateway stops."""
        events, principal, version = self._events, visit.principal.id, visit.serving.version
        if events.full(principal):
            raise Overloaded("As many streams of events are open as may be.", retry_after=10)
        with events.counted(principal):
            try:
                watched = await self._entities.watched(visit, wanted.uris)
                acknowledged = [each.uri for each in watched]
                # All that is told from here on comes behind the acknowledgement.
                after = (await events.log().span())[1] if watched else 0
                follower = events.follower(visit, frozenset(each.source.name for each in watched))
                lists = _Lists(self._door, self._resources, visit, wanted)
                await lists.changed(await follower.who())
                visit.let_go()
                yield wanted._replace(uris=acknowledged)
                while events.alive():
                    visit.serving = events.serving()
                    for name in await lists.changed(await follower.who()):
                        yield name
                    if visit.serving.version != version:
                        version = visit.serving.version
                        watched = await self._entities.watched(visit, acknowledged)
                    if not watched:
                        await asyncio.sleep(_PATIENCE)
                        continue
                    more = await events.waiting().beyond(after, _PATIENCE)
                    seen = await follower.feed()
                    last, uris = await self._touched(seen, watched, after) if more else (after, [])
                    async for uri in _while(follower, seen, uris):
                        yield uri
                    # Who may see less meanwhile is judged anew, and may be told twice.
                    after = last if await follower.feed() is seen else after
            except StoreError as error:
                raise Overloaded("The log of changes can't be read now.", retry_after=1, note=str(error)) from error

    async def _touched(self, seen: Feed, watched: list[Watched], after: int) -> tuple[int, list[str]]:
        """How far the log was read, and whose changes the caller may know of."""
        try:
            events = await self._events.log().read(after, _BATCH)
        except Trimmed:  # nobody knows what it missed: all of it is to be read anew
            return (await self._events.log().span())[1], [each.uri for each in watched]
        uris = await asyncio.to_thread(touched, seen, watched, events)
        return events[-1].sequence if events else after, uris


class _Lists:
    """What a caller is listed, as digests, made anew only when the snapshot or the caller is another."""

    def __init__(self, door: McpIngress, resources: Resources, visit: Visit, wanted: Wanted) -> None:
        self._door, self._resources, self._visit, self._wanted = door, resources, visit, wanted
        self._of: tuple[int, Principal] | None = None
        self._digests: dict[str, bytes] = {}

    async def changed(self, principal: Principal) -> list[str]:
        """Which of the lists that are wanted are others than they were."""
        visit = self._visit
        if self._of == (visit.serving.version, principal):
            return []
        self._of, visit.call.principal = (visit.serving.version, principal), principal
        made = {}
        if self._wanted.tools:
            made[TOOLS] = _digest(await self._door.listed(visit))
        if self._wanted.resources:
            made[RESOURCES] = _digest(await self._resources.listed(visit))
        before, self._digests = self._digests, made
        return [name for name in made if name in before and before[name] != made[name]]


def _digest(value: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(value)).digest()


async def _while(follower: Follower, seen: Feed, uris: Iterable[str]) -> AsyncIterator[str]:
    """The URIs, as long as the caller sees what it saw when they were found."""
    for uri in uris:
        if await follower.feed() is not seen:
            break
        yield uri


def touched(seen: Feed, watched: list[Watched], events: Iterable[Event]) -> list[str]:
    """The URIs of which an event tells that the caller may see, each once. Takes its time: for a thread."""
    whole: dict[str, list[str]] = defaultdict(list)
    single: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for each in watched:
        whole[each.source.name].append(each.uri)
        if each.key is not None:
            single[each.source.name, tuple(map(folded, each.key))].append(each.uri)
    columns = {each.source.name: each.source.columns for each in watched}
    streams = {name: [each.uri for each in watched if each.key is None and each.source.name == name] for name in whole}
    events = [each for each in events if each.capture in whole]
    visible = {sequence for sequence, _ in tell(seen, events)}
    found: dict[str, None] = {}
    for event in events:
        if event.sequence not in visible:
            continue
        name = event.capture
        found |= dict.fromkeys(whole[name] if event.what in _WHOLE else streams[name])
        for key in _keys(event, columns[name]):
            found |= dict.fromkeys(single.get((name, key), ()))
    return list(found)


def _keys(event: Event, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for stored in (event.before, event.after):
        row = None if stored is None else orjson.loads(stored)
        if columns and isinstance(row, dict) and all(column in row for column in columns):
            yield tuple(folded(row[column]) for column in columns)


def folded(value: Json) -> str:
    """A key's value so that all spellings that a system may take for one are equal: rather told once too often."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    try:
        return str(Decimal(text.strip()).normalize())
    except ArithmeticError:  # no number, or one beyond all that can be spelt another way
        return text.strip().casefold()
