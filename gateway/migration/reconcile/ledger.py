"""The reconciliations as a process uses them: the file on a thread of its own, and what people ask of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from gateway.migration.reconcile.repairs_file import ReconcileFile
from gateway.operations.ledger import Writing


class Reconciliations(Writing[ReconcileFile]):
    """One process's way to the file."""

    @classmethod
    def open(cls, path: Path) -> Reconciliations:
        """Opens the file, or makes it; blocks; raises `StoreError`."""
        return cls(ReconcileFile(path))

    @property
    def file(self) -> ReconcileFile:
        """The file; what is called of it goes through `do`, `ask` or `do_later`."""
        return self._file

    def written(self, group: str, entity: str, path: bytes, who: bytes) -> None:
        """Both sides have been told of a write of an entity: it's looked at soon. Nobody waits for that."""
        self.do_later(partial(self._file.check, group, entity, path, who))
