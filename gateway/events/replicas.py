"""Replicas as routes ask them: beside whoever writes them, and on a thread of their own."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from adapters.changes import Form
from adapters.contract import Json
from gateway.events.answers import Page, chosen, page, row_key, rows_in_time
from gateway.events.bindable import Unanswerable
from gateway.events.enrolled import EnrolledFile
from gateway.events.model import Standing
from gateway.events.spelt import one_asked, page_asked, told
from gateway.routing.captured_operations import Spelling
from gateway.routing.captures import Materialized
from gateway.store.contract import StoreError
from gateway.store.in_turn import InTurn

_ROW = "SELECT row FROM rows WHERE capture = ? AND key = ?"
_LONGEST = 0.25
"""Seconds that a replica is looked through for one answer."""


class Answer(NamedTuple):
    """What a replica holds: the operation's value (None of a `get`: there is no such row), and how far it was."""

    standing: Standing
    value: Json


class ReplicaFile(EnrolledFile):
    """The open file, as it is asked."""

    def answer(self, asked: Materialized, input: Mapping[str, Json]) -> Answer:
        """Raises `Unanswerable` or `StoreError`. How far the replica is, and its rows, are of one moment."""
        own = input if asked.spelling is None else _own(asked, asked.spelling, input)
        try:
            found = self._one(asked, own) if asked.verb == "get" else None
            found = found or self._together(asked, own)
        except sqlite3.Error as error:
            raise StoreError(f"the replica of {asked.capture} can't be read: {error}") from error
        return found if asked.spelling is None else found._replace(value=told(asked.spelling, found.value))

    def _one(self, asked: Materialized, input: Mapping[str, Json]) -> Answer | None:
        """A row, and how far the replica is, in one statement; None: another shape than the replica's is asked for."""
        standing, row = self.standing_and_row(asked.capture, row_key(asked.form, input))
        if standing is None or standing.digest != asked.digest:
            return None
        return Answer(_whole(standing), _entity(asked.form, row, input))

    def _together(self, asked: Materialized, input: Mapping[str, Json]) -> Answer:
        """The same in one transaction, also of a page, and of a former shape."""
        try:
            self._db.execute("BEGIN")
            standing = self._standing_of(asked)
            return Answer(standing, self._found(standing, asked, input))
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _standing_of(self, asked: Materialized) -> Standing:
        """The standing of the replica that has what is asked for in its shape."""
        found = self.standing(asked.capture)
        if found is None or found.digest == asked.digest:
            return _whole(found)
        former = self.former(found.number)
        if former is None or former.digest != asked.digest:
            raise Unanswerable("the replica has another shape")
        return _whole(found._replace(**former._asdict()))

    def _found(self, standing: Standing, asked: Materialized, input: Mapping[str, Json]) -> Json:
        if asked.verb == "get":
            row = self._asked(_ROW, standing.replica, row_key(asked.form, input))
            return _entity(asked.form, row[0][0] if row else None, input)
        wanted = page(asked.form, input)
        return wanted.answer(self._rows(wanted, standing.replica))

    def _rows(self, wanted: Page, number: int) -> list[tuple[Any, ...]]:
        until = time.monotonic() + _LONGEST
        for found_by in wanted.ways:
            try:
                return rows_in_time(self._db, wanted.sql(number, found_by), wanted.clause.parameters, until)
            except sqlite3.OperationalError:  # it isn't there yet, or no route filters by it, or it can't be walked
                continue
        return rows_in_time(self._db, wanted.sql(number), wanted.clause.parameters, until)


def _whole(standing: Standing | None) -> Standing:
    if standing is None or not standing.current:  # its first load isn't over
        raise Unanswerable("the replica isn't whole yet")
    return standing


def _entity(form: Form, row: bytes | None, input: Mapping[str, Json]) -> Json:
    if row is not None:
        return chosen(form, orjson.loads(row), input.get("fields") or ())
    if not form.misses:
        raise Unanswerable("the upstream alone knows that there is none")
    return None


def _own(asked: Materialized, spelling: Spelling, input: Mapping[str, Json]) -> Mapping[str, Json]:
    """An operation's input as a table's `get` or `list` has it."""
    return one_asked(spelling, asked.form.key, input) if asked.verb == "get" else page_asked(spelling, input)


class Replicas:
    """The replicas of this host, for the event loop."""

    def __init__(self, path: Path) -> None:
        """`path` is the log's; it is opened when it is first asked."""
        self._path = path
        self._file: ReplicaFile | None = None
        self._thread = InTurn()

    async def answer(self, asked: Materialized, input: Mapping[str, Json]) -> Answer:
        """What a replica answers; raises `Unanswerable`, and `StoreError` where the file can't be read."""
        return await self._thread(self._answer, asked, input)

    def _answer(self, asked: Materialized, input: Mapping[str, Json]) -> Answer:
        if self._file is None:
            self._file = ReplicaFile(self._path)
        return self._file.answer(asked, input)

    def close(self) -> None:
        """Waits for what is under way, and closes the file."""
        self._thread.close()
        if self._file is not None:
            self._file.close()
