"""One subscriber that is told of events, wherever they go: it goes on where it stood, in the log's order by key, and
what it will never take becomes a dead letter.

Nothing waits in memory but the few events that were read last: a slow receiver is simply further behind in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from adapters.contract import Json
from gateway.errors import Problem
from gateway.events.log import EventLog
from gateway.events.model import Event, Trimmed
from gateway.feeds.deliveries import Dead, Deliveries
from gateway.feeds.feed import Feed, tell
from gateway.feeds.kept import Kept
from gateway.store.contract import StoreError

logger = logging.getLogger("figway")

BATCH = 50
"""Events that are read at a time, and so the most that may be under way to one subscriber."""
_LOOK, _AGAIN = 0.25, 5.0

Document = Mapping[str, Json]


class Refused(NamedTuple):
    """Why an event wasn't taken."""

    why: str
    lasting: bool = False
    """It would be so the next time, too."""


class Outlet(Protocol):
    """Where a subscriber's events go."""

    @property
    def pauses(self) -> Sequence[float]:
        """Seconds between two tries of one event; the last one for all tries behind it."""

    @property
    def gives_up(self) -> bool:
        """Whether an event is a dead letter after the last pause; else it is tried until it is taken."""

    @property
    def at_once(self) -> int:
        """How many events may be under way, each of another key."""

    async def send(self, document: Document, origin: str) -> Refused | None:
        """None: it was taken. `origin` tells the events of this subscriber, host and log from others of the same id."""

    async def close(self) -> None:
        """Lets go of what it has opened."""


@dataclass(slots=True)
class Measured:
    """What is known of a subscriber, since the process began."""

    behind: float = 0.0
    """When the oldest event was captured that it hasn't taken; 0: there is none."""
    events: int = 0
    dead: int = 0
    waits: bool = False


class Telling:
    """One subscriber, on one snapshot."""

    def __init__(
        self,
        name: str,
        sources: Iterable[str],
        feed: Feed,
        log: EventLog,
        kept: Kept,
        outlet: Outlet,
        measured: Measured,
        permit: Callable[[], Awaitable[None]],
    ) -> None:
        """`permit` raises a `Problem` while a person has stopped whom this subscriber is."""
        self._name, self._sources, self._feed, self._log = name, frozenset(sources), feed, log
        self._kept, self._outlet, self._measured = kept, outlet, measured
        self._permit, self._replaying = permit, asyncio.Lock()
        self._origin, self._note = "", "?"

    async def go_on(self) -> None:
        """Until it's cancelled."""
        try:
            while True:
                try:
                    await self._begun()
                except StoreError as error:
                    logger.error("%s can't go on, which is tried again: %s", self._name, error)
                    await asyncio.sleep(_AGAIN)
        finally:
            await self._outlet.close()

    async def _begun(self) -> None:
        first, last = await self._log.span()
        hidden = sorted(self._sources - set(self._feed.sources))
        if hidden:
            await self._kept(Deliveries.place, self._name, last)
            await self._waits(f"no route and policy show its principal {', '.join(hidden)}")
            await asyncio.Event().wait()
        place = await self._kept(Deliveries.place, self._name, last)
        await self._waits("")
        if place > last:
            logger.error("%s begins anew: the log isn't the one that it was told of", self._name)
            place = first - 1
            await self._kept(Deliveries.anew, self._name, place)
        self._origin = await self._kept(Deliveries.origin, self._name)
        await self._from(place)

    async def _from(self, after: int) -> None:
        while True:
            await self._replay()
            await self._waits("")
            try:
                events = await self._log.read(after, BATCH)
            except Trimmed:
                first, _ = await self._log.span()
                logger.error("%s has missed events: it was too slow, and the log begins later now", self._name)
                after = first - 1
                await self._kept(Deliveries.taken, self._name, after)
                continue
            await self._told(events)
            if not events:
                self._measured.behind = 0.0
                await asyncio.sleep(_LOOK)
            elif events[-1].sequence > after:
                after = events[-1].sequence
                await self._kept(Deliveries.taken, self._name, after)

    async def _told(self, events: Sequence[Event]) -> None:
        """Tells these events, those of one key one after the other."""
        by_number = {each.sequence: each for each in events}
        told = [(by_number[number], each) for number, each in await asyncio.to_thread(tell, self._feed, events)]
        for wave in waves(told, self._outlet.at_once):
            self._measured.behind = wave[0][0].captured
            tasks = [asyncio.create_task(self._taken(document)) for _, document in wave]
            try:
                whys = await asyncio.gather(*tasks)
            finally:
                for each in tasks:
                    each.cancel()
            dead = [(event.sequence, why) for (event, _), why in zip(wave, whys, strict=True) if why]
            await self._kept(Deliveries.passed, self._name, wave[-1][0].sequence, dead)
            await self._waits("")
            self._measured.events += len(wave) - len(dead)
            self._measured.dead += len(dead)

    async def _taken(self, document: Document) -> str:
        """Sends one event until it is taken; not empty: why it is a dead letter."""
        tries, pauses = 0, self._outlet.pauses
        while (refused := await self._sent(document)) is not None:
            over = refused.lasting or (self._outlet.gives_up and tries >= len(pauses))
            if over and not await self._kept(Deliveries.full, self._name):
                logger.error("%s doesn't take event %s (%s): a dead letter", self._name, document["id"], refused.why)
                return refused.why
            await self._waits(refused.why)
            await asyncio.sleep(pauses[min(tries, len(pauses) - 1)])
            tries += 1
            if over:  # it has too many dead letters: it goes on once some of them are taken
                await self._replay()
        return ""

    async def _sent(self, document: Document) -> Refused | None:
        """One try, once nobody has stopped it."""
        while True:
            try:
                await self._permit()
            except Problem as problem:
                await self._waits(str(problem.detail))
                await asyncio.sleep(_AGAIN)
            else:
                return await self._outlet.send(document, self._origin)

    async def _waits(self, note: str) -> None:
        """Says what keeps it from going on, once; empty: nothing does."""
        if note == self._note:
            return
        if note:
            logger.error("%s waits: %s", self._name, note)
        self._note, self._measured.waits = note, bool(note)
        await self._kept(Deliveries.noted, self._name, note)

    async def _replay(self) -> None:
        """Sends dead letters that somebody asked for, as policies are now."""
        async with self._replaying:
            for dead in await self._kept(Deliveries.wanted, self._name, BATCH):
                await self._again(dead)

    async def _again(self, dead: Dead) -> None:
        try:
            events = await self._log.read(dead.sequence - 1, 1)
        except Trimmed:
            events = []
        told = tell(self._feed, [each for each in events if each.sequence == dead.sequence])
        refused = await self._sent(told[0][1]) if told else None
        if not told:
            logger.error("a dead letter of %s isn't kept or isn't its to see any more", self._name)
        if refused is not None:
            await self._kept(Deliveries.passed, self._name, 0, [(dead.sequence, refused.why)])
        else:
            await self._kept(Deliveries.settled, self._name, dead.sequence)


def waves(told: Sequence[tuple[Event, Document]], most: int) -> Iterator[list[tuple[Event, Document]]]:
    """Events in their order, as groups that may be under way together: at most `most`, each of another key; what is of
    no key goes alone."""
    wave: list[tuple[Event, Document]] = []
    keys: set[tuple[str, str]] = set()
    for event, document in told:
        key = (event.capture, event.key)
        if wave and (len(wave) == most or not event.key or key in keys):
            yield wave
            wave, keys = [], set()
        wave.append((event, document))
        keys.add(key)
        if not event.key:
            yield wave
            wave, keys = [], set()
    if wave:
        yield wave
