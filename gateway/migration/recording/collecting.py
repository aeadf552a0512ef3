"""Asks the workers of a host to record, and makes one file of what they wrote."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from gateway.migration.recording.model import Head, write
from gateway.migration.recording.recorder import ABOUT, ASKED, DONE, OPEN
from gateway.routing.parity_schema import Samples

_PATIENCE = 10.0
"""Seconds in which workers begin, and in which they end."""
_LOOK = 0.1
_FORGOTTEN = 2 * 86_400
"""Seconds after which no recording can be under way."""


class NobodyRecords(Exception):
    """No gateway on this host took the request."""


class Collector:
    """One recording. `folder` is that of recordings in the state folder; all of it blocks."""

    def __init__(self, folder: Path, group: str) -> None:
        self._folder, self._group = folder, group
        self._id, self._key = os.urandom(8).hex(), os.urandom(32)
        self._asked = folder / f"{self._id}{ASKED}"

    def record(self, seconds: float, out: Path, *, writes: bool, wait: Callable[[float], None]) -> tuple[int, Head]:
        """Records for so long, `wait` sleeps; answers how many exchanges there are, and the head that was written.
        Raises `NobodyRecords`, or `OSError` where `out` can't be made."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._tidy()
        begun, key = time.time(), b64encode(self._key).decode()
        until = begun + seconds + _PATIENCE
        try:
            self._ask({"group": self._group, "id": self._id, "key": key, "writes": writes, "until": until})
            if not self._until(lambda: bool(self._files(OPEN))):
                raise NobodyRecords
            wait(seconds)
        finally:
            self._asked.unlink(missing_ok=True)
        try:
            self._until(lambda: not self._files(OPEN))  # a worker that was killed never says that it's done
            head = self._head(begun)
            return write(out, head, self._lines()), head
        finally:
            for path in self._files(""):
                path.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Removes what verbs that were killed have left."""
        for path in self._folder.iterdir():
            if path.stat().st_mtime < time.time() - _FORGOTTEN:
                path.unlink(missing_ok=True)

    def _head(self, begun: float) -> Head:
        told = [orjson.loads(path.read_bytes()) for path in self._files(ABOUT)]
        left_out = sum((Counter(each["left_out"]) for each in told), Counter[str]())
        samples = Samples.model_validate(told[0]["samples"])
        return Head(self._group, self._key, told[0]["hash"], begun, samples, left_out)

    def _ask(self, request: dict[str, object]) -> None:
        draft = self._asked.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(request))
        draft.replace(self._asked)

    @staticmethod
    def _until(done: Callable[[], bool]) -> bool:
        end = time.monotonic() + _PATIENCE
        while not done():
            if time.monotonic() > end:
                return False
            time.sleep(_LOOK)
        return True

    def _files(self, suffix: str) -> list[Path]:
        return sorted(self._folder.glob(f"{self._id}.*{suffix}"))

    def _lines(self) -> Iterator[bytes]:
        """All whole lines: the last one of a worker that was killed may be cut short."""
        for path in (*self._files(DONE), *self._files(OPEN)):
            with path.open("rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))
