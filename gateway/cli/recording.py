"""The audit as verbs see it: what one changes on this host is in it, as done by `host:<user>`; and how to read it."""

from __future__ import annotations

import getpass
import time
from contextlib import closing
from os import getuid
from pathlib import Path
from typing import Any

from gateway.audit.places import open_log, reader_of
from gateway.audit.reader import Reader
from gateway.audit.record import Record
from gateway.call import new_id
from gateway.identity.audit_keys import audit_keys
from gateway.identity.keyrings import Keyrings
from gateway.routing.stores import audit_url, given_keys
from gateway.store.place import StateFolder


def note_change(
    workspace: Path, folder: StateFolder, operation: str, changed: str, facts: dict[str, Any] | None = None
) -> None:
    """Records that `operation` was done to `changed`, such as `key:ID`; on the disk when it returns.

    Raises `AuditError`, `StoreError` or `KeyFileError`.
    """
    record = Record(
        *(new_id(), time.time(), "", changed, 0, 0.0, operation, "write"),
        principal=f"host:{operator()}",
        decision="allow",
        noted=facts,
    )
    with closing(open_log(audit_url(workspace), folder, audit_keys(rings_of(workspace, folder)))) as audit:
        audit.append(record)


def audit_reader(workspace: Path, folder: StateFolder) -> Reader:
    """A reader of the workspace's audit; raises `StoreError` or `KeyFileError`."""
    return reader_of(audit_url(workspace), folder, audit_keys(rings_of(workspace, folder)))


def rings_of(workspace: Path, folder: StateFolder) -> Keyrings:
    """The workspace's keyrings; raises `StoreError`. Blocks."""
    return Keyrings(folder.keys, given_keys(workspace))


def operator() -> str:
    """The name of the user that runs this process, or its number where the system knows no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{getuid()}"
