"""What a place can do. Every method blocks, and raises `Unavailable`; a write also `Conflict` and `UnknownOutcome`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MOST_FILES = 100_000
SECONDS = 30.0
"""What one answer of a place may take."""


@dataclass(frozen=True, slots=True)
class There:
    """One version of a file at a place: `tag` is what else tells it from others, such as S3's ETag."""

    size: int
    modified: float
    tag: str = ""


class Place(Protocol):
    """A folder of another machine."""

    settles: bool
    """May a file be there before all of it is?"""

    def files(self, folders: Sequence[str], wants: Callable[[str], bool]) -> Mapping[str, There]:
        """The regular files of these folders, by path; those that nobody `wants` may be left out."""
        ...

    def fetch(self, wanted: Mapping[str, tuple[There, Path]]) -> set[str]:
        """Copies files to these local paths; answers which were, to the end, the version that was wanted."""
        ...

    def write(self, path: str, data: bytes, *, over: bool) -> None:
        """Puts a file in its place as a whole; unless it is to go `over` what is there, raises `Conflict` for that."""
        ...


def named(folder: str, name: str) -> str | None:
    """The path of a file; None for a name that can't be one of a folder's."""
    if name in ("", ".", "..") or "/" in name or "\0" in name or "\\" in name:
        return None
    return f"{folder}/{name}" if folder else name
