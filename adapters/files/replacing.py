"""What `replace` will write: a whole file of records, judged as it will be read back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace

from adapters.contract import Json
from adapters.errors import FieldError, Invalid, pointer
from adapters.files.appending import controls
from adapters.files.control import Controlled
from adapters.files.dataset import Description
from adapters.files.formats import Record, at
from adapters.files.manifest import Mismatch
from adapters.files.undecodable import Undecodable
from adapters.files.values import stored

MAX_ITEMS = 100_000
_MAX_FAULTS = 100


def whole_file(description: Description, input: Mapping[str, Json]) -> bytes:
    """The bytes of a file of all `items`; raises `Invalid`, with a pointer to each fault."""
    items = input.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        fault = FieldError("/items", f"must be a list of 1 to {MAX_ITEMS} records")
        raise Invalid("the dataset can't be replaced", errors=[fault])
    faults: list[FieldError] = []
    pieces: list[bytes] = []
    seen: set[bytes] = set()
    control = description.format if isinstance(description.format, Controlled) else None
    description, whole = (description if control is None else replace(description, format=control.plain)), description
    for number, item in enumerate(items):
        data, found = _one(description, item, seen)
        faults += [FieldError(f"/items/{number}{fault.pointer}", fault.message) for fault in found]
        if len(faults) >= _MAX_FAULTS:
            break
        if not faults:
            pieces.append(data if not pieces else data[_begin(description, data) :])
    if faults:
        raise Invalid("the dataset can't be replaced", errors=faults)
    data = b"".join(pieces)
    if control is not None:
        data = _controlled(control, data)
    _check(whole, data, len(items))
    return data


def _controlled(control: Controlled, data: bytes) -> bytes:
    data, faults = control.wrapped(data)
    if faults:
        raise Invalid("the control records can't be written", errors=faults)
    return data


def _one(description: Description, item: Json, seen: set[bytes]) -> tuple[bytes, list[FieldError]]:
    if not isinstance(item, Mapping):
        return b"", [FieldError("", "must be a record")]
    data, faults = description.format.encode(item)
    if description.config.format == "copybook":
        faults = [*faults, *controls(item, "")]
    if faults:
        return b"", faults
    where = pointer(*description.config.key.split("."))
    found = next(iter(_records(description, data)), None)
    key = None if found is None else at(found.value, description.config.key)
    if key is None or key == "":
        return b"", [FieldError(where, "must be given: it is the key")]
    name = stored(description.key_type)(key)
    if name in seen:
        return b"", [FieldError(where, "another record has the same key")]
    seen.add(name)
    return data, []


def _records(description: Description, data: bytes) -> list[Record]:
    file = io.BytesIO(data)
    try:
        return [found for found in description.format.reader(file, len(data)).scan(file) if isinstance(found, Record)]
    except (Undecodable, Mismatch):
        return []


def _begin(description: Description, data: bytes) -> int:
    """Where the record begins in a file of its own: behind a header, if there is one."""
    return next(found.start for found in _records(description, data))


def _check(description: Description, data: bytes, count: int) -> None:
    """Not every format lets records be written one behind the other."""
    if len(_records(description, data)) != count:
        raise Invalid(f"{description.name} can't be written as one file")
