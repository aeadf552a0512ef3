"""Control verbs at this host's own store, as `host:<user>`: recorded in the audit first, and never able to approve."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gateway.approvals.approvals import Approvals
from gateway.approvals.record import ApprovalError
from gateway.approvals.webhook import Webhooks, receivers
from gateway.audit.file import AuditError
from gateway.cache.cache import NothingLike, places_of
from gateway.cache.marks import Marks
from gateway.cli.cache_host import let_go
from gateway.cli.decommission_host import brown_out, evidence_of
from gateway.cli.desk import DeskError, Document, usage
from gateway.cli.desk_feeds import dead_of, replayed
from gateway.cli.desk_reconcile import HostReconciling
from gateway.cli.recording import note_change, operator
from gateway.identity.signing import KeyFileError
from gateway.migration.changes import About, Changed, Changes
from gateway.migration.documents import (
    BadFlip,
    changed_document,
    flipped,
    group_document,
    snapshot_document,
    wanted_of,
)
from gateway.migration.model import Stage
from gateway.migration.outbox import Outbox
from gateway.migration.proofs import parity_document
from gateway.migration.received import callers_of
from gateway.migration.refusals import ApprovalNeeded, ChangeError, Drifted, Refused
from gateway.migration.tally import Tally
from gateway.routing.groups import stages_of
from gateway.routing.load import compile_workspace
from gateway.routing.model import Compiled, InvalidWorkspace
from gateway.routing.stores import state_url
from gateway.settings import InvalidSetting, Settings
from gateway.store.contract import Moved, StoreError
from gateway.store.offload import Offload
from gateway.store.place import StateFolder, open_state
from gateway.store.shared import Shared

_T = TypeVar("_T")
_TELLING = 10.0
"""Seconds for webhooks to be taken; nobody tries again afterwards."""


class HostDesk:
    """Whoever may write the state folder may change what is served."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._webhooks = Webhooks()
        try:
            self._folder = StateFolder.of(workspace, Settings.from_environment(os.environ).state)
            with ExitStack() as opened:
                self._state = open_state(state_url(workspace), workspace, self._folder)
                opened.callback(self._state.close)
                shared = Shared.open(self._folder.shared)
                opened.callback(shared.close)
                self._approvals = Approvals(self._folder.approvals)
                opened.callback(self._approvals.close)
                offload = Offload()
                opened.callback(offload.close)
                outbox = Outbox.open(self._folder.outbox)
                opened.callback(outbox.close)
                self._reconciling = HostReconciling(self._folder, outbox)
                opened.callback(self._reconciling.close)
                self._opened = opened.pop_all()
        except (StoreError, InvalidSetting) as error:
            raise DeskError(str(error)) from error
        about = (self._state, shared, offload, self._compiled, self._approvals, self._webhooks.tell)
        self._changes = Changes(*about, outbox.drained, self._reconciling.service.lacking)

    def plan(self, files: Mapping[str, bytes], *, overwrite: bool) -> Document:
        return self._run(self._changes.plan(files, overwrite=overwrite)).document()

    def apply(
        self, files: Mapping[str, bytes], about: Mapping[str, str | None], *, overwrite: bool, plan_hash: str | None
    ) -> Document:
        made = partial(self._changes.apply, files, plan_hash=plan_hash, overwrite=overwrite)
        return self._made("apply", "workspace", made, about)

    def groups(self) -> list[Document]:
        return [group_document(each) for each in self._active()[0].groups.values()]

    def parity(self, group: str) -> Document:
        trying = self._served(group)[0].groups[group].stage.writes == "dry_run"
        return parity_document(self._folder.parity, group, trying=trying)

    def evidence(self, group: str, days: int) -> Document:
        compiled, version = self._served(group)
        try:
            return evidence_of(self._folder, self._state, compiled, version, group, days)
        except (StoreError, KeyFileError, AuditError, sqlite3.Error) as error:
            raise DeskError(str(error)) from error

    def callers(self, group: str, days: int) -> Document:
        compiled, _ = self._served(group)
        try:
            return callers_of(Tally(self._folder.path / "legacy.db"), compiled, group, days)
        except (StoreError, sqlite3.Error) as error:
            raise DeskError(str(error)) from error

    def brownout(self, group: str, about: Mapping[str, str]) -> Document:
        compiled, _ = self._served(group)
        try:
            note_change(self._workspace, self._folder, "route_brownout", f"group:{group}")
            return brown_out(self._folder, compiled, group, f"host:{operator()}", about)
        except (StoreError, KeyFileError, AuditError, sqlite3.Error) as error:
            raise DeskError(str(error)) from error
        except ValueError as error:
            raise usage(f"--for: {error}") from error

    def reconciliation(self, group: str) -> Document:
        self._served(group)
        return self._run(self._reconciling.service.document(group))

    def sweep(self, group: str, keys: Sequence[str] | None, *, details: bool) -> Document:
        compiled, version = self._served(group)
        self._note("route_reconcile", f"group:{group}")
        return self._run(self._reconciling.sweep(compiled, version, group, keys, details))

    def repairs(self, group: str) -> Document:
        self._served(group)
        return self._run(self._reconciling.service.repairs(group))

    def repair(self, group: str, do: str) -> Document:
        compiled, version = self._served(group)
        self._note(f"route_repairs_{do}", f"group:{group}")
        made = self._reconciling.repair(compiled, version, group, do, self._approvals, self._webhooks)
        return self._run(self._told(made))

    def writes(self, group: str) -> Document:
        self._served(group)
        return self._run(self._reconciling.writes(group))

    def settle(self, group: str, id: str, *, happened: bool) -> Document:
        self._served(group)
        self._note("route_unknowns_settle", f"group:{group}")
        return self._run(self._reconciling.settle(group, id, happened))

    def _note(self, operation: str, what: str) -> None:
        """The record comes first: a change is never without one."""
        try:
            note_change(self._workspace, self._folder, operation, what)
        except (AuditError, StoreError, KeyFileError) as error:
            raise DeskError(str(error)) from error

    async def _told(self, made: Awaitable[_T]) -> _T:
        try:
            return await made
        finally:
            await self._webhooks.flush(_TELLING)

    def _active(self) -> tuple[Compiled, int]:
        version = self._state.active()
        if version is None:
            raise DeskError("the store holds no snapshot: 'figway apply' makes the first one")
        stored, files = self._state.snapshot(version)
        return self._run(self._compiled(files, None, stages_of(stored.stages))), version

    def _served(self, group: str) -> tuple[Compiled, int]:
        compiled, version = self._active()
        if group not in compiled.groups:
            raise DeskError(f"there is no group '{group}': 'figway route list' shows them")
        return compiled, version

    def plan_flip(self, group: str, wanted: Mapping[str, Any]) -> Document:
        return self._run(self._changes.plan_move(group, _to(wanted), "flip")).document()

    def flip(
        self, group: str, wanted: Mapping[str, Any], about: Mapping[str, str | None], *, plan_hash: str | None
    ) -> Document:
        to = _to(wanted)
        made = lambda who: self._changes.move(group, to, who, "flip", plan_hash)  # noqa: E731 - a verb's one action
        return self._made("route_flip", f"group:{group}", made, about)

    def rollback(self, group: str, about: Mapping[str, str | None]) -> Document:
        return self._made("route_rollback", f"group:{group}", partial(self._changes.rollback, group), about)

    def purge(self, group: str | None, entity: tuple[str, str] | None) -> Document:
        compiled, _ = self._active()
        self._note("cache_purge", f"group:{group}" if group else "everything")
        try:
            with closing(Marks.open(self._folder.marks)) as marks:
                places = None if group is None else places_of(compiled, group, entity)
                told = self._run(let_go(marks, places, self._workspace, self._folder))
        except (StoreError, NothingLike) as error:
            raise DeskError(str(error).rstrip(".")) from error
        if not told:
            raise DeskError("the store of kept answers doesn't answer: other hosts may tell them still")
        return {"purged": group or "everything", "entity": None if entity is None else dict([entity])}

    def dead(self) -> list[Document]:
        return dead_of(self._folder)

    def replay(self, subscriber: str) -> Document:
        self._note("events_replay", f"subscriber:{subscriber}")
        return replayed(self._folder, subscriber)

    def history(self, limit: int) -> list[Document]:
        return [snapshot_document(each) for each in self._state.history(limit)]

    def snapshot(self, version: int) -> tuple[Document, dict[str, bytes]]:
        try:
            found, files = self._state.snapshot(version)
        except StoreError as error:
            raise DeskError(str(error)) from error
        return snapshot_document(found), files

    def approvals(self, *, pending: bool) -> list[Document]:
        return [each.document() for each in self._approvals.newest(pending=pending)]

    def approval(self, id: str) -> Document:
        try:
            return self._approvals.get(id).document()
        except ApprovalError as error:
            raise DeskError(str(error)) from error

    def decide(self, id: str, reason: str, *, approve: bool) -> Document:
        raise usage("this host can't approve: name the gateway with --server, and who you are with FIGWAY_TOKEN")

    def close(self) -> None:
        self._opened.close()

    def _made(
        self,
        operation: str,
        what: str,
        made: Callable[[About], Awaitable[Changed]],
        about: Mapping[str, str | None],
    ) -> Document:
        who = About(f"host:{operator()}", about.get("reason") or "", about.get("ticket"))
        self._note(operation, what)
        return changed_document(self._run(self._told(made(who))))

    async def _compiled(
        self, files: Mapping[str, bytes], stages: Mapping[str, Stage] | None, at: Mapping[str, Stage] | None = None
    ) -> Compiled:
        loaded = await asyncio.to_thread(
            compile_workspace,
            files,
            cache=self._folder.path / "cache",
            environment=os.environ,
            strict_secrets=False,
            stages=stages or at or {},
            judge_stages=stages is not None,
        )
        self._webhooks.follow(receivers(loaded.compiled.settings["notify"]))
        return loaded.compiled

    def _run(self, work: Awaitable[_T]) -> _T:
        async def within() -> _T:
            return await work

        try:
            return asyncio.run(within())
        except InvalidWorkspace as error:
            count = sum(each.level == "error" for each in error.findings)
            raise DeskError(f"{count} problem(s) to mend", [str(each) for each in error.findings]) from error
        except Refused as error:
            raise DeskError("that step is refused", error.sentences) from error
        except Drifted as error:
            sentence = "stages were changed at run time: write them back with 'figway pull', or say --overwrite-stages"
            raise DeskError(sentence, [str(each) for each in error.drift]) from error
        except ApprovalNeeded as error:
            raise DeskError(f"{error}; once it is given, run this again") from error
        except (ChangeError, ApprovalError, Moved, StoreError) as error:
            raise DeskError(str(error)) from error


def _to(wanted: Mapping[str, Any]) -> Callable[[Stage], Stage]:
    try:
        fields = wanted_of(wanted)
    except BadFlip as error:
        raise usage(str(error)) from error
    return lambda before: flipped(before, fields)
