"""Fields of a big file as columns on disk, some thousand records a block, made beside the calls that asked for them.

A block has columns of its own (`columnar.Column`), so that asking takes as little memory as making them. They stand in
a temporary file without a name, which is gone with the last who reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from threading import Lock
from typing import Any, NamedTuple

import orjson

from adapters.contract import Json
from adapters.files.columnar import Column, column_of
from adapters.files.copy import Copy
from adapters.files.extras import Missing, numpy
from adapters.files.formats import FieldType, at
from adapters.files.turns import giving_way
from adapters.files.undecodable import Undecodable

BLOCK = 1 << 14
_MOST_FIELDS = 16


class _Stored(NamedTuple):
    """Where one block's column is: its codes, then its values as JSON."""

    start: int
    values: int
    end: int


class BigColumns:
    """The columns of one file. `rows` of `make` are (ordinal, record), ascending."""

    def __init__(self) -> None:
        self._copy: Copy | None = None
        self._ordinals: list[tuple[int, int]] = []
        self._fields: dict[str, tuple[FieldType, list[_Stored]]] = {}
        self._unfit: set[str] = set()
        self._making = Lock()
        self.wanted: dict[str, FieldType] = {}
        """Fields that were asked for and aren't there yet."""

    def ready(self, fields: Mapping[str, FieldType]) -> bool:
        """Are they there? What isn't, and can be, is wanted from now on."""
        missing = {path: kind for path, kind in fields.items() if path not in self._fields}
        if missing and not missing.keys() & self._unfit and len(self._fields) + len(missing) <= _MOST_FIELDS:
            self.wanted.update(missing)
        return not missing

    def make(self, rows: Iterable[tuple[int, Mapping[str, Json]]]) -> None:
        """Makes what is wanted; raises what `rows` does."""
        with self._making:
            fields = {path: kind for path, kind in self.wanted.items() if path not in self._fields}
            if not fields:
                return
            try:
                self._make(fields, giving_way(iter(rows)))
            except (Undecodable, TypeError, Missing):  # too large, or a field that holds lists: left to the plain way
                self._unfit.update(fields)
            finally:
                self.wanted = {path: kind for path, kind in self.wanted.items() if path not in fields}

    def _make(self, fields: Mapping[str, FieldType], rows: Iterator[tuple[int, Mapping[str, Json]]]) -> None:
        copy = self._copy = self._copy or Copy()
        ordinals: list[tuple[int, int]] = []
        made: dict[str, list[_Stored]] = {path: [] for path in fields}
        while block := list(islice(rows, BLOCK)):
            start = copy.size
            copy.write(numpy().array([ordinal for ordinal, _ in block], dtype="int64").tobytes())
            ordinals.append((start, copy.size))
            for path, kind in fields.items():
                column = column_of(kind, [at(row, path) for _, row in block])
                start = copy.size
                copy.write(column.codes.astype("int32").tobytes())
                values = copy.size
                copy.write(orjson.dumps(column.values))
                made[path].append(_Stored(start, values, copy.size))
        copy.done()
        self._ordinals = ordinals
        self._fields = {**self._fields, **{path: (fields[path], stored) for path, stored in made.items()}}

    def blocks(self, fields: Iterable[str]) -> Iterator[tuple[Any, dict[str, Column]]]:
        """(the ordinals of its records, their columns) of each block."""
        known = {path: self._fields[path] for path in fields}
        for number, (start, end) in enumerate(self._ordinals):
            assert self._copy is not None
            ordinals = numpy().frombuffer(self._copy.read(start, end), dtype="int64")
            yield ordinals, {path: self._column(kind, stored[number]) for path, (kind, stored) in known.items()}

    def _column(self, kind: FieldType, stored: _Stored) -> Column:
        assert self._copy is not None
        codes = numpy().frombuffer(self._copy.read(stored.start, stored.values), dtype="int32")
        return Column(kind, codes, orjson.loads(self._copy.read(stored.values, stored.end)))
