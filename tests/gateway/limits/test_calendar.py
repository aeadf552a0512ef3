"""Windows and days across the leaps of a zone's clock, against a model that looks at every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.limits.calendar import Closing, Day
from gateway.routing.limits_schema import Window

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca")
# Around leaps of these zones, and one ordinary day.
DAYS = st.sampled_from([date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5),
                        date(2026, 10, 4), date(2026, 2, 15), date(2026, 6, 17)])  # fmt: skip
MINUTES = st.integers(0, 24 * 4 - 1).map(lambda quarter: quarter * 15)


def closed(window: Window, minute: datetime) -> bool:
    """Closed is from when a day's clock first shows the start, or more, until it has shown the end for good."""
    zone = ZoneInfo(window.zone)
    first = minute.astimezone(zone).date() - timedelta(days=2)
    for day in (first + timedelta(days=ahead) for ahead in range(4)):
        if day.weekday() not in window.days:
            continue
        midnight = datetime(day.year, day.month, day.day)
        start = midnight + timedelta(minutes=window.start)
        end = midnight + timedelta(minutes=window.end + (0 if window.end > window.start else 1440))
        begun = any(_clock(minute - timedelta(minutes=back), zone) >= start for back in range(0, 180, 15))
        ended = all(_clock(minute + timedelta(minutes=later), zone) >= end for later in range(0, 180, 15))
        if begun and not ended:
            return True
    return False


def _clock(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


@given(
    zone=st.sampled_from(ZONES),
    day=DAYS,
    start=MINUTES,
    end=MINUTES,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    at=st.integers(-96, 96),
)
@settings(max_examples=400, deadline=None)
@example(zone="Africa/Casablanca", day=date(2026, 2, 15), start=0, end=120, days=frozenset({0, 6}), at=4)
def test_windows_are_the_models(zone: str, day: date, start: int, end: int, days: frozenset[int], at: int) -> None:
    if start == end:
        end = (start + 15) % 1440
    window = Window(days, start, end, zone)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=15 * at)
    closing = Closing([window])
    until = closing.until(moment.timestamp())
    assert (until > 0) == closed(window, moment)
    if until:  # it is closed until then, and not at that moment but by the window that follows at once
        last = datetime.fromtimestamp(until, UTC) - timedelta(minutes=15)
        assert last < moment or closed(window, last)
        assert not closed(window, datetime.fromtimestamp(until, UTC))


@given(st.lists(st.integers(0, 3 * 96), min_size=1, max_size=40))
@settings(deadline=None)
def test_what_is_remembered_changes_nothing(quarters: list[int]) -> None:
    windows = [Window(frozenset(range(7)), 120, 240, "Europe/Berlin"), Window(frozenset({6}), 1320, 60, "UTC")]
    remembering, start = Closing(windows), datetime(2026, 3, 28, tzinfo=UTC).timestamp()
    for quarter in quarters:  # also backwards, as a clock that is set may go
        moment = start + quarter * 900
        assert remembering.until(moment) == Closing(windows).until(moment)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-29T00:59:59+00:00", None),  # 01:59:59 in Berlin; the clock leaps over 02:00 to 03:00
        ("2026-03-29T01:00:00+00:00", "2026-03-29T02:00:00+00:00"),
        ("2026-10-25T00:00:00+00:00", "2026-10-25T03:00:00+00:00"),  # an hour comes twice: three hours
        ("2026-10-25T03:00:00+00:00", None),
        ("2026-06-17T00:00:00+00:00", "2026-06-17T02:00:00+00:00"),
    ],
)
def test_the_nightly_batch_is_protected_across_leaps(at: str, until: str | None) -> None:
    closing = Closing([Window(frozenset(range(7)), 120, 240, "Europe/Berlin")])
    expected = datetime.fromisoformat(until).timestamp() if until else 0.0
    assert closing.until(datetime.fromisoformat(at).timestamp()) == expected


def test_windows_that_meet_are_one_and_all_of_the_time_is_a_week_ahead() -> None:
    meeting = [Window(frozenset(range(7)), 0, 720, "UTC"), Window(frozenset(range(7)), 720, 1440, "UTC")]
    now = datetime(2026, 6, 17, 10, tzinfo=UTC).timestamp()
    assert Closing(meeting).until(now) > now + 6 * 86_400


@given(st.sampled_from(ZONES), DAYS, st.integers(0, 2 * 86_400))
@settings(deadline=None)
def test_a_day_ends_when_the_zones_date_changes(zone: str, day: date, second: int) -> None:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + second
    looked = Day(zone)
    number = looked.look(moment)

    def date_at(when: float) -> int:
        return datetime.fromtimestamp(when, ZoneInfo(zone)).date().toordinal()

    assert number == date_at(moment) == date_at(looked.end - 1)
    assert date_at(looked.end) > number
    assert looked.look(looked.end) > number
