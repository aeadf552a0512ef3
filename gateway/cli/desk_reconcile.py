"""Reconciliations and open writes at this host: what is asked for here is done by the gateway that runs here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from gateway.approvals.approvals import Approvals
from gateway.approvals.webhook import Webhooks
from gateway.call import Principal
from gateway.cli.desk import DeskError, Document
from gateway.cli.recording import operator
from gateway.migration.open_writes import open_writes, write_document
from gateway.migration.outbox import Outbox
from gateway.migration.reconcile.ledger import Reconciliations
from gateway.migration.reconcile.service import Reconciling
from gateway.migration.reconcile.worker import LOCK
from gateway.routing.model import Compiled
from gateway.store.leader import Leader
from gateway.store.offload import Offload
from gateway.store.place import StateFolder


class HostReconciling:
    """One host's, over its files. All raise `StoreError`."""

    def __init__(self, folder: StateFolder, outbox: Outbox) -> None:
        self._folder, self._outbox = folder, outbox
        self.service = Reconciling(Reconciliations.open(folder.reconciliations), outbox)

    async def sweep(
        self, compiled: Compiled, version: int, group: str, keys: Sequence[str] | None, details: bool
    ) -> Document:
        """Asks for a sweep."""
        self._somebody_works()
        return await self.service.sweep(compiled, version, group, _me(), keys, details=details)

    async def repair(
        self, compiled: Compiled, version: int, group: str, do: str, approvals: Approvals, webhooks: Webhooks
    ) -> Document:
        """Has repairs proposed or applied."""
        self._somebody_works()
        if do == "propose":
            return await self.service.propose(compiled, version, group, _me())
        with closing(Offload()) as offload:
            return await self.service.apply(group, _me(), approvals, offload, webhooks.tell)

    async def writes(self, group: str) -> Document:
        """What is open of a group."""
        return await open_writes(self._outbox, group)

    async def settle(self, group: str, id: str, happened: bool) -> Document:
        """A person's word on a write."""
        known = {each.id for each in await self._outbox.open_entries(group)}
        decided = await self._outbox.decide(id, happened=happened) if id in known else None
        if id not in known:
            raise DeskError(f"the group has no such open write: 'figway route unknowns {group}' lists them")
        if decided is None:
            raise DeskError("there is nothing to decide: the write goes on by itself")
        return {"decided": happened, **write_document(decided)}

    def close(self) -> None:
        """Closes the file."""
        self.service.kept.close()

    def _somebody_works(self) -> None:
        leader = Leader(self._folder.path / LOCK)
        if leader.try_lead():
            leader.resign()
            raise DeskError("no gateway runs on this host that could ask both sides: start it, or name one by --server")


def _me() -> Principal:
    return Principal(f"host:{operator()}")
