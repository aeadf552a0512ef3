"""The spellings in which a column's values may be written, and what texts look like in each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any, NamedTuple


class Spelling(NamedTuple):
    """What `columns` says, and the shape of its texts. `habit`: a choice that one column may tell of another, such as
    ("point", ","), where another spelling has the same texts."""

    options: dict[str, Any]
    shape: re.Pattern[str]
    habit: tuple[str, str] | None = None


# Only what reads back as it is written: leading zeros, a plus, or an exponent make it text. Up to 15 digits are whole
# in every JSON reader, also one that has nothing but doubles.
_INTEGER = Spelling({"type": "integer"}, re.compile(r"0|-?[1-9][0-9]{0,14}"))
_WHOLE = "(?:0|[1-9][0-9]*)"
_TRUTHS = (
    ("true", "false"), ("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("Yes", "No"), ("YES", "NO"), ("Y", "N"),
    ("y", "n"), ("T", "F"), ("t", "f"), ("J", "N"), ("ja", "nein"), ("Ja", "Nein"), ("oui", "non"), ("Oui", "Non"),
    ("on", "off"),
)  # fmt: skip
_CERTAIN_ALONE = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_GROUPS = ((".", ","), (",", "."), (".", "'"), (",", " "), (".", " "))
_DAYS = (
    ("%d.%m.%Y", r"\d{1,2}\.\d{1,2}\.\d{4}", None),
    ("%d/%m/%Y", r"\d{1,2}/\d{1,2}/\d{4}", "day"),
    ("%m/%d/%Y", r"\d{1,2}/\d{1,2}/\d{4}", "month"),
    ("%d-%m-%Y", r"\d{1,2}-\d{1,2}-\d{4}", "day"),
    ("%m-%d-%Y", r"\d{1,2}-\d{1,2}-\d{4}", "month"),
    ("%Y/%m/%d", r"\d{4}/\d{1,2}/\d{1,2}", None),
    ("%Y.%m.%d", r"\d{4}\.\d{1,2}\.\d{1,2}", None),
    ("%d %b %Y", r"\d{1,2} [A-Za-z]{3} \d{4}", None),
    ("%d-%b-%Y", r"\d{1,2}-[A-Za-z]{3}-\d{4}", None),
    ("%Y%m%d", r"(?:19|20)\d{6}", None),
)
_CLOCKS = (
    ("%H:%M:%S.%f", r"\d{1,2}:\d\d:\d\d\.\d{1,6}"),
    ("%H:%M:%S", r"\d{1,2}:\d\d:\d\d"),
    ("%H:%M", r"\d{1,2}:\d\d"),
)
_ISO_DAY, _ISO_CLOCK = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d:\d\d(?:\.\d{1,6})?"


def truths(texts: frozenset[str]) -> tuple[str, str] | None:
    """The two words of a boolean, of which both are there, or one that can't mean anything else."""
    for pair in _TRUTHS:
        if texts and texts <= set(pair) and (len(texts) == 2 or texts <= _CERTAIN_ALONE):
            return pair
    return None


@cache
def spellings() -> tuple[Spelling, ...]:
    """All but booleans, the ones that say most first."""
    return (*_moments(), _INTEGER, *_numbers())


def _numbers() -> Iterator[Spelling]:
    yield Spelling({"type": "decimal"}, re.compile(rf"-?(?:{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)"), ("point", "."))
    comma = re.compile(rf"-?(?:{_WHOLE}(?:,[0-9]+)?|,[0-9]+)")
    yield Spelling({"type": "decimal", "decimal_point": ","}, comma, ("point", ","))
    for point, group in _GROUPS:
        grouped = rf"-?(?:{_WHOLE}|[1-9][0-9]{{0,2}}(?:{re.escape(group)}[0-9]{{3}})+)"
        options = {"grouping": group} | ({"decimal_point": point} if point != "." else {})
        habit = ("point", point) if group in ",." else None
        yield Spelling({"type": "integer", **options}, re.compile(grouped), habit)
        decimal = re.compile(rf"{grouped}(?:{re.escape(point)}[0-9]+)?")
        yield Spelling({"type": "decimal", **options}, decimal, habit)


def _moments() -> Iterator[Spelling]:
    yield Spelling({"type": "date"}, re.compile(_ISO_DAY))
    yield Spelling({"type": "time"}, re.compile(_ISO_CLOCK))
    yield Spelling({"type": "datetime"}, re.compile(f"{_ISO_DAY}[T ]{_ISO_CLOCK}"))
    yield Spelling({"type": "instant"}, re.compile(rf"{_ISO_DAY}[T ]{_ISO_CLOCK}(?:Z|[+-]\d\d:\d\d)"))
    yield Spelling({"type": "time", "format": "%H:%M"}, re.compile(_CLOCKS[2][1]))
    for format, shape, first in _DAYS:
        yield Spelling({"type": "date", "format": format}, re.compile(shape), ("day", first) if first else None)
    days = (("%Y-%m-%d", _ISO_DAY, None), *_DAYS)
    for (format, shape, first), (clock, digits), between in product(days, _CLOCKS, (" ", "T")):
        options = {"type": "datetime", "format": f"{format}{between}{clock}"}
        yield Spelling(options, re.compile(f"{shape}{between}{digits}"), ("day", first) if first else None)
