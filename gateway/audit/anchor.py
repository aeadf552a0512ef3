"""Where checkpoints go besides the writer's own file, so that who can write there can't turn the audit back unseen.

A thread of its own takes them there: a place that hangs or fails holds up nobody. It is tried again until a newer
checkpoint, which covers more, takes the place of what couldn't be delivered.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from pathlib import Path
from urllib.parse import unquote

import httpx

logger = logging.getLogger("figway")

_RETRY_SECONDS = 5.0
_HTTP_SECONDS = 5.0
_CLOSE_SECONDS = 6.0
_FILE = "file:"


class Anchor:
    """Delivers the newest checkpoint to a place; None: nowhere. `move` and `offer` return at once."""

    def __init__(self, place: str | None = None) -> None:
        self._place = place
        self._note: bytes | None = None
        self._work = threading.Condition()
        self._closing = False
        self._failing = False
        self._thread: threading.Thread | None = None

    def move(self, place: str | None) -> None:
        """Delivers to another place from now on."""
        with self._work:
            self._place = place
            self._begin()

    def offer(self, note: bytes) -> None:
        """Takes a checkpoint to deliver; an older one that waits is left out."""
        with self._work:
            self._note = note
            self._begin()

    def close(self) -> None:
        """Tries once more to deliver what waits, and ends; blocks up to 6 seconds."""
        with self._work:
            self._closing = True
            self._work.notify()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _begin(self) -> None:
        if self._thread is None and self._place is not None and self._note is not None:
            self._thread = threading.Thread(target=self._run, name="figway-audit-anchor", daemon=True)
            self._thread.start()
        self._work.notify()

    def _run(self) -> None:
        while True:
            with self._work:
                self._work.wait_for(lambda: self._note is not None or self._closing)
                note, place, self._note = self._note, self._place, None
            if note is None:
                return
            if place is not None and not self._delivered(place, note):
                with self._work:
                    self._note = self._note or note
                    if self._closing:
                        return
                    self._work.wait(_RETRY_SECONDS)

    def _delivered(self, place: str, note: bytes) -> bool:
        try:
            deliver(place, note)
        except (OSError, httpx.HTTPError) as error:
            if not self._failing:
                logger.error("the audit's checkpoints can't be anchored at %s, which is tried again: %s", place, error)
            self._failing = True
            return False
        if self._failing:
            logger.warning("the audit's checkpoints are anchored at %s again", place)
        self._failing = False
        return True


def deliver(place: str, note: bytes) -> None:
    """Appends a note to the file `file:PATH`, durably, or posts it to an HTTP URL; raises `OSError` or `HTTPError`."""
    if not place.startswith(_FILE):
        with httpx.Client(timeout=_HTTP_SECONDS, follow_redirects=False, trust_env=False) as client:
            client.post(place, content=note, headers={"content-type": "text/plain; charset=utf-8"}).raise_for_status()
        return
    path = Path(unquote(place.removeprefix(_FILE)))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, note + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
