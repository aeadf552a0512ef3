"""Time zones of the IANA database, as a configuration names them."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator


def zone(name: str) -> tzinfo:
    """The zone called `name`; raises `ValueError` with a sentence."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is no time zone of the IANA database, such as Europe/Berlin") from None


def _known(name: str) -> str:
    zone(name)
    return name


ZoneName: TypeAlias = Annotated[str, AfterValidator(_known)]
"""A config field that names a time zone; `zone` gives it."""
