"""Where records begin and end: fixed length (F, FB), with record descriptor words (V, VB), or lines of text.

V: each record behind a 4-byte RDW; VB: blocks of such records, each behind a 4-byte BDW; FB: blocks of records of one
length behind a BDW (IBM z/OS DFSMS, Using Data Sets). Bytes that can't be framed are given as one `Bad` to the end of
the file: there is no way to find the next record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeAlias

from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.options import CopybookOptions
from adapters.files.formats import Bad

Frame: TypeAlias = tuple[int, int, bytes]
"""(start, end, the record's bytes), without descriptor word or line end."""

Framing: TypeAlias = Callable[[BinaryIO, int], Iterator[Frame | Bad]]
"""(file, its size) → frames."""

LONGEST = 64 * 1024 * 1024
"""A record has at most so many bytes."""

_CHUNK = 1 << 18
_WORD = 4
_LINE_ENDS = {False: b"\n", True: b"\x15\x25"}


def fixed(length: int, options: CopybookOptions) -> Framing:
    """Records of `length` bytes, one after the other."""
    many = max(1, _CHUNK // length) * length

    def frames(file: BinaryIO, size: int) -> Iterator[Frame | Bad]:
        at, end = options.file_start_offset, size - options.file_end_offset
        file.seek(at)
        while at < end:
            chunk = file.read(min(many, end - at))
            for start in range(0, len(chunk) - length + 1, length):
                yield at + start, at + start + length, chunk[start : start + length]
            whole = len(chunk) // length * length
            at += whole
            if whole < len(chunk) or not chunk:
                yield Bad(at, end, f"the file ends inside a record of {length} bytes", lost=True)
                return

    return frames


def fixed_blocks(length: int, options: CopybookOptions) -> Framing:
    """Records of `length` bytes in blocks, each behind its length."""

    def frames(file: BinaryIO, size: int) -> Iterator[Frame | Bad]:
        at, end = options.file_start_offset, size - options.file_end_offset
        file.seek(at)
        while at < end:
            block = _block(file.read(_WORD), options)
            if block < length or block % length or at + _WORD + block > end:
                yield _no_block(at, end)
                return
            at += _WORD
            for _ in range(block // length):
                yield at, at + length, file.read(length)
                at += length

    return frames


def described(options: CopybookOptions, longest: int, *, blocked: bool) -> Framing:
    """Records behind their lengths; a record is never longer than `longest`."""

    def frames(file: BinaryIO, size: int) -> Iterator[Frame | Bad]:
        at, end = options.file_start_offset, size - options.file_end_offset
        file.seek(at)
        block_end = at if blocked else end
        while at < end:
            if at >= block_end:
                block_end = at + _WORD + _block(file.read(_WORD), options)
                if block_end < at + 2 * _WORD or block_end > end:
                    yield _no_block(at, end)
                    return
                at += _WORD
            length = _record(file.read(_WORD), options)
            if not 0 < length <= longest or at + _WORD + length > block_end:
                sentence = "a record descriptor word states a length that doesn't fit the layout or the file"
                yield Bad(at, end, sentence, lost=True)
                return
            yield at + _WORD, at + _WORD + length, file.read(length)
            at += _WORD + length

    return frames


def _no_block(at: int, end: int) -> Bad:
    return Bad(at, end, "a block descriptor word states a length that doesn't fit the file", lost=True)


def _record(word: bytes, options: CopybookOptions) -> int:
    """The length in an RDW; -1, which fits nothing, when the word itself is cut off. Where the half that should hold it
    is empty, the other half does."""
    if len(word) < _WORD:
        return -1
    order = "big" if options.is_rdw_big_endian else "little"
    usual, other = (word[:2], word[2:]) if options.is_rdw_big_endian else (word[2:], word[:2])
    length = int.from_bytes(usual if any(usual) else other, order)  # type: ignore[arg-type]
    return length + options.rdw_adjustment - (_WORD if options.is_rdw_part_of_record_length else 0)


def _block(word: bytes, options: CopybookOptions) -> int:
    """The length in a BDW: two bytes, or all four where the first bit says so (an extended BDW)."""
    if len(word) < _WORD:
        return -1
    word = word if options.is_bdw_big_endian else word[::-1]
    length = int.from_bytes(word, "big") & 0x7FFFFFFF if word[0] & 0x80 else int.from_bytes(word[:2], "big")
    return length + options.bdw_adjustment


def lines(length: int, page: CodePage, options: CopybookOptions, *, strict: bool, split: bool = False) -> Framing:
    """Text: each line one record; empty lines are none. LF or CR LF ends a line, in EBCDIC NEL or LF.

    Strict: a line is padded with spaces to `length`, and a longer one is bad; else it is cut, or `split` into several.
    """
    ends = _LINE_ENDS[page.ebcdic]
    kept = LONGEST if split else length + 2

    def frames(file: BinaryIO, size: int) -> Iterator[Frame | Bad]:
        for start, end, line in _lines(file, options.file_start_offset, size - options.file_end_offset, ends, kept):
            record = line.rstrip(b"\r" + ends)
            if not record or record == b"\x1a":
                continue
            if (strict or split) and (end - start > kept or len(record) > (length if strict else kept)):
                yield Bad(start, end, f"the line is longer than the layout's {length} bytes")
            elif strict:
                yield start, start + len(record), record.ljust(length, page.space)
            elif split:
                yield from _pieces(start, record, length)
            else:
                yield start, start + len(record), record[:length]

    return frames


def _pieces(start: int, record: bytes, length: int) -> Iterator[Frame]:
    for at in range(0, len(record), length):
        piece = record[at : at + length]
        yield start + at, start + at + len(piece), piece


def _lines(file: BinaryIO, start: int, end: int, ends: bytes, kept: int) -> Iterator[Frame]:
    """(first byte, last byte + 1, the line with its end). Of a longer line only `kept` bytes are kept."""
    file.seek(start)
    begin = at = start
    line = b""
    while at < end:
        chunk = file.read(min(_CHUNK, end - at))
        if not chunk:
            break
        for piece in _split(chunk, ends):
            line += piece[: kept - len(line)]
            at += len(piece)
            if piece[-1] in ends:
                yield begin, at, line
                begin, line = at, b""
    if at > begin:
        yield begin, at, line


def _split(chunk: bytes, ends: bytes) -> list[bytes]:
    """The lines of a chunk with their ends."""
    pieces = [chunk]
    for end in ends:
        pieces = [found for piece in pieces for found in _split_at(piece, bytes([end]))]
    return pieces


def _split_at(chunk: bytes, end: bytes) -> list[bytes]:
    *whole, rest = chunk.split(end)
    return [piece + end for piece in whole] + ([rest] if rest else [])
