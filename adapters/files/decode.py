"""A data file as records, one after the other, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from adapters.contract import Json
from adapters.files.copybook import cobrix
from adapters.files.copybook.output import Csv, JsonLines
from adapters.files.copybook.records import Records
from adapters.files.copybook.table import columns
from adapters.files.formats import Bad, Copied, Format, Record
from adapters.files.manifest import Mismatch
from adapters.files.text import copybook_text
from adapters.files.undecodable import Undecodable

_KEPT = 100
_EVERY = 1000
_COPYBOOK = 16 * 1024 * 1024
_BUFFER = 1 << 20


def _nowhere(position: int) -> None:
    """Nobody asks how far it is."""


def decode_file(path: Path, format: Format, advance: Callable[[int], None] = _nowhere) -> Iterator[Record | Bad]:
    """Every record of a file, or the bytes that aren't one; raises OSError. `compile_format` makes the format.

    A file that as a whole isn't what the format says is one `Bad`. `advance` hears how far in the file it is, in bytes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            reader = format.reader(file, size)
            copied = isinstance(reader, Copied)  # then records are bytes of the copy, and say nothing of the file
            for number, each in enumerate(reader.scan(file), 1):
                if number % _EVERY == 0:
                    advance(file.tell() if copied else each.end)
                yield each
        except Undecodable as error:
            yield Bad(0, size, str(error), lost=True)
        except Mismatch as error:
            yield Bad(0, size, f"the file {error}", lost=True)


class Wanted(NamedTuple):
    """What is to be decoded, how, and into what: `json`, `csv` or `parquet`."""

    file: Path
    copybook: Path
    options: Sequence[tuple[str, str]]
    form: str


class Writer(Protocol):
    """Where records go."""

    def write(self, value: dict[str, Json]) -> None:
        """Writes one record."""
        ...

    def close(self) -> None:
        """Writes what is left."""
        ...


@dataclass(slots=True)
class Summary:
    """What became of a file: records written, those that couldn't be, values that are null as they're none."""

    records: int = 0
    undecodable: int = 0
    wrong: int = 0
    skipped: int = 0
    bad: list[Bad] = field(default_factory=list)

    def add(self, bad: Bad) -> None:
        """Counts what couldn't be decoded; the first are kept."""
        self.undecodable += 1
        if len(self.bad) < _KEPT:
            self.bad.append(bad)

    def write(self, found: Iterable[Record | Bad], writer: Writer, advance: Callable[[int], None]) -> None:
        """Writes and counts all that is found; `advance` hears how far in the file that is, in bytes."""
        for each in found:
            if isinstance(each, Bad):
                self.add(each)
                continue
            writer.write(each.value)
            self.records += 1
            if self.records % _EVERY == 0:
                advance(each.end)
        writer.close()


@dataclass(slots=True)
class Decoding:
    """A file ready to be decoded; `ignored` are options that change nothing here."""

    wanted: Wanted
    records: Records
    ignored: list[str]

    def run(self, target: BinaryIO, advance: Callable[[int], None]) -> Summary:
        """Writes every record; raises OSError. `advance` hears how far in the file it is, in bytes."""
        if self.wanted.form == "parquet":
            from adapters.files.copybook import parquet

            summary = Summary()
            parquet.write(self.records, self.wanted.file, target, advance, summary)
            return summary
        writer: Writer = JsonLines(target)
        if self.wanted.form == "csv":
            writer = Csv(target, columns(self.records.layout.root, self.records.options))
        summary = Summary()
        path = self.wanted.file
        with path.open("rb", buffering=_BUFFER) as file:
            summary.write(self.records.scan(file, path.stat().st_size, str(path)), writer, advance)
        summary.wrong, summary.skipped = self.records.wrong, self.records.skipped
        return summary


def decoding(wanted: Wanted) -> Decoding:
    """Reads copybook and options; raises `CopybookError`, `OptionError` (a wrong option), `ValueError`, OSError."""
    if wanted.form == "parquet":
        needs_pyarrow()
    options, page, ignored = cobrix.read(wanted.options)
    source = copybook_text(_read(wanted.copybook))
    return Decoding(wanted, Records(source, page, options, _beside(wanted.copybook)), ignored)


def needs_pyarrow() -> None:
    """Raises `ValueError` where Parquet can't be written."""
    try:
        import numpy  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError:
        raise ValueError("Parquet needs pyarrow and numpy: install them with pip install 'figway[columnar]'") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_COPYBOOK + 1)
    if len(data) > _COPYBOOK:
        raise ValueError(f"{path} is too long to be a copybook")
    return data


def _beside(copybook: Path) -> Callable[[str], str | None]:
    """What COPY copies: files in the copybook's folder, by their names with or without suffix."""

    def copied(name: str) -> str | None:
        for path in sorted(copybook.parent.iterdir()):
            if name.lower() in (path.stem.lower(), path.name.lower()) and path.is_file() and path != copybook:
                return copybook_text(_read(path))
        return None

    return copied
