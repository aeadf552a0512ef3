"""A file's first records, as the dataset that it is taken for reads them, and which of their fields could be a key."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple, cast

from adapters.errors import ConfigError
from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.formats import Bad, FieldType, Format, Record
from adapters.files.sniff.found import MOST_BYTES, MOST_CELLS, MOST_RECORDS, CantTell, Key
from adapters.files.undecodable import Undecodable
from adapters.files.values import comparable

_FAULTS = 5
_LONGEST_KEY = 200
_KEYISH = ("id", "key", "no", "nr", "num", "number", "code", "sku", "isbn", "ean", "uuid", "guid")


class Sample(NamedTuple):
    """`whole`: the records are all of the file's. `faults`: what is wrong with the first of the `bad` ones."""

    values: list[dict[str, Any]]
    bad: int
    faults: tuple[str, ...]
    whole: bool

    def column(self, name: str) -> list[Any]:
        """The values of a field, in order."""
        return [value.get(name) for value in self.values]


def compiled(dataset: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Format:
    """The dataset's format, of records without a key; raises `CantTell`."""
    try:
        # The key is asked for by the model alone: nothing is looked up by it here.
        return compile_format(Dataset.model_validate({**dataset, "match": "*", "key": "-"}), None, files or {}, "")
    except ConfigError as error:
        raise CantTell("; ".join(each.message for each in error.problems)) from error


def sample(format: Format, file: BinaryIO, size: int, most: int = MOST_RECORDS) -> Sample:
    """The first records, at most `most` and within the bounds of `found`.

    Raises `CantTell` where the file isn't of that format.
    """
    values: list[dict[str, Any]] = []
    faults: list[str] = []
    bad = 0
    try:
        reader = format.reader(file, size)
        with closing(cast(Any, reader.scan(file))) as scanned:
            for cells, each in _bounded(scanned, most):
                if isinstance(each, Record):
                    values.append(each.value)
                else:
                    bad += 1
                    faults += [f"{each.where}: {each.reason}"] if len(faults) < _FAULTS else []
                if cells is None:
                    return Sample(values, bad, tuple(faults), False)
    except Undecodable as error:
        raise CantTell(str(error)) from error
    return Sample(values, bad, tuple(faults), True)


def _bounded(records: Iterable[Record | Bad], most: int) -> Iterator[tuple[int | None, Record | Bad]]:
    """The records; with the last one within the bounds None."""
    cells = taken = 0
    for number, each in enumerate(records, start=1):
        cells += len(each.value) if isinstance(each, Record) else 1
        taken += each.end - each.start
        over = number >= most or cells >= MOST_CELLS or taken >= MOST_BYTES
        yield (None if over else cells), each
        if over:
            return


def keys(values: Sequence[Mapping[str, Any]], fields: Mapping[str, FieldType]) -> list[Key]:
    """The fields that are filled and differ in all records, the most likely key first."""
    found: list[tuple[int, int, Key]] = []
    for place, (name, kind) in enumerate(fields.items()):
        if kind in ("number", "boolean"):
            continue
        given = [at_path(value, name) for value in values]
        if not values or any(each is None or each == "" or len(str(each)) > _LONGEST_KEY for each in given):
            continue
        if len(set(map(str, given))) != len(given):
            continue
        ordered = list(map(comparable(kind), given))
        rises = all(one < other for one, other in pairwise(ordered))
        found.append((_rank(name, place, kind, rises), place, Key(name, rises)))
    return [key for *_, key in sorted(found)]


def _rank(name: str, place: int, kind: FieldType, rises: bool) -> int:
    """The lower, the likelier: what is called as keys are, stands first, and orders the file."""
    words = name.lower().replace(".", "_").split("_")
    called = any(word in _KEYISH or word.endswith(("id", "nr", "code")) for word in words)
    return (0 if called else 4) + (0 if place == 0 else 2) + (0 if rises else 1) + (3 if kind == "decimal" else 0)


def at_path(value: Any, path: str) -> Any:
    """What stands at a dotted path."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    return file.seek(0, io.SEEK_END)
