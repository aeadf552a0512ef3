"""What one subscriber sees of the log: each source as the route that tells it would show its rows to that caller.

A row that the caller may see before and after a change is told as an update, and only where something changed that it
may see; one that comes into its sight as an insert, one that leaves it as a delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.changes import What
from adapters.contract import Json
from gateway.call import Principal
from gateway.events.model import LOADED, Event
from gateway.feeds.positions import Positions
from gateway.feeds.sources import Source
from gateway.policy.decide import Policies
from gateway.policy.grants import Grant
from gateway.routing.model import MappingFailed

_WHOLE = frozenset({What.TRUNCATE.value, LOADED})


@dataclass(frozen=True, slots=True)
class _Sight:
    """One source as the caller may see it; `grant` None: all of it."""

    source: Source
    grant: Grant | None

    def shown(self, stored: bytes | None) -> Json:
        """A row as the caller may see it; None: it isn't there for them."""
        if stored is None:
            return None
        try:
            row = self.source.shaped(orjson.loads(stored))
        except MappingFailed:
            return None  # the route has no answer for it, either
        if row is None or self.grant is None:
            return row
        return self.grant.redacted(row) if self.grant.shows(row) else None


class Feed:
    """What a caller sees of events. It never changes: another snapshot, another feed."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        policies: Policies,
        principal: Principal,
        positions: Positions,
        only: Iterable[str] = (),
    ) -> None:
        """`only`: of these sources; none: of all that the caller may see."""
        wanted = frozenset(only)
        self._positions = positions
        found = {name: each for name, each in sources.items() if not wanted or name in wanted}
        self._sights = {name: _Sight(*each) for name, each in sights_of(found, policies, principal).items()}

    @property
    def sources(self) -> list[str]:
        """The names of what it tells of, `UPSTREAM.CAPTURE`."""
        return sorted(self._sights)

    def told(self, event: Event) -> dict[str, Json] | None:
        """An event as the caller may see it, as CloudEvents 1.0 has it in JSON; None: it isn't for them."""
        sight = self._sights.get(event.capture)
        if sight is None:
            return None
        if event.what in _WHOLE:
            return self._made(event, event.what, None, None, sight)
        if event.what == What.SCHEMA:
            return None  # of the system's own columns: what subscribers get is the contract's
        before, after = sight.shown(event.before), sight.shown(event.after)
        if before == after:
            return None
        what = What.INSERT if before is None else What.DELETE if after is None else What.UPDATE
        return self._made(event, what.value, before, after, sight)

    def _made(self, event: Event, what: str, before: Json, after: Json, sight: _Sight) -> dict[str, Json]:
        made: dict[str, Any] = event._replace(what=what, before=None, after=None, key="").document()
        del made["sequence"]
        made["id"] = self._positions.of_event(event.sequence)
        subject = _subject(sight.source.key, before if after is None else after)
        if subject is not None:
            made["subject"] = subject
        made["data"] = {"before": before, "after": after}
        return made


def sights_of(
    sources: Mapping[str, Source], policies: Policies, principal: Principal | None
) -> dict[str, tuple[Source, Grant | None]]:
    """The sources that a caller may follow, and what of their rows; for nobody in particular (None): all of them."""
    if principal is None:
        return {name: (source, None) for name, source in sources.items()}
    found = {}
    for name, source in sources.items():
        decision = policies.decide(principal, source.route)
        # What depends on a call's arguments can't be decided without a call.
        if decision.allowed and not decision.waits:
            found[name] = source, decision.grant
    return found


def _subject(key: tuple[str, ...], row: Json) -> str | None:
    """The key as the caller sees it; None where it doesn't."""
    if not key or not isinstance(row, dict) or not all(name in row for name in key):
        return None
    return orjson.dumps([row[name] for name in key]).decode()


def tell(feed: Feed, events: Iterable[Event]) -> list[tuple[int, dict[str, Json]]]:
    """The events that the feed's caller may see, each with its number. Takes its time: for a thread."""
    told = ((event.sequence, feed.told(event)) for event in events)
    return [(sequence, document) for sequence, document in told if document is not None]
