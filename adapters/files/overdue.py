"""Is a file late? A delivery is due at a time of day; a file that came at most so much earlier is that delivery."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from adapters.files.config import Due

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def overdue(name: str, due: Due, newest: datetime | None, now: datetime) -> str | None:
    """The sentence about a delivery that hasn't come, None where the last one due has; times are aware.

    `newest`: when the newest file was written.
    """
    moment = last_due(due, now)
    if newest is not None and newest >= moment - timedelta(seconds=due.early):
        return None
    return f"{name} of {moment.date()} overdue since {due.by}"


def last_due(due: Due, now: datetime) -> datetime:
    """The last moment, not after `now`, at which a delivery was due, in its own time zone."""
    here = now.astimezone(ZoneInfo(due.time_zone))
    at = time.fromisoformat(due.by)
    days = (here.date() - timedelta(days=back) for back in range(8))
    moments = (datetime.combine(day, at, here.tzinfo) for day in days if _DAYS[day.weekday()] in due.days)
    return next(moment for moment in moments if moment <= here)
