"""How old an answer its caller accepts: `Cache-Control` of a request (RFC 9111 §5.2.1).

Age is counted up to the moment in which the call came in: what was true then, or later, has none. So a slow system's
answer isn't refused for the time that it took.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gateway.control_errors import Stale
from gateway.errors import BadRequest
from gateway.instants import spelt

ANY_STALE = 2**31
"""`max-stale` without a number: however long ago it ceased to be fresh. RFC 9111 §1.2.2 counts no further."""
_MOST_DIRECTIVES = 32
_NUMBERS = ("max-age", "max-stale")


class Bounds(NamedTuple):
    """What one call accepts. `max_age` and `max_stale` in seconds, None: not said."""

    max_age: int | None = None
    max_stale: int | None = None
    now: bool = False
    """The system is to be asked (`no-cache`)."""
    stores: bool = True
    """The answer may be kept for others (not `no-store`)."""
    asks: bool = True
    """The system may be asked (not `only-if-cached`)."""
    arrived: int = 0
    """When the call came in, on `time.monotonic_ns()`'s clock; 0 where nothing depends on it."""
    since: datetime | None = None
    """The same moment by the calendar (UTC)."""

    @property
    def oldest(self) -> int | None:
        """The greatest age that is accepted if there is nothing better, in seconds; None: any."""
        return None if self.max_age is None else self.max_age + (self.max_stale or 0)

    def wants(self, as_of: datetime) -> bool:
        """Whether an answer of that age needn't be replaced by a newer one."""
        return self.max_age is None or self._within(as_of, self.max_age)

    def takes(self, as_of: datetime) -> bool:
        """Whether an answer of that age is accepted, if there is no newer one."""
        oldest = self.oldest
        return oldest is None or self._within(as_of, oldest)

    def _within(self, as_of: datetime, seconds: int) -> bool:
        assert self.since is not None
        return as_of >= self.since - timedelta(seconds=seconds)


ANY = Bounds()
"""What a call accepts that says nothing."""


def bounds_of(header: bytes | None) -> Bounds:
    """What a request's `Cache-Control` says; what this doesn't know it leaves alone (RFC 9111 §5.2.3). Raises
    `BadRequest` for a number that is none: else an answer might be older than its caller believes."""
    if header is None:
        return ANY
    said = dict(_directives(header))
    if not said:
        return ANY
    return Bounds(
        max_age=_number(said, "max-age"),
        max_stale=_number(said, "max-stale"),
        now="no-cache" in said,
        stores="no-store" not in said,
        asks="only-if-cached" not in said,
        arrived=time.monotonic_ns(),
        since=datetime.now(UTC),
    )


def _directives(header: bytes) -> Iterator[tuple[str, str]]:
    parts = header.decode("latin-1").split(",")
    if len(parts) > _MOST_DIRECTIVES:
        raise BadRequest(
            f"Cache-Control has more than {_MOST_DIRECTIVES} directives.", fix="Send those that mean something here."
        )
    for part in parts:
        name, _, value = part.strip().partition("=")
        if name := name.strip().lower():
            yield name, value.strip().strip('"')


def _number(said: dict[str, str], name: str) -> int | None:
    if name not in said:
        return None
    text = said[name]
    if name == "max-stale" and not text:
        return ANY_STALE
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(f"The {name} of Cache-Control must be a whole number of seconds.", fix=f"Say {name}=60.")
    return min(int(text[:12]), ANY_STALE)


def too_old(bounds: Bounds, as_of: datetime, note: str = "") -> Stale:
    """What a call is told whose bounds an answer doesn't keep, which is the best there is."""
    age = max((datetime.now(UTC) - as_of).total_seconds(), 0.0)
    told = spelt(as_of, "milliseconds")
    wanted = "wants it as it is now" if bounds.oldest is None else f"accepts {bounds.oldest} s"
    return Stale(
        f"The best answer there is was true {age:.0f} s ago, at {told}; the call {wanted}.",
        fix="Accept an older answer (max-age, max-stale), or try again when there is a newer one.",
        headers=[(b"figway-as-of", told.encode()), (b"age", b"%d" % age)],
        note=note,
    )


def nothing_kept() -> Stale:
    """What a call is told that may be answered from what is kept only, where there is nothing."""
    return Stale(
        "Nothing is kept that is new enough, and the call doesn't let the system be asked.",
        fix="Leave only-if-cached out.",
    )
