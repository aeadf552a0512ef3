"""Audits in a folder of the test's own, and records to put into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.audit.arguments import Hasher
from gateway.audit.file import AuditError
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.record import Record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the audit goes; not made yet."""
    return tmp_path / "audit"


@pytest.fixture
def keys() -> AuditKeys:
    """The audit's own keys."""
    return AuditKeys(lambda: ("k1", b"s" * 32), Hasher("h1", b"h" * 32))


@pytest.fixture
def make() -> Callable[[int], Record]:
    """A record by number; its id tells which."""

    def record(number: int) -> Record:
        return Record(
            f"call-{number}", 1_700_000_000.25 + number, "GET", "/customers/{id}", 200, 0.004, principal="ann"
        )

    return record


@pytest.fixture
def log(folder: Path, keys: AuditKeys) -> Iterator[AuditLog]:
    """An audit that is being written."""
    log = AuditLog.open(folder, keys)
    yield log
    with suppress(AuditError):
        log.close()
