"""Where a workspace keeps its audit, as `stores.audit` names it."""

from __future__ import annotations

from functools import partial
from typing import Any

from gateway.audit.archive import folder_archive
from gateway.audit.reader import Reader
from gateway.store.place import StateFolder


def reader_of(folder: StateFolder) -> Reader:
    """A reader of the audit; its index is in the state folder."""
    index = folder.path / "cache" / "audit-index.db"
    return Reader(partial(folder_archive, folder.audit), index, str(folder.audit), _as_it_is)


def _as_it_is(record: dict[str, Any]) -> dict[str, Any]:
    return record
