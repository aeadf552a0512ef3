"""What is asked of the audit: which records somebody wants to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]

NO_RECORD = (ValueError, KeyError, TypeError, AttributeError)
"""What reading a line raises that isn't a record's: somebody wrote into the audit, and `verify` will say so."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(time: str) -> int:
    """An RFC 3339 time as microseconds since the epoch; raises `ValueError`, also when it has no offset."""
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError(f"'{time}' has no offset from UTC, such as Z")
    return (moment - _EPOCH) // _MICROSECOND


def _trace(record: Record) -> str | None:
    parts = (record.get("traceparent") or "").split("-")
    return parts[1] if len(parts) > 2 else None


def _noted_operation(record: Record) -> str | None:
    noted = record.get("noted") or {}
    value = noted.get("operation_id")
    return value if isinstance(value, str) else None


def _member(name: str) -> Callable[[Record], str | None]:
    def read(record: Record) -> str | None:
        value = record.get(name)
        return value if isinstance(value, str) else None

    return read


FIELDS: Mapping[str, Callable[[Record], str | None]] = {
    **{
        name: _member(name)
        for name in (
            *("id", "kind", "principal", "agent", "tenant", "credential", "operation", "route", "effect"),
            *("run", "decision", "outcome", "problem"),
        )
    },
    "trace": _trace,
    "operation_id": _noted_operation,
}
"""What can be asked to be equal to a text, and how it is read from a record. `trace` is the trace's id,
`operation_id` that of `/-/operations/`."""


def upstreams(record: Record) -> set[str]:
    """The names of the upstreams that a call reached."""
    return {str(call["upstream"]) for call in record.get("upstream_calls") or ()}


def status(record: Record) -> int | None:
    """The HTTP status; None: it has none, or not one of HTTP's."""
    value = record.get("status")
    return value if isinstance(value, int) and 0 <= value <= 999 else None


@dataclass(frozen=True, slots=True)
class Question:
    """All of it must hold. Times are microseconds since the epoch: `since` ≤ time < `until`."""

    equal: Mapping[str, str] = field(default_factory=dict)
    """Of `FIELDS`."""
    since: int | None = None
    until: int | None = None
    least_status: int | None = None
    most_status: int | None = None
    upstream: str | None = None
    text: str | None = None
    """Stands somewhere in what is kept of the arguments, in whatever case."""

    def matches(self, record: Record) -> bool:
        """Whether a record is what is asked for, with its sealed values opened where they can be."""
        if any(FIELDS[name](record) != value for name, value in self.equal.items()):
            return False
        if self.upstream is not None and self.upstream not in upstreams(record):
            return False
        return self._in_time(record) and self._in_status(record) and self._in_text(record)

    def _in_time(self, record: Record) -> bool:
        time = microseconds(record["time"])
        return (self.since is None or self.since <= time) and (self.until is None or time < self.until)

    def _in_status(self, record: Record) -> bool:
        if self.least_status is None and self.most_status is None:
            return True
        known = status(record)
        most = 999 if self.most_status is None else self.most_status
        return known is not None and (self.least_status or 0) <= known <= most

    def _in_text(self, record: Record) -> bool:
        if self.text is None:
            return True
        arguments = record.get("arguments") or {}
        sealed = arguments.get("sealed")
        opened = sealed.get("kept") if isinstance(sealed, dict) else None
        asked = self.text.casefold()
        return any(asked in text.casefold() for text in _texts([arguments.get("kept"), opened]))


def _texts(value: Any) -> Iterator[str]:
    """Every text and number within a value."""
    if isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
