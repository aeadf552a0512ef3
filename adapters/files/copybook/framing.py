"""Where records begin and end: fixed length (F), with record descriptor words (V, VB), or lines of text.

V: each record behind a 4-byte RDW; VB: blocks of such records, each behind a 4-byte BDW (IBM z/OS DFSMS, Using
Data Sets). Bytes that can't be framed are given as one `Bad` to the end of the file: there is no way to find
the next record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeAlias

from adapters.files.copybook.options import CodePage, CopybookOptions
from adapters.files.formats import Bad

Frame: TypeAlias = tuple[int, int, bytes]
"""(start, end, the record's bytes), without descriptor word or line end."""

Framing: TypeAlias = Callable[[BinaryIO, int], Iterator[Frame | Bad]]
"""(file, its size) → frames."""

_CHUNK = 1 << 18
_RDW = 4


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


def described(options: CopybookOptions, longest: int, *, blocked: bool) -> Framing:
    """Records behind their lengths; a record is never longer than `longest`, its layout's length."""

    def frames(file: BinaryIO, size: int) -> Iterator[Frame | Bad]:
        at, end = options.file_start_offset, size - options.file_end_offset
        file.seek(at)
        block_end = end
        in_block = not blocked
        while at < end:
            if blocked and (not in_block or at >= block_end):
                length = _described(file.read(_RDW), options.is_bdw_big_endian) + options.bdw_adjustment
                block_end, in_block = at + _RDW + length, True
                at += _RDW
                if length < _RDW or block_end > end:
                    yield Bad(
                        at - _RDW, end, "a block descriptor word states a length that doesn't fit the file", lost=True
                    )
                    return
            length = _described(file.read(_RDW), options.is_rdw_big_endian) + options.rdw_adjustment
            length -= _RDW if options.is_rdw_part_of_record_length else 0
            if not 0 < length <= longest or at + _RDW + length > block_end:
                yield Bad(
                    at,
                    end,
                    "a record descriptor word states a length that doesn't fit the layout or the file",
                    lost=True,
                )
                return
            yield at + _RDW, at + _RDW + length, file.read(length)
            at += _RDW + length

    return frames


def _described(word: bytes, big_endian: bool) -> int:
    """The length in a descriptor word; -1, which fits nothing, when the word itself is cut off."""
    if len(word) < _RDW:
        return -1
    return int.from_bytes(word[:2], "big") if big_endian else int.from_bytes(word[2:], "little")


def lines(length: int, page: CodePage) -> Framing:
    """Line-sequential text: each line one record, padded with spaces to the layout's length; empty lines are none."""
    bound = length + 2

    def frames(file: BinaryIO, size: int) -> Iterator[Frame | Bad]:
        at = 0
        file.seek(0)
        while line := file.readline(bound):
            end = at + len(line)
            while line[-1:] != b"\n" and (rest := file.readline(bound)):
                end, line = end + len(rest), rest if rest[-1:] == b"\n" else line
            record = line.rstrip(b"\r\n")
            if end - at > bound or len(record) > length:
                yield Bad(at, end, f"the line is longer than the layout's {length} bytes")
            elif record:
                yield at, at + len(record), record.ljust(length, page.space)
            at = end

    return frames
