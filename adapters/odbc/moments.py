"""Dates, times, instants and intervals, both ways between ISO 8601 and what databases write.

Years 1 to 9999 are spelt as RFC 3339 spells them. Others, where a database has them, are spelt with a sign, as
ISO 8601-1 §5.2.2.3 does: `-0043-03-15` is the 15th of March 44 BC, `+12026-01-01` has a year of five digits, and
`0000` is 1 BC. Databases write these `0044-03-15 BC` and `12026-01-01`.

Raises ValueError with a sentence for the caller.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from adapters.contract import Json

_TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
_FAR = re.compile(
    r"(?P<year>-\d{4,6}|\+\d{5,6}|0000)-(?P<rest>\d\d-\d\d)"
    r"(?:[Tt ](?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?P<zone>.*))?",
    re.ASCII,
)
_WRITTEN = re.compile(
    r"(?P<year>\d{4,6})-(?P<rest>\d\d-\d\d)(?: (?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:\+00)?)?(?P<bc> BC)?", re.ASCII
)
_DURATION = re.compile(
    r"P(?=[-\d]|T)(-?\d{1,9}Y)?(-?\d{1,9}M)?(-?\d{1,9}D)?"
    r"(?:T(?=[-\d])(?:(-?\d{1,10})H)?(?:(-?\d{1,10})M)?(?:(-?)(\d{1,10})(?:\.(\d{1,6}))?S)?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"(-?)(\d{1,10}):(\d\d):(\d\d)(?:\.(\d{1,6}))?", re.ASCII)
ERA = " BC"


def far(bound: str) -> bool:
    """A date or timestamp as `write_…` made it lies outside the years 1 to 9999."""
    return bound.endswith(ERA) or bound.find("-") > 4


def write_date(value: Json) -> str:
    """The database's spelling of a date."""
    if isinstance(value, str) and len(value) == 10 and value[0] not in "+-" and value[:4] != "0000":
        return date.fromisoformat(value).isoformat()
    return _write_far(value, clock=False, fault='must be a date such as "2026-11-21"')


def read_date(raw: Any) -> str:
    """The ISO 8601 spelling of a date as the driver gave it."""
    if isinstance(raw, date):
        return raw.isoformat()
    distant = _read_far(raw)
    return date.fromisoformat(raw).isoformat() if distant is None else distant


def write_time(value: Json) -> str:
    """The database's spelling of a time of day."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError('must be a time such as "13:45:00"')
    return time.fromisoformat(value).isoformat()


def read_time(raw: Any) -> str:
    """The ISO 8601 spelling of a time of day as the driver gave it."""
    return (raw if isinstance(raw, time) else time.fromisoformat(raw)).isoformat()


def write_instant(value: Json, zone: tzinfo | None) -> str:
    """The database's spelling of an instant: in UTC, or (with `zone`) as that zone's clock shows it."""
    if isinstance(value, str) and _FAR.fullmatch(value):
        if zone is not None and zone is not UTC and str(zone) != "UTC":
            raise ValueError("must be in the years 1 to 9999, since the database's time zone isn't UTC")
        return _write_far(value, clock=True, fault='must be an instant such as "2026-11-21T13:45:00Z"')
    moment = _instant(value)
    if zone is None:
        return moment.replace(tzinfo=None).isoformat(" ")
    local = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    if local.replace(tzinfo=zone).astimezone(UTC) != moment:
        raise ValueError("is in the hour that the clock repeats, which the column can't tell apart")
    return local.isoformat(" ")


def _instant(value: Json) -> datetime:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError('must be an instant such as "2026-11-21T13:45:00Z", with at most 6 digits of a second')
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError('must have an offset, such as "2026-11-21T13:45:00Z"')
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be in the years 1 to 9999, in UTC") from None


def read_instant(raw: Any, zone: tzinfo) -> str:
    """The RFC 3339 spelling, in UTC, of a timestamp as the driver gave it, on the clock of `zone`."""
    distant = _read_far(raw) if isinstance(raw, str) else None
    if distant is not None:
        if str(zone) != "UTC":
            raise ValueError("the years 1 to 9999 alone can be told in another zone than UTC")
        return distant
    moment = raw if isinstance(raw, datetime) else datetime.fromisoformat(raw)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _write_far(value: Json, *, clock: bool, fault: str) -> str:
    match = _FAR.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match["clock"] is not None) != clock or match["year"] in ("-0000", "-00000", "-000000"):
        raise ValueError(fault)
    if clock and match["zone"] not in ("Z", "z", "+00:00"):
        raise ValueError("must be in UTC outside the years 1 to 9999")
    year = int(match["year"])
    _check_day(year, match["rest"], match["clock"])
    written = f"{1 - year if year < 1 else year:04d}-{match['rest']}"
    return written + (f" {match['clock']}" if clock else "") + (ERA if year < 1 else "")


def _read_far(raw: str) -> str | None:
    """The spelling of what lies outside the years 1 to 9999; None: it lies within, or is no date."""
    match = _WRITTEN.fullmatch(raw)
    if match is None or not (match["bc"] or len(match["year"]) > 4):
        return None
    year = 1 - int(match["year"]) if match["bc"] else int(match["year"])
    spelt = f"{'-' if year < 0 else '+' if year > 9999 else ''}{abs(year):04d}-{match['rest']}"
    return f"{spelt}T{match['clock']}Z" if match["clock"] else spelt


def _check_day(year: int, rest: str, clock: str | None) -> None:
    date.fromisoformat(f"{2000 + year % 400}-{rest}")  # the calendar repeats after 400 years
    time.fromisoformat(clock or "00:00:00")


def write_interval(value: Json) -> str:
    """An ISO 8601 duration, checked; each of its parts may have a sign."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError('must be a duration such as "P1DT2H30M", with at most 6 digits of a second')
    return value


def read_interval(raw: Any) -> str:
    """An ISO 8601 duration from one, or from hours, minutes and seconds (`-838:59:59.5`)."""
    if not isinstance(raw, str):
        raise ValueError("not an interval")
    clock = _CLOCK.fullmatch(raw)
    if clock is None:
        return write_interval(raw)
    sign, hours, minutes, seconds, fraction = clock.groups()
    second = f"{int(seconds)}.{fraction}".rstrip("0").rstrip(".") if fraction else str(int(seconds))
    parts = ((str(int(hours)), "H"), (str(int(minutes)), "M"), (second, "S"))
    spelt = "".join(f"{sign}{number}{unit}" for number, unit in parts if number != "0")
    return f"PT{spelt or '0S'}"


def clock_of(interval: str) -> str:
    """Hours, minutes and seconds of a checked duration, for databases that keep intervals so."""
    match = _DURATION.fullmatch(interval)
    if match is None or any(match.group(1, 2, 3)):
        raise ValueError('must be hours, minutes and seconds in this database, such as "PT30H5M"')
    hours, minutes, sign, seconds, fraction = match.group(4, 5, 6, 7, 8)
    second = int((seconds or "0") + (fraction or "").ljust(6, "0")) * (-1 if sign else 1)
    total = (int(hours or 0) * 3600 + int(minutes or 0) * 60) * 1_000_000 + second
    whole, micro = divmod(abs(total), 1_000_000)
    clock = f"{'-' if total < 0 else ''}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{clock}.{micro:06d}" if micro else clock
