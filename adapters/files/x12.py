"""ASC X12: delimiters are where ISA, whose length is fixed, has them."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.files.copy import Placed
from adapters.files.edi import Marks, Source
from adapters.files.edi_envelope import Envelope, Service
from adapters.files.undecodable import Undecodable

_ISA = 106
_REPEATS_SINCE = b"00402"

_SERVICE = Service("ISA", "IEA", "GS", "GE", "ST", "SE", 12, 5, 1, lambda first: first.text(0), plain_head=True)


def interchanges(source: Source, encoding: str | None) -> Iterator[Placed]:
    """The messages of every interchange; raises `Undecodable`."""
    while head := source.peek(_ISA):
        yield from Envelope(_SERVICE, source, _marks(head), encoding or "ascii").messages()


def _marks(head: bytes) -> Marks:
    if len(head) < _ISA or not head.startswith(b"ISA"):
        raise Undecodable("an X12 interchange begins with ISA and 106 characters")
    element = head[3:4]
    fields = head[:105].split(element)
    if len(fields) != 17 or len(fields[16]) != 1:
        raise Undecodable("ISA doesn't have 16 elements of fixed length")
    repetition = fields[11] if fields[12] >= _REPEATS_SINCE and not fields[11].isalnum() else b""
    marks = Marks(fields[16], element, head[105:106], b"", repetition)
    used = [mark for mark in (marks.component, marks.element, marks.segment, marks.repetition) if mark]
    if len(set(used)) != len(used) or any(mark.isalnum() for mark in used):
        raise Undecodable("the delimiters that ISA names don't differ, or are letters or digits")
    return marks
