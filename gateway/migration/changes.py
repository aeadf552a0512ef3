"""Changing what is served: workspaces applied, groups flipped and rolled back, each as a numbered snapshot.

A change of who has the last word on writes takes two snapshots: one that freezes the group's writes and, once every
process serves it, the writes before it have ended and what waits to be applied is applied, one that lets go of them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from gateway.approvals.approvals import Approvals
from gateway.approvals.record import Approval
from gateway.migration.about import About, Changed
from gateway.migration.model import READS, Group, Stage
from gateway.migration.plan import Plan, StageChange, files_difference, plan_files, plan_stages, words
from gateway.migration.reconcile.proof import OLDEST, moved_with, needs_proof
from gateway.migration.refusals import (
    ApprovalNeeded,
    ChangeError,
    Drifted,
    NotDrained,
    NothingToChange,
    PlanMoved,
    Refused,
)
from gateway.migration.stages import back, is_forward, refused
from gateway.routing.groups import kept_stages, stage_document, stages_of
from gateway.routing.migration_schema import declared_stages
from gateway.routing.model import Compiled, InvalidWorkspace
from gateway.store.contract import Moved, State, StoredSnapshot, StoreError
from gateway.store.offload import Offload
from gateway.store.shared import Shared, started

__all__ = ["About", "Changed", "Changes"]

ACKNOWLEDGED = 30.0
"""Seconds for every process to serve a snapshot."""
FROZEN = 30.0
"""Seconds for which writes stand still at most."""
AUTOPILOT = "autopilot"
_TRIES = 10


class Compile(Protocol):
    """A workspace as it would be served with its groups at some stages, judged; None: not judged."""

    def __call__(self, files: Mapping[str, bytes], stages: Mapping[str, Stage] | None) -> Awaitable[Compiled]: ...


Drained = Callable[[str], Awaitable[bool]]
"""Whether all that waits to be applied to a group's other side is applied."""
Lacking = Callable[[Compiled, str, int], Awaitable[tuple[str, ...]]]
"""Why a group's writes can't go to new_only yet, whose stage last changed with that snapshot."""


async def _nothing_waits(_: str) -> bool:
    return True


