"""Repairs that were approved: each entity is read again, then the repair is a write in the outbox as any other.

So it's told to its side in the order of the entity's writes, under one idempotency key, recorded in the audit, and
survives a crash; one of unknown outcome is for people. Where the entity has changed since, the repair is dropped.
"""

from __future__ import annotations

import logging
from functools import partial

import orjson

from gateway.migration.entries import ENDED, FOR_PEOPLE, EntryState
from gateway.migration.outbox import Outbox
from gateway.migration.reconcile.asking import Asking
from gateway.migration.reconcile.ledger import Reconciliations
from gateway.migration.reconcile.model import Mended, Repair, RepairState, read_who
from gateway.migration.reconcile.repairs import entry_of, mended, new_entry_id
from gateway.migration.writes import DUAL
from gateway.routing.model import Route

logger = logging.getLogger("figway")


class Repairs:
    """How one process applies them."""

    def __init__(self, kept: Reconciliations, outbox: Outbox) -> None:
        self._kept, self._outbox = kept, outbox

    async def go_on(self, repair: Repair, asking: Asking | None, patience: float) -> bool:
        """Takes a repair a step further; whether anything has changed. Raises `StoreError`."""
        if await self._gone_on(repair, asking, patience):
            return True
        await self._kept.ask(partial(self._kept.file.wait_repair, repair.hash))
        return False

    async def _gone_on(self, repair: Repair, asking: Asking | None, patience: float) -> bool:
        if repair.state is RepairState.APPLYING:
            found = await self._outbox.read(repair.entry)
            if found is not None:
                return await self._follow(repair, found.state, found.problem)
        if asking is None or asking.group.stage.writes not in DUAL:
            return await self._drop(repair, "the group's writes aren't at a dual stage any more")
        if asking.group.stage.frozen:
            return False
        return await self._apply(repair, asking, patience)

    async def _follow(self, repair: Repair, state: EntryState, problem: str) -> bool:
        """The outbox tells how far it is."""
        if state in ENDED:
            after = RepairState.DONE if state is EntryState.DONE else RepairState.DROPPED
            await self._move(repair, after, why="" if after is RepairState.DONE else "it never happened")
            return True
        why = f"{state.value}: {problem}, see figway route unknowns {repair.group}" if state in FOR_PEOPLE else ""
        if why == repair.why:
            return False
        await self._move(repair, RepairState.APPLYING, why=why)
        return True

    async def _apply(self, repair: Repair, asking: Asking, patience: float) -> bool:
        newest, waiting = await asking.newest(repair.entity)
        if waiting:
            return False
        id = orjson.loads(repair.id)
        look = await asking.look(id, repair.entity, read_who(repair.who))
        if look.passing:
            return False
        again = mended(asking, id, look)
        route = None if again is None else _route(asking, again)
        if again is None or route is None or again.hash != repair.hash:
            return await self._drop(repair, f"it has changed since it was proposed: it is {look.kind.value} now")
        entry = new_entry_id()
        await self._move(repair, RepairState.APPLYING, entry=entry)
        made = entry_of(again, entry, repair.entity, asking, route, read_who(repair.who), patience)
        if not await self._outbox.owe(made, newest):
            await self._move(repair, RepairState.APPROVED)  # written meanwhile: it's looked at once more
        return True

    async def _drop(self, repair: Repair, why: str) -> bool:
        logger.warning("a repair of group %s is dropped: %s", repair.group, why)
        await self._move(repair, RepairState.DROPPED, why=why)
        return True

    async def _move(self, repair: Repair, state: RepairState, *, entry: str = "", why: str = "") -> None:
        move = partial(self._kept.file.move_repair, repair.hash, state, entry=entry or repair.entry, why=why)
        await self._kept.do(move)


def _route(asking: Asking, repair: Mended) -> Route | None:
    ways = (asking.ways.change, asking.ways.create, asking.ways.delete)
    return next((each for each in ways if each is not None and each.operation_id == repair.route), None)
