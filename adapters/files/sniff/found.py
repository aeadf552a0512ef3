"""What sniffing answers: a dataset as `gateway.yaml` has it, and why it is believed to be so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_RECORDS = 20_000
MOST_CELLS = 1_000_000
MOST_BYTES = 64 * 1024 * 1024
"""A sample is the first records of a file, up to one of these."""


class Said(NamedTuple):
    """One thing that was found out: of what it is (`encoding`, `quantity`), a sentence with its evidence, and whether
    somebody has to look at it."""

    of: str
    sentence: str
    doubtful: bool = False


class Column(NamedTuple):
    """A column: its name in JSON, the file's own, and what `columns` of the dataset says of it."""

    name: str
    header: str
    options: Mapping[str, Any]


class Key(NamedTuple):
    """A field that could name records: it is filled and different in every record of the sample."""

    name: str
    sorted: bool
    """The file is in its order."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """One dataset. `dataset`: its configuration without `match` and `key`."""

    name: str
    dataset: Mapping[str, Any]
    columns: tuple[Column, ...]
    keys: tuple[Key, ...]
    """The most likely one first."""
    records: int
    whole: bool
    """The sample is all of the file."""
    said: tuple[Said, ...]
    faults: tuple[str, ...] = ()
    """Records of the sample that can't be decoded, a sentence each, the first few."""
    bad: int = 0

    @property
    def key(self) -> str | None:
        """The field that names a record; None: there is none."""
        return self.keys[0].name if self.keys else None


class CantTell(ValueError):
    """The file can't be told; the message says why and what to do."""


def count(number: int) -> str:
    """1234 → `1,234`."""
    return f"{number:,}"
