"""What the autopilot sees and does in a process that serves: its snapshot, changes of it, and probes of legacy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from adapters.contract import Context, Effect
from gateway.audit.log import AuditLog
from gateway.audit.record import Record
from gateway.audit.sink import AuditError
from gateway.call import new_id
from gateway.migration.budget import RATE, Budget
from gateway.migration.changes import AUTOPILOT, About, Changes
from gateway.migration.model import Group, Stage
from gateway.migration.plan import words
from gateway.routing.migration_schema import Migration
from gateway.routing.model import Compiled
from gateway.upstream import Upstream

Tell = Callable[[str, Mapping[str, Any]], None]

logger = logging.getLogger("figway")


class Served(Protocol):
    """The snapshot that a process serves (`gateway.serving.Serving`)."""

    @property
    def version(self) -> int: ...

    @property
    def compiled(self) -> Compiled: ...

    @property
    def upstreams(self) -> Mapping[str, Upstream]: ...


class HostControls:
    """A host's (`gateway.migration.autopilot.Controls`)."""

    def __init__(
        self, current: Callable[[], Served], changes: Changes, budget: Budget, tell: Tell, audit: AuditLog
    ) -> None:
        self._current, self._changes, self._budget, self._tell, self._audit = current, changes, budget, tell, audit

    def groups(self) -> tuple[int, Mapping[str, Group]]:
        """The active snapshot's version, and its groups."""
        served = self._current()
        return served.version, served.compiled.groups

    async def flip(self, group: str, stage: Stage, reason: str, evidence: Mapping[str, Any], expected: int) -> int:
        """Takes a group to a stage; raises `Moved` or `StoreError`."""
        about = About(AUTOPILOT, reason, expected=expected, evidence=evidence)
        version = await self._changes.pilot(group, stage, about)
        self._record(group, version, {"stage": words(stage), "reason": reason})
        return version

    def _record(self, group: str, version: int, facts: dict[str, Any]) -> None:
        """A step back isn't held up by an audit that can't be written: it is in the history in any case."""
        record = Record(
            *(new_id(), time.time(), "", f"group:{group}", 0, 0.0, AUTOPILOT, "write"),
            principal=AUTOPILOT,
            decision="allow",
            snapshot=version,
            kind="control",
            noted=facts,
        )
        try:
            self._audit.append(record)
        except AuditError as error:
            logger.error("that the autopilot published snapshot %d isn't recorded: %s", version, error)

    async def probe(self, group: str, deadline: float) -> bool | None:
        """Whether the group's legacy system is well; None: it may not be asked now."""
        served = self._current()
        upstream = _legacy(served, group)
        if upstream is None:
            return None
        if upstream.strained == "breaker":
            return False  # so many calls have failed that it isn't asked any more
        policy = served.compiled.policy_files.get("migration.yaml", Migration())
        assert isinstance(policy, Migration)
        rate = policy.extra_calls.get(upstream.name)
        claim = self._budget.take(upstream, "probe", 5.0, RATE if rate is None else rate.calls / rate.seconds)
        if claim is None:
            return None
        return (await upstream.probe(Context(deadline=deadline, effect=Effect.READ))).ok

    async def notify(self, event: Mapping[str, Any]) -> None:
        """Tells the webhooks: `autopilot.rolled_back`, `autopilot.checking` and so on."""
        self._tell(f"autopilot.{event['event']}", event)


def _legacy(served: Served, group: str) -> Upstream | None:
    reads = (each for each in served.compiled.routes if each.group == group and each.effect is Effect.READ)
    names = [each.legacy.upstream for each in reads if each.legacy is not None]
    return served.upstreams.get(names[0]) if names else None
