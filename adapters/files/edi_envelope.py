"""The envelopes of X12 and EDIFACT: both nest messages in groups in interchanges, and end each with a count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from adapters.contract import Json
from adapters.files.copy import Placed
from adapters.files.edi import MOST_SEGMENTS, Marks, Segment, Source
from adapters.files.undecodable import Undecodable


class Service(NamedTuple):
    """The tags of a standard, and where control numbers stand behind them (from 0)."""

    interchange: str
    interchange_end: str
    group: str
    group_end: str
    message: str
    message_end: str
    interchange_number: int
    group_number: int
    message_number: int
    kind: Callable[[Segment], str]
    plain_head: bool
    """Is the interchange's segment without components? X12's has the delimiters themselves among its elements."""


class Envelope:
    """One interchange, read segment by segment."""

    def __init__(self, service: Service, source: Source, marks: Marks, encoding: str) -> None:
        self._service = service
        self._source = source
        self._marks = marks
        self._encoding = encoding
        self._number = 0
        self._group: Segment | None = None
        self._in_group = self._groups = self._messages = 0

    def messages(self) -> Iterator[Placed]:
        """Every message, and the counts that don't hold; raises `Undecodable` where nothing further can be told."""
        service = self._service
        head = self._next(self._head_marks())
        if head.tag != service.interchange:
            raise Undecodable(f"an interchange begins with {head.tag}, not with {service.interchange}")
        while True:
            segment = self._next()
            if segment.tag == service.message:
                self._messages += 1
                self._in_group += 1
                yield self._message(head, segment)
            elif segment.tag == service.group and self._group is None:
                self._group, self._in_group = segment, 0
                self._groups += 1
            elif segment.tag == service.group_end and self._group is not None:
                yield from self._checked(
                    segment, self._in_group, self._group.text(service.group_number), service.group_end
                )
                self._group = None
            elif segment.tag == service.interchange_end and self._group is None:
                count = self._groups or self._messages
                number = head.text(service.interchange_number)
                yield from self._checked(segment, count, number, service.interchange_end)
                return
            else:
                raise Undecodable(f"segment {segment.number} ({segment.tag[:3]}) has no place there")

    def _head_marks(self) -> Marks:
        marks = self._marks
        return replace(marks, component=marks.segment, repetition=b"") if self._service.plain_head else marks

    def _next(self, marks: Marks | None = None) -> Segment:
        data = self._source.segment(self._marks)
        if not data:
            raise Undecodable(f"the interchange has no end: {self._service.interchange_end} is missing")
        self._number += 1
        return Segment(data, marks or self._marks, self._encoding, self._number)

    def _checked(self, end: Segment, count: int, number: str, tag: str) -> Iterator[Placed]:
        """A count that doesn't hold: messages may be missing, or too many."""
        reason = _mismatch(end, count, number)
        if reason:
            yield Placed(f"segment {end.number} ({tag})", Undecodable(reason), lost=True)

    def _message(self, head: Segment, first: Segment) -> Placed:
        """A message to its end; one that is wrong is read to its end, too, so that the next can be read."""
        service = self._service
        segments = [first]
        while segments[-1].tag != service.message_end:
            if len(segments) >= MOST_SEGMENTS:
                raise Undecodable(f"a message has more than {MOST_SEGMENTS} segments")
            segments.append(self._next())
            if segments[-1].tag in (service.message, service.group_end, service.interchange_end):
                raise Undecodable(f"the message of segment {first.number} has no end: {service.message_end} is missing")
        place = f"the message of segment {first.number}"
        try:
            key = self._id(head, first)
        except Undecodable as error:
            return Placed(place, error)
        try:
            reason = _mismatch(segments[-1], len(segments), first.text(service.message_number))
            if reason:
                raise Undecodable(reason)
            return Placed(place, self._value(head, segments, key))
        except Undecodable as error:
            return Placed(place, error, key)

    def _id(self, head: Segment, first: Segment) -> str:
        """The control numbers, which together name a message."""
        service = self._service
        numbers = [head.text(service.interchange_number).strip()]
        if self._group is not None:
            numbers.append(self._group.text(service.group_number))
        return "-".join([*numbers, first.text(service.message_number)])

    def _value(self, head: Segment, segments: list[Segment], key: str) -> dict[str, Json]:
        first = segments[0]
        return {
            "id": key,
            "interchange": head.elements(),
            "group": None if self._group is None else self._group.elements(),
            "type": self._service.kind(first),
            "control_number": first.text(self._service.message_number),
            "segments": [segment.json() for segment in segments],
        }


def _mismatch(end: Segment, count: int, number: str) -> str | None:
    """What an end segment says wrongly: how many, and whose it is."""
    said = end.text(0)
    if not (said.isascii() and said.isdigit() and len(said) < 20 and int(said) == count):
        return f"{end.tag} doesn't count {count}, as there are"
    if end.text(1).strip() != number.strip():
        return f"{end.tag} has another control number than its beginning"
    return None
