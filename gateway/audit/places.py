"""Where a workspace keeps its audit, as `stores.audit` names it: files in the state folder, or a database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from hashlib import sha256
from typing import Any, TypeAlias

from gateway.audit.archive import FileSource, files, folder_archive
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.postgres import Database, DatabaseSource, database_archive, writers
from gateway.audit.postgres_sink import DatabaseSink
from gateway.audit.reader import Reader
from gateway.audit.sink import AuditError
from gateway.audit.subjects import Subjects
from gateway.audit.verify import Place
from gateway.store.place import StateFolder

logger = logging.getLogger("figway")

EMBEDDED = "embedded:"

Unseal: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]


def open_log(url: str, folder: StateFolder, keys: AuditKeys) -> AuditLog:
    """Starts writing as a writer of this process's own; blocks; raises `AuditError`."""
    if url == EMBEDDED:
        return AuditLog.open(folder.audit, keys)
    sink = DatabaseSink.claim(url)
    try:
        return AuditLog(sink, keys, folder.audit)
    except AuditError:
        sink.close()
        raise


def reader_of(url: str, folder: StateFolder, keys: AuditKeys) -> Reader:
    """A reader of the audit; its index is in the state folder."""
    index = folder.path / "cache" / "audit-index.db"
    archive = partial(folder_archive, folder.audit) if url == EMBEDDED else partial(database_archive, url)
    # A URL may hold a password, which the index needn't know.
    return Reader(archive, index, sha256(f"{url} {folder.audit}".encode()).hexdigest(), unsealing(folder, keys))


def unsealing(folder: StateFolder, keys: AuditKeys) -> Unseal:
    """What opens the sealed values of a record. Those of an erased person read as `{"erased": true}`; what can't be
    opened, as it was changed, as `{"unreadable": true}`: one such record hides no other."""
    lock = threading.Lock()

    def unseal(record: dict[str, Any]) -> dict[str, Any]:
        arguments = record.get("arguments")
        if not isinstance(arguments, dict) or "sealed" not in arguments:
            return record
        with lock, closing(Subjects(folder.audit / "subjects.db")) as subjects:
            try:
                opened = subjects.open(arguments["sealed"], record["id"])
            except AuditError as error:
                logger.error("%s", error)
                opened = {"unreadable": True}
        return {**record, "arguments": {**arguments, "sealed": {"erased": True} if opened is None else opened}}

    return unseal


def verified_places(url: str, folder: StateFolder) -> tuple[Sequence[Place], Callable[[], None]]:
    """What `verify` needs of the audit's place, and what lets go of it; raises `AuditError`."""
    if url == EMBEDDED:
        return [(path.name, partial(FileSource, path)) for path in files(folder.audit)], lambda: None
    database = Database(url)
    sources = [DatabaseSource(lambda: database, writer) for writer in writers(database)]
    return [(source.name, partial(_same, source)) for source in sources], database.close


def _same(source: DatabaseSource) -> DatabaseSource:
    return source