async def _nothing_lacks(_: Compiled, __: str, ___: int) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Changes:
    """How a process changes what its host serves."""

    state: State
    shared: Shared
    offload: Offload
    compile: Compile
    approvals: Approvals
    tell: Callable[[str, Mapping[str, Any]], None] = lambda _, __: None
    drained: Drained = _nothing_waits
    lacking: Lacking = _nothing_lacks

    async def plan(self, files: Mapping[str, bytes], *, overwrite: bool = False) -> Plan:
        """What applying a workspace would do; raises `InvalidWorkspace` or `StoreError`."""
        return (await self._planned(files, overwrite=overwrite))[0]

    async def apply(
        self, files: Mapping[str, bytes], about: About, *, plan_hash: str | None = None, overwrite: bool = False
    ) -> Changed:
        """Makes a workspace what is served; raises `ChangeError`, `Moved`, `InvalidWorkspace` or `StoreError`."""
        plan, documents = await self._planned(files, overwrite=overwrite)
        _check(plan, about, plan_hash)
        if plan.drift:
            raise Drifted(plan.drift)
        return await self._make(plan, files, documents, about)

    async def plan_move(self, group: str, to: Callable[[Stage], Stage], origin: str) -> Plan:
        """What taking a group to what `to` makes of its stage would do."""
        return (await self._move_planned(group, to, origin))[0]

    async def move(
        self, group: str, to: Callable[[Stage], Stage], about: About, origin: str, plan_hash: str | None = None
    ) -> Changed:
        """Takes a group to what `to` makes of its stage; raises `ChangeError`, `Moved`, `InvalidWorkspace` or
        `StoreError`. `origin` is flip, rollback, autopilot or ramp."""
        plan, files, documents = await self._move_planned(group, to, origin)
        _check(plan, about, plan_hash)
        return await self._make(plan, files, documents, about)

    async def rollback(self, group: str, about: About) -> Changed:
        """Takes a group back: reads to legacy first, then writes, each as far as is legal; raises what `move` does."""
        plan, files, documents = await self._move_planned(group, None, "rollback")
        _check(plan, about, None)
        return await self._make(plan, files, documents, about)

    async def pilot(self, group: str, stage: Stage, about: About) -> int:
        """What the autopilot does: takes a group to `stage`; returns the snapshot's version. Raises `Moved` or
        `StoreError`. The steps of a ramp were approved with the ramp; another stage needs what people need."""
        active, _ = await self._active()
        before = stages_of(active.stages).get(group)
        origin = "ramp" if before is None or is_forward(before, stage) else "autopilot"
        try:
            return (await self.move(group, lambda _: stage, about, origin)).snapshot.version
        except (ChangeError, InvalidWorkspace) as error:
            raise StoreError(f"{group} can't be taken to {words(stage)}: {error}") from error

    async def let_go(self, group: str, about: About, frozen_by: Any) -> None:
        """Lets go of writes that `frozen_by` froze; who gets them stays. Raises `StoreError`."""
        for _ in range(_TRIES):
            active, files = await self._active()
            document = active.stages.get(group, {})
            if not document.get("frozen") or document.get("frozen_by") != frozen_by:
                return
            thawed = {name: value for name, value in document.items() if name != "frozen_by"} | {"frozen": False}
            try:
                await self._publish(files, {**active.stages, group: thawed}, active.version, about)
                return
            except Moved:
                continue
        raise StoreError(f"the writes of {group} stand still, as others publish all the time")

    async def _move_planned(
        self, group: str, to: Callable[[Stage], Stage] | None, origin: str
    ) -> tuple[Plan, Mapping[str, bytes], dict[str, Any]]:
        active, files = await self._active()
        compiled = await self.compile(files, None)
        if group not in compiled.groups:
            raise Refused((f"there is no group '{group}': 'figway route list' shows them",))
        documents = kept_stages(active.stages, compiled.groups)
        before = stages_of(documents)[group]
        after = _back(compiled.groups[group], before) if to is None else to(before)
        change = StageChange(group, before, after, origin)
        changes = (change,) if change.before != change.after else ()
        return await self._proven(plan_stages(active, compiled, changes), compiled), files, documents

    async def _planned(self, files: Mapping[str, bytes], *, overwrite: bool) -> tuple[Plan, dict[str, Any]]:
        active = await self.offload(self.state.active_snapshot)
        before = {} if active is None else (await self.offload(self.state.snapshot, active.version))[1]
        compiled = await self.compile(files, None)
        difference = files_difference(before, files)
        plan = plan_files(active, difference, declared_stages(before), compiled, overwrite=overwrite)
        plan = await self._proven(plan, compiled)
        documents = kept_stages({} if active is None else active.stages, compiled.groups)
        return plan, documents

    async def _proven(self, plan: Plan, compiled: Compiled) -> Plan:
        """The plan, with what is lacking before legacy loses the writes for good."""
        final = [each for each in plan.changes if needs_proof(compiled.groups[each.group], each.before, each.after)]
        if plan.refused or not final:
            return plan
        history = await self.offload(self.state.history, OLDEST)
        sentences: list[str] = []
        for each in final:
            found = await self.lacking(compiled, each.group, moved_with(each.group, history))
            sentences += [f"{each.group}: {sentence}" for sentence in found]
        return replace(plan, refused=tuple(sentences))

    async def _active(self) -> tuple[StoredSnapshot, dict[str, bytes]]:
        version = await self.offload(self.state.active)
        if version is None:
            raise StoreError("the store holds no snapshot: 'figway apply' or 'figway serve' makes the first one")
        return await self.offload(self.state.snapshot, version)

    async def _make(
        self, plan: Plan, files: Mapping[str, bytes], documents: Mapping[str, Any], about: About
    ) -> Changed:
        if plan.empty:
            raise NothingToChange("nothing differs from what is served")
        if plan.refused:
            raise Refused(plan.refused)
        after = _with(documents, plan.changes)
        # Files may forbid a stage that the change itself doesn't touch.
        await self.compile(files, stages_of(after))
        approval = await self._approved(plan, about)
        try:
            snapshot, behind = await self._carry_out(plan, files, documents, after, about)
        except (ChangeError, Moved):
            if approval is not None:
                await self.offload(self.approvals.give_back, approval.id)
            raise
        for each in plan.changes:
            kind = "stage.rolled_back" if each.origin in ("rollback", "autopilot") else "stage.flipped"
            self.tell(kind, {**each.document(), **_told(snapshot)})
        return Changed(plan, snapshot, behind)

    async def _approved(self, plan: Plan, about: About) -> Approval | None:
        stays = not any(each.moves for each in plan.changes)
        if not plan.approvals or (about.author == AUTOPILOT and stays):
            return None
        subject = f"plan:{plan.hash}"
        used = await self.offload(self.approvals.use, subject, about.author, plan.approvals)
        if used is not None:
            return used
        summary = "; ".join(map(str, plan.changes))
        ask = partial(self.approvals.ask, details={"plan": plan.document(), "reason": about.reason})
        asked, new = await self.offload(ask, subject, summary, about.author, plan.approvals)
        if new:
            self.tell("approval.asked", asked.document())
        raise ApprovalNeeded(asked)

    async def _carry_out(
        self,
        plan: Plan,
        files: Mapping[str, bytes],
        documents: Mapping[str, Any],
        after: Mapping[str, Any],
        about: About,
    ) -> tuple[StoredSnapshot, tuple[int, ...]]:
        still = tuple(each for each in plan.changes if each.freezes)
        if not still:
            return await self._publish(files, after, plan.parent, about)
        active, now = await self._active()
        me = [os.getpid(), started(os.getpid())]
        frozen = {each.group: {**active.stages.get(each.group, {}), **_frozen(each), "frozen_by": me} for each in still}
        freezing = replace(about, reason=f"{about.reason} (writes stand still)")
        held, _ = await self._publish(now, {**active.stages, **frozen}, plan.parent, freezing)
        try:
            await self._rest([each.group for each in still if each.drains])
            return await self._publish(files, after, held.version, about)
        except BaseException:
            # Also when this process is being stopped: writes must not stand still for longer than they have to.
            thawing = replace(about, reason="writes go on as before: who gets them hasn't changed")
            for each in still:
                await asyncio.shield(self.let_go(each.group, thawing, me))
            raise

    async def _rest(self, groups: list[str]) -> None:
        """Waits until no write of before is under way anywhere and nothing waits to be applied."""
        until = asyncio.get_running_loop().time() + FROZEN
        generation = self.shared.generation
        if not await self.shared.wait_settled(generation, FROZEN):
            raise NotDrained(f"writes are under way in processes {self.shared.unsettled(generation)} still")
        for group in groups:
            while not await self.drained(group):
                if asyncio.get_running_loop().time() > until:
                    raise NotDrained(f"changes of {group} still wait to be applied to its other side")
                await asyncio.sleep(0.02)

    async def _publish(
        self, files: Mapping[str, bytes], stages: Mapping[str, Any], parent: int | None, about: About
    ) -> tuple[StoredSnapshot, tuple[int, ...]]:
        """Publishes, and returns once every process on the host serves it."""
        publish = partial(self.state.publish, stages=stages, ticket=about.ticket, evidence=about.evidence)
        said = partial(publish, expected_parent=parent, author=about.said, reason=about.reason)
        snapshot = await self.offload(said, files)
        generation = self.shared.bump()
        await self.shared.wait_acknowledged(generation, ACKNOWLEDGED)
        return snapshot, tuple(self.shared.behind(generation))


