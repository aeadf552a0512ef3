"""The list of records that couldn't be decoded: `quarantine.jsonl` in the upstream's cache folder.

One JSON object a line: dataset, file (relative to root), start, end (bytes), reason, seen (RFC 3339). The bytes
stay where they are, in the file. The list is bounded: when it is full, it is begun anew and the old one kept as
`quarantine.1.jsonl`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from adapters.files.formats import Bad

LISTED_PER_FILE = 1000
_MAX_BYTES = 4 * 1024 * 1024


class Quarantine:
    """Appends to the list; safe from several threads. Failing to write it never fails a read."""

    def __init__(self, cache: Path) -> None:
        self._path = cache / "quarantine.jsonl"
        self._lock = Lock()

    def add(self, dataset: str, file: str, bad: Sequence[Bad]) -> None:
        """Lists the first undecodable records of one version of a file."""
        if not bad:
            return
        seen = datetime.now(UTC).isoformat()
        lines = [
            json.dumps(
                {
                    "dataset": dataset,
                    "file": file,
                    "start": b.start,
                    "end": b.end,
                    **({"place": b.place} if b.place else {}),
                    "reason": b.reason,
                    "seen": seen,
                }
            )
            for b in bad[:LISTED_PER_FILE]
        ]
        with self._lock, suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > _MAX_BYTES:
                os.replace(self._path, self._path.with_name("quarantine.1.jsonl"))
            with self._path.open("a", encoding="utf-8") as out:
                out.write("\n".join(lines) + "\n")
