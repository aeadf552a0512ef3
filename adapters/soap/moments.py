"""Dates and instants between XML text and JSON (XML Schema 1.0 part 2, sections 3.2.7 and 3.2.9; RFC 3339)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo

from adapters.contract import Json
from adapters.soap.values import BadValue

ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"

_DATE_TIME = re.compile(
    rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})T([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}})(\.[0-9]+)?({ZONE})?"
)
_DATE = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){ZONE}?")


def decode_date_time(text: str, zone: tzinfo) -> str:
    """xsd:dateTime → RFC 3339; `zone` is that of a text without one. Raises `BadValue`."""
    match = _DATE_TIME.fullmatch(text.strip(" \t\r\n"))
    if match is None:
        raise BadValue("isn't a dateTime")
    *numbers, fraction, offset = match.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    try:
        moment = datetime(year, month, day, hour % 24, minute, second)
        if hour == 24:  # The end of a day is 24:00:00 or the next day's 00:00:00 (part 2, section 3.2.7.1).
            if minute or second:
                raise ValueError
            moment += timedelta(days=1)
    except (ValueError, OverflowError):
        raise BadValue("isn't a dateTime") from None
    return f"{moment.isoformat()}{fraction or ''}{_offset(offset, moment, zone)}"


def _offset(offset: str | None, moment: datetime, zone: tzinfo) -> str:
    if offset is None:
        delta = moment.replace(tzinfo=zone).utcoffset() or timedelta()
        minutes = round(delta.total_seconds() / 60)
        offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return "Z" if offset in ("+00:00", "-00:00") else offset


def encode_date_time(value: Json) -> str:
    """RFC 3339 → xsd:dateTime; raises `BadValue`."""
    text = str(value).upper().replace(" ", "T")
    match = _DATE_TIME.fullmatch(text)
    if match is None or match.group(8) is None or match.group(6) == "60":
        raise BadValue("isn't an RFC 3339 date and time with an offset")
    return text


def decode_date(text: str) -> str:
    """xsd:date → ISO 8601, its zone dropped; raises `BadValue`."""
    match = _DATE.fullmatch(text.strip(" \t\r\n"))
    if match is None:
        raise BadValue("isn't a date")
    return encode_date(match.group(1))


def encode_date(value: Json) -> str:
    """ISO 8601 → xsd:date; raises `BadValue`."""
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise BadValue("isn't a date") from None
