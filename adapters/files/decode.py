"""A data file as records, one after the other, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapters.files.formats import Bad, Format, Record
from adapters.files.undecodable import Undecodable


def decode_file(path: Path, format: Format) -> Iterator[Record | Bad]:
    """Every record of a file, or the bytes that aren't one; raises OSError. `compile_format` makes the format.

    A file that as a whole isn't what the format says is one `Bad`.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            reader = format.reader(file, size)
        except Undecodable as error:
            yield Bad(0, size, str(error), lost=True)
            return
        yield from reader.scan(file)
