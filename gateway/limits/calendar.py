"""Days and times of day in a zone's own clock, which leaps twice a year in many of them. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from adapters.zones import zone
from gateway.routing.limits_schema import Window

_AHEAD = 8
"""Days that are looked ahead for the next window: a week, and the rest of today."""


class Day:
    """The calendar day of a zone. `look` costs a comparison, but when a day has ended."""

    def __init__(self, zone_name: str) -> None:
        self._zone = zone(zone_name)
        self._since, self._number = 0.0, 0
        self.end = 0.0
        """When the day that was looked at ends."""

    def look(self, now: float) -> int:
        """The day's number (`date.toordinal`)."""
        if not self._since <= now < self.end:
            today = datetime.fromtimestamp(now, self._zone).date()
            self._since, self._number = now, today.toordinal()
            self.end = instant(today, 24 * 60, self._zone, last=False)
        return self._number


class Closing:
    """Windows in which nothing is let through. A look costs a comparison, but when a window begins or ends."""

    def __init__(self, windows: Iterable[Window]) -> None:
        self._windows = tuple((each, zone(each.zone)) for each in windows)
        self._since = self._until = 0.0
        self._closed = False

    def until(self, now: float) -> float:
        """When it opens again; 0: it is open."""
        if not self._since <= now < self._until:
            self._look(now)
        return self._until if self._closed else 0.0

    def _look(self, now: float) -> None:
        spans = sorted(span for window, zone in self._windows for span in _spans(window, zone, now))
        end = now
        for start, stop in spans:
            if start <= end < stop:  # it is closed, or the next window begins where this one ends
                end = stop
        self._closed = end > now
        opens = min((start for start, _ in spans if start > now), default=now + 86_400)
        self._since, self._until = now, end if self._closed else opens


def _spans(window: Window, zone: tzinfo, now: float) -> Iterator[tuple[float, float]]:
    today = datetime.fromtimestamp(now, zone).date()
    end = window.end if window.end > window.start else window.end + 24 * 60
    for ahead in range(-2, _AHEAD + 1):
        day = today + timedelta(days=ahead)
        if day.weekday() in window.days:
            start, stop = instant(day, window.start, zone, last=False), instant(day, end, zone, last=True)
            if start < stop:
                yield start, stop


def instant(day: date, minute: int, zone: tzinfo, *, last: bool) -> float:
    """When the zone's clock shows that minute of the day. If it does twice: the first time or, where it shows less
    again in between, the `last`; if it leaps over it: the moment of the leap."""
    local = datetime.combine(day, time()) + timedelta(minutes=minute)
    first, second = (local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if first == second:
        return first
    if first < second:
        return second if last and _leap(int(first), int(second), zone) < second else first
    return _leap(int(second), int(first), zone)


def _leap(before: int, after: int, zone: tzinfo) -> float:
    """The second in which the zone's offset changes, between two moments of which it changes once."""
    old = _offset(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return float(after)


def _offset(moment: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset()
