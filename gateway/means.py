"""What a runtime works with: everything that outlives a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.approvals.approvals import Approvals
from gateway.approvals.webhook import Webhooks
from gateway.audit.log import AuditLog
from gateway.audit.reader import Reader
from gateway.events.log import EventLog
from gateway.feeds.kept import Kept
from gateway.lineage.snapshots import Snapshots
from gateway.migration.reconcile.service import Reconciling
from gateway.serving import Governance
from gateway.store.contract import State
from gateway.store.offload import Offload
from gateway.store.place import StateFolder
from gateway.store.shared import Shared
from gateway.telemetry.telemetry import Telemetry


class Lent(Protocol):
    """What has to be closed."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a runtime works with; `opening` makes them."""

    workspace: Path
    folder: StateFolder
    state: State
    shared: Shared
    offload: Offload
    audit: AuditLog
    reader: Reader
    searching: Offload
    """Threads for searches of the audit, which may take seconds."""
    governance: Governance
    telemetry: Telemetry
    snapshots: Snapshots
    """For lineage."""
    approvals: Approvals
    webhooks: Webhooks
    reconciling: Reconciling
    events: EventLog
    deliveries: Kept
    """How far subscribers have been told of events."""
    lent: tuple[Lent, ...] = ()
    """What is read besides, and closed in the end: where API keys are kept, while examples answer."""

    @property
    def mocking(self) -> bool:
        """Whether examples answer all routes."""
        return self.governance.mocking
