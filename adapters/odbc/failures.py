"""What went wrong in a driver, told apart by SQLSTATE, native code and message, and what that means to a caller.

    driver error ── classify() ──> Failure ── adapter_error() ──> adapters.errors

SQLSTATE alone doesn't do: MariaDB's driver reports a refused connection as HY000, SQLite's everything. The tables
are part of each `Dialect`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

import pyodbc

from adapters.errors import AdapterError, Conflict, DoNotRetry, Invalid, Refused, Retry, Unavailable, UnknownOutcome


class Failure(Enum):
    """The meaning of a driver's error."""

    UNREACHABLE = auto()  # no connection could be made
    LOST = auto()  # the connection broke
    REFUSED = auto()  # credentials or rights
    CONFLICT = auto()  # unique, foreign key, exclusion
    INVALID = auto()  # check, not null, data exceptions
    BUSY = auto()  # deadlock, serialization, lock timeout, too many connections
    TIMEOUT = auto()  # the statement was cancelled
    ABSENT = auto()  # the statement names what the database doesn't have
    REJECTED = auto()  # anything else: the statement itself is wrong


@dataclass(frozen=True, slots=True)
class Codes:
    """One driver's table: message fragments first, then native codes, SQLSTATEs, and SQLSTATE classes."""

    messages: tuple[tuple[str, Failure], ...] = ()
    natives: Mapping[int, Failure] = field(default_factory=dict)
    states: Mapping[str, Failure] = field(default_factory=dict)


# ISO 9075 classes and states, and what ODBC and PostgreSQL add to them.
_STATES: Mapping[str, Failure] = {
    "08001": Failure.UNREACHABLE, "08004": Failure.REFUSED, "08": Failure.LOST, "HYT01": Failure.UNREACHABLE,
    "IM": Failure.UNREACHABLE, "01000": Failure.REJECTED,
    "28": Failure.REFUSED, "42501": Failure.REFUSED, "25006": Failure.REFUSED,
    "23502": Failure.INVALID, "23514": Failure.INVALID, "23": Failure.CONFLICT, "22": Failure.INVALID,
    "44": Failure.INVALID, "45": Failure.INVALID, "P0001": Failure.INVALID,
    "42S02": Failure.ABSENT, "42S22": Failure.ABSENT, "42P01": Failure.ABSENT, "42703": Failure.ABSENT,
    "42883": Failure.ABSENT, "40": Failure.BUSY, "55P03": Failure.BUSY, "55006": Failure.BUSY, "53": Failure.BUSY,
    "57014": Failure.TIMEOUT, "HY008": Failure.TIMEOUT, "HYT00": Failure.TIMEOUT, "HY018": Failure.TIMEOUT,
    "57P": Failure.LOST,
}  # fmt: skip
_NATIVE = re.compile(r"\((-?\d+)\) \(SQL\w+\)")


def classify(codes: Codes, error: pyodbc.Error) -> Failure:
    """The meaning of a driver's error, by that driver's table and then by the standard's."""
    state = str(error.args[0]) if error.args else ""
    text = str(error.args[1]) if len(error.args) > 1 else ""
    for fragment, failure in codes.messages:
        if fragment in text:
            return failure
    native = _NATIVE.search(text)
    if native is not None and int(native[1]) in codes.natives:
        return codes.natives[int(native[1])]
    for table in (codes.states, _STATES):
        for length in (5, 3, 2):
            if state[:length] in table:
                return table[state[:length]]
    return Failure.REJECTED


class DatabaseError(Exception):
    """A driver's error with its meaning. `sent`: a statement that could change something had left before it."""

    def __init__(self, failure: Failure, detail: str, *, sent: bool = False, undone: bool = False) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail
        self.sent = sent
        self.undone = undone
        """The database is certain to have undone what was sent."""


_SENTENCES: Mapping[Failure, tuple[type[AdapterError], str]] = {
    Failure.UNREACHABLE: (Unavailable, "the database can't be reached"),
    Failure.REFUSED: (Refused, "the database refused the gateway's credentials or rights"),
    Failure.CONFLICT: (Conflict, "the change conflicts with what the database holds (a unique or foreign key)"),
    Failure.INVALID: (Invalid, "the database refused a value (out of range, missing, or against a rule)"),
    Failure.BUSY: (Retry, "the database is busy with a competing change; nothing was changed"),
    Failure.ABSENT: (Refused, "the database doesn't have what the gateway asks it for (a table, column or procedure)"),
    Failure.REJECTED: (DoNotRetry, "the database rejected the statement"),
}


def adapter_error(error: DatabaseError) -> AdapterError:
    """What a caller is told about a driver's error; the driver's own words go into `detail` alone."""
    if error.failure in _SENTENCES:
        kind, sentence = _SENTENCES[error.failure]
        return kind(sentence, detail=error.detail)
    if error.failure is Failure.TIMEOUT and error.undone:
        return Retry("the database took too long and undid the change", detail=error.detail)
    if error.failure is Failure.TIMEOUT:
        return UnknownOutcome("the database did not answer in time", detail=error.detail)
    if error.sent and not error.undone:
        return UnknownOutcome("the connection to the database broke before it answered", detail=error.detail)
    return Unavailable("the connection to the database broke; nothing was changed", detail=error.detail)
