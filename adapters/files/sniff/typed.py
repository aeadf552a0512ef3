"""Formats that say their columns' types themselves: DBF and Parquet in their headers, JSON lines value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

from adapters.files import extras
from adapters.files.json_format import parsed
from adapters.files.json_scan import LONGEST
from adapters.files.sniff.assemble import finished, places_of, renamed, with_columns
from adapters.files.sniff.found import MOST_BYTES, MOST_CELLS, MOST_RECORDS, CantTell, Column, Said, Sniffed, count
from adapters.files.sniff.names import json_names
from adapters.files.sniff.types import guesses
from adapters.files.undecodable import Undecodable

_WIDEST = 2_000
_LONG = 18
_DBF = {"C": "text", "D": "date", "L": "boolean", "T": "datetime", "I": "integer", "B": "decimal", "Y": "decimal"}
_SAFE = 1 << 53
_MOMENTS = ("date", "time", "datetime", "instant")


def dbf(file: BinaryIO, name: str, code_page: str | None = None) -> Sniffed:
    """What a dBase or FoxPro table is; raises `CantTell`."""
    found = list(_dbf_fields(file))
    kept = [(header, kind) for header, kind, why in found if not why]
    said = [Said(header, f"left out: {why}", True) for header, _, why in found if why]
    said.append(Said("columns", f"{len(kept)} fields, each with the type that the table's header states"))
    dataset = {"format": "dbf", "options": {}} | ({"code_page": code_page} if code_page else {})
    return _declared(file, name, dataset, kept, said)


def _dbf_fields(file: BinaryIO) -> Iterator[tuple[str, str, str]]:
    """(name, type, why it can't be read) of each field."""
    file.seek(0)
    head = file.read(32)
    length = int.from_bytes(head[8:10], "little")
    entries = file.read(max(length - 32, 0)) if len(head) == 32 else b""
    for at in range(0, len(entries) - 31, 32):
        entry = entries[at : at + 32]
        if entry[0] in (0x0D, 0x00):
            return
        kind, name = chr(entry[11]), entry[:11].partition(b"\0")[0].decode("latin-1").strip()
        if kind == "0":  # Visual FoxPro's own flags
            continue
        number = "integer" if not entry[17] and entry[16] <= _LONG else "decimal"
        known = number if kind in "NF" else _DBF.get(kind, "text")
        yield name, known, "" if kind in "NF" or kind in _DBF else f"a field of type {kind} has its content elsewhere"


def parquet(file: BinaryIO, name: str) -> Sniffed:
    """What a Parquet file is; raises `CantTell`."""
    try:
        pa = extras.pyarrow()
        file.seek(0)
        try:
            schema = extras.parquet().ParquetFile(file).schema_arrow
        except (pa.ArrowException, OSError):
            raise CantTell("the file isn't Parquet, or is cut off or damaged") from None
    except extras.Missing as error:
        raise CantTell(str(error)) from error
    kept, said = [], []
    for field in schema:
        kind = _arrow(pa, field.type)
        if kind is None:
            said.append(Said(field.name, f"left out: values of type {field.type} aren't read", True))
        else:
            kept.append((field.name, kind))
    said.append(Said("columns", f"{len(kept)} columns, each with the type that the file's schema states"))
    return _declared(file, name, {"format": "parquet", "options": {}}, kept, said)


def _arrow(pa: Any, kind: Any) -> str | None:
    types = pa.types
    if types.is_dictionary(kind):
        return _arrow(pa, kind.value_type)
    if types.is_timestamp(kind):
        return "instant" if kind.tz else "datetime"
    if types.is_uint64(kind) or types.is_decimal(kind) or types.is_floating(kind):
        return "decimal"
    tests = {
        "boolean": (types.is_boolean,),
        "integer": (types.is_integer,),
        "text": (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary),
        "date": (types.is_date,),
        "time": (types.is_time,),
        "json": (types.is_struct, types.is_list, types.is_large_list),
    }
    return next((name for name, each in tests.items() if any(test(kind) for test in each)), None)


def _declared(
    file: BinaryIO, name: str, dataset: Mapping[str, Any], kept: Sequence[tuple[str, str]], said: Sequence[Said]
) -> Sniffed:
    """A dataset of columns whose types are known."""
    if not 0 < len(kept) <= _WIDEST:
        raise CantTell(
            f"{name} has {count(len(kept))} columns that can be read; from 1 to {count(_WIDEST)} can be imported"
        )
    places = places_of([header for header, _ in kept])
    names = json_names([header for header, _ in kept])
    options = {each: {"type": kind, **place.where} for each, (_, kind), place in zip(names, kept, places, strict=True)}
    columns = [Column(each, place.header, options[each]) for each, place in zip(names, places, strict=True)]
    return finished(file, name, with_columns(dataset, options), columns, [*said, *renamed(names, places)])


def json_lines(file: BinaryIO, name: str) -> Sniffed:
    """What a file of an object a line is; raises `CantTell`."""
    values, bad = _objects(file)
    headers = list(dict.fromkeys(header for value in values for header in value))
    if not headers or len(headers) > _WIDEST:
        raise CantTell(f"{name} has {count(len(headers))} members; from 1 to {count(_WIDEST)} can be imported")
    names = json_names(headers)
    options: dict[str, dict[str, Any]] = {}
    said = [
        Said(
            "records", f"{count(len(values))} lines are objects" + (f", {count(bad)} aren't" if bad else ""), bool(bad)
        )
    ]
    for each, header in zip(names, headers, strict=True):
        given = [value[header] for value in values if value.get(header) is not None]
        kind, doubt = _json_type(given)
        source = "/" + header.replace("~", "~0").replace("/", "~1") if header.startswith("/") else header
        options[each] = {"type": kind, "from": source}
        said.append(Said(each, f"{kind}: {count(len(given))} of {count(len(values))} sampled{doubt}", bool(doubt)))
    columns = [Column(each, header, options[each]) for each, header in zip(names, headers, strict=True)]
    return finished(file, name, with_columns({"format": "json_lines", "options": {}}, options), columns, said)


def _objects(file: BinaryIO) -> tuple[list[dict[str, Any]], int]:
    file.seek(0)
    values: list[dict[str, Any]] = []
    bad = cells = taken = 0
    while len(values) + bad < MOST_RECORDS and cells < MOST_CELLS and taken < MOST_BYTES:
        line = file.readline(LONGEST)
        if not line:
            break
        taken += len(line)
        if not line.strip(b"\xef\xbb\xbf \t\r\n"):
            continue
        try:
            values.append(parsed(line.removeprefix(b"\xef\xbb\xbf")))
            cells += len(values[-1])
        except Undecodable:
            bad += 1
    return values, bad


def _json_type(given: Sequence[Any]) -> tuple[str, str]:
    """A member's type, and what is doubtful about it."""
    if not given:
        return "text", ": it never has a value"
    if all(isinstance(value, str) for value in given):
        guess = guesses([given])[0].options
        return (str(guess["type"]) if guess["type"] in _MOMENTS and set(guess) == {"type"} else "text"), ""
    if all(isinstance(value, bool) for value in given):
        return "boolean", ""
    if all(isinstance(value, int | Decimal) and not isinstance(value, bool) for value in given):
        whole = all(isinstance(value, int) and abs(value) < _SAFE for value in given)
        return ("integer" if whole else "decimal"), ""
    plain = [value for value in given if not isinstance(value, dict | list)]
    return "json", ": its values are of several types" if plain else ""
