"""What people ask of the reconciliations: a sweep, proposals, and that what was proposed is applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from adapters.contract import Json
from gateway.approvals.approvals import Approvals
from gateway.call import Principal
from gateway.migration.outbox import Outbox
from gateway.migration.reconcile.documents import proposed, reconciliation, repair_document, run_document
from gateway.migration.reconcile.ledger import Reconciliations
from gateway.migration.reconcile.model import Repair, RunState, What, spelt_who
from gateway.migration.reconcile.proof import Known, lacking, rules_of, why_not
from gateway.migration.reconcile.repairs_file import ReconcileFile, set_hash
from gateway.migration.reconcile.sweep import fresh_progress
from gateway.migration.reconcile.ways import ways_of
from gateway.migration.refusals import ApprovalNeeded, NothingToChange, Refused
from gateway.migration.writes import DUAL
from gateway.routing.model import Compiled
from gateway.store.contract import StoreError
from gateway.store.offload import Offload

MOST_KEYS = 1_000_000
"""Entities that one sweep may be given by name."""


@dataclass(frozen=True, slots=True)
class Reconciling:
    """One process's way to ask. All raise `StoreError` where the state can't be read or written."""

    kept: Reconciliations
    outbox: Outbox

    async def document(self, group: str) -> dict[str, Any]:
        """What is known of a group (`documents.reconciliation`)."""
        oldest = await self.outbox.oldest(group)
        found: dict[str, Any] = await self.kept.ask(partial(reconciliation, self.kept.file, group, oldest))
        return found

    async def last_done(self, group: str) -> dict[str, Any] | None:
        """The group's newest sweep that is done, and what is known to differ since; None: there is none."""
        found = await self.document(group)
        return None if found["last_done"] is None else {**found["last_done"], "found": found["found"]}

    async def repairs(self, group: str) -> dict[str, Any]:
        """A group's repairs (`documents.proposed`)."""
        found: dict[str, Any] = await self.kept.ask(partial(proposed, self.kept.file, group))
        return found

    async def sweep(
        self,
        compiled: Compiled,
        version: int,
        group: str,
        who: Principal,
        keys: Sequence[Json] | None = None,
        *,
        details: bool = False,
    ) -> dict[str, Any]:
        """Asks for a sweep, which the elected worker carries out; one that is under way is the same. With `details`
        each entity is read, and not just what lists show. `keys` name the entities of a group without a list. Raises
        `Refused`."""
        ways = ways_of(compiled, group)
        impossible = why_not(compiled.groups[group], ways)
        if impossible is not None:
            raise Refused((f"{group} can't be reconciled: {impossible}",))
        if (ways.listing is None) != (keys is not None):
            named = (
                "its lists name its entities" if keys is not None else "it has no list, so its entities must be named"
            )
            raise Refused((f"{group} can't be reconciled so: {named} (--keys FILE)",))
        if details and ways.detail is None:
            raise Refused((f"{group} has no read of one entity that both sides answer, so that there are no details",))
        if keys is not None and len(keys) > MOST_KEYS:
            raise Refused((f"a sweep takes at most {MOST_KEYS} keys",))
        return await self._start(compiled, version, group, What.SWEEP, who, keys, details)

    async def propose(self, compiled: Compiled, version: int, group: str, who: Principal) -> dict[str, Any]:
        """Asks that repairs be proposed of what was found, each entity being looked at once more; raises `Refused`."""
        found, ways = compiled.groups[group], ways_of(compiled, group)
        if found.stage.writes not in DUAL:
            at = f"its writes are at {found.stage.writes}"
            raise Refused((f"{group} can't be repaired: {at}; only at {' or '.join(DUAL)} writes have an order",))
        if ways.detail is None:
            raise Refused((f"{group} can't be repaired: it has no read of one entity that both sides answer",))
        await self.kept.do(partial(self.kept.file.withdraw, group))
        return await self._start(compiled, version, group, What.PROPOSE, who)

    async def _start(
        self,
        compiled: Compiled,
        version: int,
        group: str,
        what: What,
        who: Principal,
        keys: Sequence[Json] | None = None,
        details: bool = True,
    ) -> dict[str, Any]:
        rules = rules_of(compiled, compiled.groups[group])
        progress = fresh_progress(await self.outbox.last(), details=details)
        if keys is not None or what is What.PROPOSE:
            for side in progress["sides"].values():
                side["over"] = True
        about = (group, what, spelt_who(who), _author(who), version, rules, progress)
        ids = None if keys is None else [orjson.dumps(key) for key in dict.fromkeys(keys)]
        file = self.kept.file

        def start() -> dict[str, Any]:
            run, new = file.start(*about)
            if new and ids is not None:
                file.name(run.id, ids)
            return run_document(file, run)

        document: dict[str, Any] = await self.kept.do(start)
        return document

    async def apply(
        self,
        group: str,
        who: Principal,
        approvals: Approvals,
        offload: Offload,
        tell: Callable[[str, Mapping[str, Any]], None],
    ) -> dict[str, Any]:
        """Has what is proposed applied, once another person has said yes to exactly that; raises `NothingToChange` or
        `ApprovalNeeded`."""
        file, author = self.kept.file, _author(who)
        repairs: list[Repair] = await self.kept.ask(partial(file.repairs, group, ("proposed",)))
        if not repairs:
            raise NothingToChange(f"nothing is proposed: figway route repairs {group} propose")
        subject = f"repair:{set_hash(repairs)}"
        used = await offload(approvals.use, subject, who.id, 1)
        if used is None:
            details = {"group": group, "repairs": [repair_document(each) for each in repairs]}
            summary = f"{group}: {len(repairs)} repairs of {repairs[0].side}"
            asked, new = await offload(partial(approvals.ask, details=details), subject, summary, who.id, 1)
            if new:
                tell("approval.asked", asked.document())
            raise ApprovalNeeded(asked)
        hashes = [each.hash for each in repairs]
        try:
            count = await self.kept.do(partial(file.approve, group, hashes, spelt_who(who), author))
        except StoreError:
            await offload(approvals.give_back, used.id)
            raise
        return {"group": group, "applying": count, "approval": used.id}

    async def lacking(self, compiled: Compiled, group: str, moved: int) -> tuple[str, ...]:
        """Why writes can't go to new_only yet (`proof.lacking`)."""
        known: Known = await self.kept.ask(partial(_known, self.kept.file, group, moved))
        return lacking(compiled, compiled.groups[group], known, time.time())


def _known(file: ReconcileFile, group: str, moved: int) -> Known:
    runs = file.newest_runs(group, What.SWEEP)
    sweep = next((each for each in runs if each.state is RunState.DONE), None)
    counts = {} if sweep is None else orjson.loads(sweep.progress)["counts"]
    return Known(sweep, counts, file.counted(group), file.waiting(group)[1], moved)


def _author(who: Principal) -> str:
    return who.id if who.agent is None else f"{who.id} via {who.agent}"
