"""The audit's own keys: one that signs checkpoints, one that hashes arguments."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from gateway.audit.arguments import Hasher
from gateway.audit.note import Signer
from gateway.audit.sink import AuditError

PUBLIC_KEYS = "public-keys"


class AuditKeys:
    """Both keys. `signing` gives the id and the 32 secret bytes of the key that signs now; it may be rotated."""

    def __init__(self, signing: Callable[[], tuple[str, bytes]], hasher: Hasher) -> None:
        self.hasher = hasher
        self._signing = signing
        self._last: tuple[str, Signer] | None = None

    def signer(self, folder: Path) -> Signer:
        """What signs the checkpoints of `folder` now, its public key being published there; raises `AuditError`."""
        id, secret = self._signing()
        if self._last is None or self._last[0] != id:
            signer = Signer.of(id, secret)
            _publish(folder, f"{signer.public}\n".encode())
            self._last = id, signer
        return self._last[1]


def _publish(folder: Path, line: bytes) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / PUBLIC_KEYS, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if line not in file.readlines():
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise AuditError(f"the audit's public keys in {folder} can't be written: {error.strerror}") from error
