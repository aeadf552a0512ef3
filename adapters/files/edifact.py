"""UN/EDIFACT (ISO 9735): delimiters from UNA, or the usual ones; the encoding from the syntax identifier in UNB."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.files.copy import Placed
from adapters.files.edi import Marks, Segment, Source
from adapters.files.edi_envelope import Envelope, Service
from adapters.files.undecodable import Undecodable

_UNA = 9
_USUAL = b":+.? '"
_UNB = 64
_ENCODINGS = {
    "UNOA": "ascii", "UNOB": "ascii", "UNOC": "latin-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5", "UNOF": "iso8859-7",
    "UNOG": "iso8859-3", "UNOH": "iso8859-4", "UNOI": "iso8859-6", "UNOJ": "iso8859-8", "UNOK": "iso8859-9",
    "UNOW": "utf-8", "UNOY": "utf-8",
}  # fmt: skip


def _kind(first: Segment) -> str:
    return first.text(1)


_SERVICE = Service("UNB", "UNZ", "UNG", "UNE", "UNH", "UNT", 4, 4, 0, _kind, plain_head=False)


def interchanges(source: Source, encoding: str | None) -> Iterator[Placed]:
    """The messages of every interchange; raises `Undecodable`."""
    while head := source.peek(_UNA):
        una = head[3:9] if head.startswith(b"UNA") else _USUAL
        if head.startswith(b"UNA"):
            source.take(_UNA)
        version = source.peek(_UNB)
        if not version.startswith(b"UNB" + una[1:2]):
            raise Undecodable("an EDIFACT interchange begins with UNA or UNB")
        syntax = version[4:10].split(una[:1])
        marks = _marks(una, syntax)
        yield from Envelope(_SERVICE, source, marks, encoding or _encoding(syntax[0].decode("latin-1"))).messages()


def _marks(una: bytes, syntax: list[bytes]) -> Marks:
    fourth = len(syntax) > 1 and syntax[1][:1] >= b"4"
    repetition = una[4:5] if fourth and una[4:5] != b" " else b"*" if fourth and una == _USUAL else b""
    release = b"" if una[3:4] == b" " else una[3:4]
    marks = Marks(una[:1], una[1:2], una[5:6], release, repetition)
    used = [mark for mark in (marks.component, marks.element, marks.segment, release, repetition) if mark]
    if len(una) != 6 or len(set(used)) != len(used) or any(mark.isalnum() for mark in used):
        raise Undecodable("the delimiters that UNA names don't differ, or are letters or digits")
    return marks


def _encoding(identifier: str) -> str:
    if identifier not in _ENCODINGS:
        raise Undecodable("the syntax identifier isn't known; name the code page of the dataset")
    return _ENCODINGS[identifier]
