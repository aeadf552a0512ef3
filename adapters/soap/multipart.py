"""Messages of several parts (MIME multipart/related, RFC 2387): a SOAP message and what is attached to it."""

from __future__ import annotations

import mmap
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Literal

from adapters.blob import Blob

MOST_PARTS = 1000
_MOST_HEADER = 16 * 1024
_XOP = "application/xop+xml"
_SOAP_TYPES: Mapping[str, str] = {"1.1": "text/xml", "1.2": "application/soap+xml"}
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_REST = re.compile(rb"[ \t]*\r?\n")
_MOST_PADDING = 200
_AS_IT_IS = ("", "7bit", "8bit", "binary")
_ROOT = "root@figway"


class Torn(ValueError):
    """A message that isn't multipart as RFC 2046 spells it; the message completes "answered a multipart message …"."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its Content-ID without angle brackets, or "", and its content with its media type."""

    id: str
    content: Blob
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """A message taken apart. `root` is the SOAP message, `others` what is attached, in order."""

    root: Part
    others: tuple[Part, ...]


def content_type(value: str) -> Message:
    """A Content-Type header's value, parsed as MIME does."""
    header = Message()
    header["content-type"] = value
    return header


def taken_apart(blob: Blob, header: str, most_root: int) -> Parts:
    """The parts of a body whose Content-Type is `header`; the content of none is read, but base64 is undone.

    `most_root`: the largest root in bytes. Raises `Torn`. May wait for the disk.
    """
    kind = content_type(header)
    try:
        boundary, start = kind.get_boundary(), kind.get_param("start")
    except ValueError:  # spelt by RFC 2231 in a charset that is none
        boundary = start = None
    if not boundary or not boundary.isascii():
        raise Torn("without a boundary")
    with blob.searched() as data:
        spans = _spans(data, boundary.encode())
        parts = [_part(blob, data, span) for span in spans]
    wanted = start.strip("<> ") if isinstance(start, str) else ""
    root = next((part for part in parts if wanted and part.id == wanted), parts[0])
    if root.content.size > most_root:
        raise Torn(f"whose SOAP part is larger than {most_root} bytes")
    return Parts(root, tuple(part for part in parts if part is not root))


def _spans(data: bytes | mmap.mmap, boundary: bytes) -> list[tuple[int, int]]:
    """Where each part begins (with its header) and ends (RFC 2046 section 5.1.1)."""
    spans: list[tuple[int, int]] = []
    begin = None
    for end, after, last in _marks(data, b"--" + boundary):
        if begin is not None:
            spans.append((begin, max(begin, end)))
        if last:
            break
        begin = after
        if len(spans) > MOST_PARTS:
            raise Torn(f"of more than {MOST_PARTS} parts")
    else:
        raise Torn("without its boundary" if begin is None else "that is cut off")
    if not spans:
        raise Torn("without any part")
    return spans


def _marks(data: bytes | mmap.mmap, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """Each boundary: where what is before it ends, where what is after it begins, and whether it is the last."""
    at = 0 if data[: len(mark)] == mark else data.find(b"\n" + mark) + 1
    while at > 0 or data[: len(mark)] == mark:
        after = at + len(mark)
        if data[after : after + 2] == b"--":
            yield _before(data, at), after, True
            return
        # A longer word that begins like the boundary is content.
        end = _REST.match(data, after, after + _MOST_PADDING)
        if end is not None:
            yield _before(data, at), end.end(), False
        at = data.find(b"\n" + mark, after - 1) + 1
        if at == 0:
            return


def _before(data: bytes | mmap.mmap, at: int) -> int:
    """Where content ends whose boundary begins at `at`: the line break between belongs to the boundary."""
    return max(0, at - 2 if data[at - 2 : at - 1] == b"\r" else at - 1)


def _part(blob: Blob, data: bytes | mmap.mmap, span: tuple[int, int]) -> Part:
    begin, end = span
    head = data[begin : min(end, begin + _MOST_HEADER)]
    blank = re.search(rb"^\r?\n|\r?\n\r?\n", head)
    if blank is None:
        raise Torn("a part of which has no end to its header")
    header = BytesHeaderParser().parsebytes(head[: blank.start()] + b"\r\n\r\n")
    kind = header.get_content_type()
    try:
        charset = header.get_content_charset()
    except ValueError:  # spelt by RFC 2231 in a charset that is none
        raise Torn("a part of which has a type that can't be read") from None
    content = blob.slice(min(begin + blank.end(), end), end, kind)
    encoding = str(header.get("content-transfer-encoding", "")).strip().lower()
    if encoding == "base64":
        try:
            content = content.of_base64(kind)
        except ValueError:
            raise Torn("a part of which isn't the base64 that it claims to be") from None
    elif encoding not in _AS_IT_IS:
        raise Torn("a part of which is encoded in a way that wasn't asked for")
    return Part(str(header.get("content-id", "")).strip().strip("<>"), content, charset)


def put_together(
    envelope: bytes, attached: Sequence[Part], soap: Literal["1.1", "1.2"], action: str, *, xop: bool
) -> tuple[str, list[bytes | Blob]]:
    """A message with attachments: its Content-Type, and its body in pieces. `xop`: as MTOM wants it (W3C MTOM, section
    3.2), otherwise as SOAP with Attachments does; `action` is that of SOAP 1.2, fit for a header."""
    boundary, kind = "figway-" + secrets.token_hex(16), _SOAP_TYPES[soap]
    parameter = f'; action="{action}"' if action and soap == "1.2" else ""
    if xop:
        inner = f'{_XOP}; charset=utf-8; type="{kind}"'
        outer = f'type="{_XOP}"; start="<{_ROOT}>"; start-info="{kind}"{parameter}'
    else:
        inner, outer = f"{kind}; charset=utf-8{parameter}", f'type="{kind}"; start="<{_ROOT}>"'
    pieces: list[bytes | Blob] = [_head(boundary, inner, _ROOT), envelope]
    for part in attached:
        known = _TYPE.fullmatch(part.content.media_type) is not None
        pieces.append(
            b"\r\n" + _head(boundary, part.content.media_type if known else "application/octet-stream", part.id)
        )
        pieces.append(part.content)
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return f'multipart/related; boundary="{boundary}"; {outer}', pieces


def _head(boundary: str, kind: str, identity: str) -> bytes:
    return (
        f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{identity}>\r\n\r\n"
    ).encode("ascii")