def _back(group: Group, before: Stage) -> Stage:
    after = back(group, before)
    whole = replace(before, reads="legacy", writes="legacy")
    if after == before != whole:
        raise Refused(refused(group, before, whole))
    return after


def _frozen(change: StageChange) -> dict[str, Any]:
    """The stage at which writes stand still. Reads that go back do so at once: they wait for no write."""
    before, after = change.before or Stage(), change.after
    reads_back = READS.index(after.reads) < READS.index(before.reads)
    held = replace(after, writes=before.writes) if reads_back else before
    return stage_document(replace(held, frozen=True), change.origin)


def _check(plan: Plan, about: About, plan_hash: str | None) -> None:
    if about.expected is not None and about.expected != plan.parent:
        raise Moved(about.expected, plan.parent)
    if plan_hash is not None and plan_hash != plan.hash:
        raise PlanMoved(f"the plan is {plan.hash} by now: look at it again")


def _with(documents: Mapping[str, Any], changes: tuple[StageChange, ...]) -> dict[str, Any]:
    return {**documents, **{each.group: stage_document(each.after, each.origin) for each in changes}}


def _told(snapshot: StoredSnapshot) -> dict[str, Any]:
    about = {name: getattr(snapshot, name) for name in ("version", "author", "reason", "ticket", "evidence")}
    return {**about, "time": snapshot.time.isoformat()}
