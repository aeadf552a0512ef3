"""Single values by what they mean: decimals, instants, dates and bytes as the contract says or their looks tell.

Numbers are equal by value, decimals whatever their trailing zeros, instants whatever their offset. A text that the
contract calls a text is only that: `1.10` and `1.1` may be versions.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from adapters.contract import Json
from gateway.migration.compare.model import ABSENT, Kind

Form: TypeAlias = Literal["guess", "text", "decimal", "instant", "date", "bytes"]
"""How texts at a place are read; `guess`: no contract speaks of it, so two that look the same sort are that sort."""

# No leading zeros: those are codes. At least one side must have a point, or both are codes, too.
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,63})(?:\.[0-9]{1,64})?", re.ASCII)
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,30}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def decimal(value: Json) -> Decimal | None:
    """A number, or a text that is a decimal, exactly; None: it is neither."""
    if isinstance(value, str):
        return Decimal(value) if _DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    found = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    return found if found.is_finite() else None


def instant(value: Json) -> Decimal | None:
    """Seconds since 1970 of an RFC 3339 instant, or of a date's midnight in UTC, exactly; None: it is neither."""
    if not isinstance(value, str):
        return None
    match = _INSTANT.fullmatch(value)
    if match is None and not _DATE.fullmatch(value):
        return None
    day, clock, fraction, zone = match.groups() if match else (value, "00:00:00", None, "Z")
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
        past = at - _EPOCH
    except (ValueError, OverflowError):
        return None
    return Decimal(past.days * 86_400 + past.seconds) + Decimal(f"0.{fraction or 0}")


def content(value: str) -> bytes | None:
    """The bytes that base64 stands for (RFC 4648, either alphabet, padded or not, wrapped or not)."""
    plain = "".join(value.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:  # binascii.Error, or a text that isn't ASCII
        return None


def normal(value: Json, form: Form) -> Json:
    """A scalar in one spelling of all that mean the same, hashable; of different types never the same."""
    if isinstance(value, str):
        return _normal_text(value, form)
    if isinstance(value, bool) or value is None or value is ABSENT:
        return (type(value).__name__, value)
    return ("number", value)


def _normal_text(value: str, form: Form) -> Json:
    if form in ("guess", "instant") and value[4:5] == "-" and _INSTANT.fullmatch(value):
        found = instant(value)
        return ("str", value) if found is None else ("instant", found)
    if form == "decimal" or (form == "guess" and "." in value):
        exact = decimal(value)
        return ("str", value) if exact is None else ("decimal", exact)
    if form == "bytes":
        raw = content(value)
        return ("str", value) if raw is None else ("bytes", raw)
    return ("str", value)


def difference(legacy: Json, replacement: Json, form: Form) -> Kind | None:
    """In what two scalars that aren't null or absent differ; None: they mean the same."""
    if isinstance(legacy, str) and isinstance(replacement, str):
        return None if legacy == replacement else _texts(legacy, replacement, form)
    one, other = isinstance(legacy, int | float), isinstance(replacement, int | float)
    if not one or not other or isinstance(legacy, bool) != isinstance(replacement, bool):
        return "type"
    if legacy == replacement:
        return None
    return "value" if isinstance(legacy, bool) else "number"


def _texts(legacy: str, replacement: str, form: Form) -> Kind | None:
    # Two equal texts never come here.
    if form in ("guess", "instant", "date"):
        one, other = _instants(legacy, replacement, form)
        if one is not None and other is not None:
            return None if one == other else "instant"
    if form == "decimal" or (form == "guess" and ("." in legacy or "." in replacement)):
        exact, against = decimal(legacy), decimal(replacement)
        if exact is not None and against is not None:
            return None if exact == against else "number"
    if form == "bytes":
        raw = content(legacy)
        return None if raw is not None and raw == content(replacement) else "value"
    return _spelling(legacy, replacement)


def _instants(legacy: str, replacement: str, form: Form) -> tuple[Decimal | None, Decimal | None]:
    # A date and an instant are two types, whatever midnight says.
    if legacy[4:5] != "-" or replacement[4:5] != "-" or (len(legacy) == 10) != (len(replacement) == 10):
        return None, None
    return instant(legacy), instant(replacement)


def _spelling(legacy: str, replacement: str) -> Kind:
    if not legacy or not replacement:
        return "empty"
    if legacy.strip() == replacement.strip():
        return "space"
    if unicodedata.normalize("NFC", legacy) == unicodedata.normalize("NFC", replacement):
        return "encoding"
    try:
        # UTF-8 that somebody took for Latin-1 or Windows-1252, or the other way round.
        for code in ("latin-1", "cp1252"):
            for wrong, right in ((legacy, replacement), (replacement, legacy)):
                if wrong.encode(code, "replace").decode("utf-8", "replace") == right and "\ufffd" not in right:
                    return "encoding"
    except UnicodeError:
        pass
    return "case" if legacy.casefold() == replacement.casefold() else "value"
