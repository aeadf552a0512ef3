"""What a runtime works with is opened and closed here: files, stores, keys and counters."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from gateway.approvals.approvals import Approvals
from gateway.approvals.webhook import Webhooks
from gateway.audit.places import open_log, reader_of
from gateway.cache.cache import Cache, far_of
from gateway.cache.marks import Marks
from gateway.events.log import EventLog
from gateway.events.replicas import Replicas
from gateway.feeds.kept import Kept
from gateway.filters.approve import Desk
from gateway.identity.audit_keys import audit_keys
from gateway.identity.bearer import CallerVerifier
from gateway.identity.development import NAME, DevelopmentKey
from gateway.identity.fetching import Fetcher, Offline
from gateway.identity.keyrings import Keyrings
from gateway.identity.verifier import KeyVerifier
from gateway.limits.limiter import Limiter
from gateway.limits.stops import Stops
from gateway.lineage.snapshots import stored
from gateway.means import Means
from gateway.migration.outbox import Outbox
from gateway.migration.reads import Migrating
from gateway.migration.reconcile.ledger import Reconciliations
from gateway.migration.reconcile.service import Reconciling
from gateway.migration.writing import Gate
from gateway.operations.service import Operations
from gateway.routing.schema import Stores
from gateway.routing.stores import given_keys, state_url, stores_of
from gateway.serving import Governance
from gateway.settings import Settings
from gateway.store.contract import State
from gateway.store.offload import Offload
from gateway.store.place import StateFolder, open_state
from gateway.store.shared import Shared
from gateway.telemetry.telemetry import Telemetry


def make_means(workspace: Path, settings: Settings) -> Means:
    """Opens all that a runtime works with; raises `StoreError`, `AuditError`, `KeyFileError` or `BadTelemetry`."""
    real, places = StateFolder.of(workspace, settings.state), stores_of(workspace)
    # What examples answer is kept apart from all that is real, except who may call.
    folder, places = (real.of_mocks, Stores()) if settings.mock else (real, places)
    known, state = _states(workspace, real, folder, places.state)
    offload, shared = Offload(), Shared.open(folder.shared)
    rings = Keyrings(real.keys, given_keys(workspace))
    changed = shared if folder is real else Shared.open(real.shared)
    keys = KeyVerifier(known, rings["pepper"], changed, offload)
    development = DevelopmentKey(rings[NAME]) if settings.dev else None
    verifier = CallerVerifier(keys, Offline() if settings.mock else Fetcher(), development)
    limiter = Limiter.open(places.limits, folder.limits, shared)
    place, sealing = places.audit, audit_keys(rings)
    log = open_log(place, folder, sealing)
    kept, outbox = Operations.open(folder.operations, log), Outbox.open(folder.outbox)
    migrating = Migrating.open(folder, shared, rings, outbox.pending)
    stops = Stops(known, changed, offload)
    desk = Desk(Approvals(folder.approvals), Webhooks(), Offload(threads=1, waiting=256))
    answers = Cache(Marks.open(folder.marks), migrating.refreshing, far_of(places.cache, rings["cursor"]))
    deciding, kept_of = (verifier, rings, kept, limiter, stops, log), (desk, answers, Replicas(folder.events))
    governance = Governance(*deciding, migrating, outbox, Gate(), *kept_of, settings.mock)
    return Means(
        workspace=workspace,
        folder=folder,
        state=state,
        shared=shared,
        offload=offload,
        audit=log,
        reader=reader_of(place, folder, sealing),
        searching=Offload(waiting=8),
        governance=governance,
        telemetry=Telemetry.open(folder.path / "metrics", {} if settings.mock else os.environ),
        snapshots=stored(state, folder.path / "cache", os.environ),
        approvals=desk.approvals,
        webhooks=desk.webhooks,
        events=EventLog(folder.events),
        deliveries=Kept(folder.deliveries),
        reconciling=Reconciling(Reconciliations.open(folder.reconciliations), outbox),
        lent=(known, changed) if settings.mock else (),
    )


def _states(workspace: Path, real: StateFolder, folder: StateFolder, url: str) -> tuple[State, State]:
    """Where API keys are kept, and where all else is: the same, unless examples answer; raises `StoreError`."""
    if folder is real:
        state = open_state(url, workspace, real)
        return state, state
    return open_state(state_url(workspace), workspace, real), open_state(url, workspace, folder)


def close_means(means: Means) -> None:
    """Closes them all, in the order in which they need each other; raises `AuditError` when records are lost."""
    with ExitStack() as closing:
        kept, migrating, marks = means.governance.operations, means.governance.migrating, means.governance.cache.marks
        # The last is closed first: what writes by a worker's slot, before the slot is given back.
        places = (kept, means.governance.outbox, means.shared, migrating, means.state, means.offload, means.searching)
        read = (*means.lent, marks, means.governance.replicas, means.events, means.deliveries, means.reconciling.kept)
        for each in (*read, means.governance.desk, *places, means.telemetry, means.audit):
            closing.callback(each.close)
