"""The functions of JMESPath, and three that legacy data needs: `lookup`, `iso_date` and `digits_date`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions, signature

from adapters.contract import Json

_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


class MappingFunctions(Functions):
    """JMESPath's own and ours, as its interpreter calls them."""

    @signature({"types": ["object"], "variadic": True})
    def _func_merge(self, *values: Json) -> Json:
        # The library looks at the first one's type alone, and takes a list of pairs for an object.
        merged: dict[str, Json] = {}
        for value in values:
            if not isinstance(value, dict):
                raise JMESPathTypeError("merge", value, type(value).__name__, ["object"])
            merged |= value
        return merged

    @signature({"types": []}, {"types": ["object"]})
    def _func_lookup(self, value: Json, table: Mapping[str, Json]) -> Json:
        return lookup(value, table)

    @signature({"types": []})
    def _func_iso_date(self, value: Json) -> Json:
        return iso_date(value)

    @signature({"types": []})
    def _func_digits_date(self, value: Json) -> Json:
        return digits_date(value)


def lookup(value: Json, table: Mapping[str, Json]) -> Json:
    """`lookup(status, {O: 'open', P: 'paid'})`: what `value`, as a text, stands for; null for what isn't there."""
    return table.get(str(value)) if isinstance(value, (str, int)) else None


def iso_date(value: Json) -> Json:
    """20261231 or "20261231" → "2026-12-31"; 0, "" and null → null; anything else stays as it is, for the contract."""
    if value in (None, 0, "", "00000000"):
        return None
    # A number has lost the zeros that it began with.
    match = _DIGITS.fullmatch(f"{value:08d}" if type(value) is int else str(value))
    return "-".join(match.groups()) if match else value


def digits_date(value: Json) -> Json:
    """ "2026-12-31" → 20261231; null → null; anything else stays as it is, for the upstream to judge."""
    match = _ISO.fullmatch(value) if isinstance(value, str) else None
    return int("".join(match.groups())) if match else value


def arities() -> dict[str, tuple[int, bool]]:
    """Each function's number of arguments, and whether there may be more."""
    table: Mapping[str, Any] = MappingFunctions.FUNCTION_TABLE
    known = {}
    for name, entry in table.items():
        arguments = entry["signature"]
        known[name] = (len(arguments), bool(arguments and arguments[-1].get("variadic")))
    return known
