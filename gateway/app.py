"""The only place that wires anything: a workspace and a state folder become one ASGI application.

The data plane is a plain ASGI application; FastAPI carries what is the gateway's own (`/-/…`, `/openapi.json`,
`/docs`). Requests are told apart before FastAPI sees them, so that a route pays nothing for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from gateway.admin import (
    approvals,
    audit,
    decommission,
    documents,
    health,
    lineage,
    metrics,
    oauth,
    operations,
    parity,
    policy,
    readiness,
    reconciliation,
    snapshots,
    writes,
)
from gateway.admin.control import Control
from gateway.admin.recording import Recorded
from gateway.admin.routes import control_routes, no_such_place
from gateway.approvals.approvals import Approvals
from gateway.approvals.webhook import Webhooks
from gateway.audit.file import AuditError
from gateway.audit.places import open_log, reader_of
from gateway.identity.audit_keys import audit_keys
from gateway.identity.bearer import CallerVerifier
from gateway.identity.development import NAME, DevelopmentKey
from gateway.identity.fetching import Fetcher, Offline
from gateway.identity.keyrings import Keyrings
from gateway.identity.signing import KeyFileError
from gateway.identity.verifier import KeyVerifier
from gateway.ingress.body import Receive
from gateway.ingress.http import HttpIngress, Scope
from gateway.ingress.mcp import PATH as MCP
from gateway.ingress.mcp import McpIngress
from gateway.ingress.mcp_oauth import METADATA
from gateway.ingress.mcp_sdk import Sdk
from gateway.ingress.response import Send
from gateway.limits.limiter import Limiter
from gateway.lineage.snapshots import stored
from gateway.means import Means
from gateway.migration.apply import Applier
from gateway.migration.autopilot import Autopilot
from gateway.migration.controls import HostControls
from gateway.migration.outbox import Outbox
from gateway.migration.reads import Migrating
from gateway.migration.reconcile.ledger import Reconciliations
from gateway.migration.reconcile.service import Reconciling
from gateway.migration.reconcile.worker import LOCK, Reconciler
from gateway.migration.recording.recorder import Recorder
from gateway.migration.thaw import keep_thawed, keep_told
from gateway.migration.writing import Gate
from gateway.operations.service import Operations
from gateway.routing.model import InvalidWorkspace
from gateway.routing.schema import Stores
from gateway.routing.stores import given_keys, state_url, stores_of
from gateway.runtime import Runtime
from gateway.serving import Governance
from gateway.settings import Settings
from gateway.store.contract import State, StoreError
from gateway.store.leader import Leader
from gateway.store.offload import Offload
from gateway.store.place import StateFolder, open_state
from gateway.store.shared import Shared
from gateway.telemetry.export import BadTelemetry
from gateway.telemetry.telemetry import Telemetry

logger = logging.getLogger("figway")

_LAST_WRITES = 15.0
_LAST_RECORDS = 0.25
"""Seconds that calls get to say how they ended, when the gateway is stopped at once."""
_OWN = ("/openapi.json", "/docs", METADATA, METADATA + MCP)


class Application:
    """The gateway as ASGI servers see it. `runtime` and `audit` exist once the lifespan has started."""

    def __init__(self, workspace: Path, settings: Settings, *, watch: bool = False) -> None:
        self._workspace, self._settings, self._watch = workspace, settings, watch
        self.control = Control()
        self._own = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        self._own.add_exception_handler(HTTPException, no_such_place)
        ours = (health, documents, lineage, metrics, operations, audit, policy)
        subjects = (*ours, oauth, snapshots, parity, writes, approvals, decommission, reconciliation, readiness)
        self._own.include_router(control_routes(self.control, tuple(each for room in subjects for each in room.PLACES)))
        self._recorded = Recorded(self._own, lambda: self.control.audit)
        self._ingress: HttpIngress | None = None
        self._mcp: McpIngress | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http" or scope["path"].startswith("/-/") or scope["path"] in _OWN:
            await self._recorded(scope, receive, send)
        elif scope["path"] == MCP:
            assert self._mcp is not None
            await self._mcp(scope, receive, send)
        else:
            assert self._ingress is not None
            await self._ingress(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """The ASGI lifespan: a start that fails is told in sentences, not as a stack trace."""
        await receive()
        try:
            means = make_means(self._workspace, self._settings)
            runtime = await self._started(means)
        except InvalidWorkspace as invalid:
            for finding in invalid.findings:
                logger.error("%s", finding)
            await send({"type": "lifespan.startup.failed", "message": "The workspace is invalid."})
            return
        except (StoreError, AuditError, KeyFileError, BadTelemetry) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        except asyncio.CancelledError:  # stopped at once: the calls are being cut off, and their records come now
            await asyncio.sleep(_LAST_RECORDS)
            means.audit.close()
            raise
        self.control.detach()
        try:
            await stop(runtime)
        except AuditError as error:
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    async def _started(self, means: Means) -> Runtime:
        runtime = Runtime(means)
        try:
            await runtime.start(fresh=self._watch or means.mocking)
        except (InvalidWorkspace, StoreError):
            await stop(runtime)
            raise
        if self._watch:
            runtime.supervise(runtime.watch)
        means.telemetry.watch(metrics.kinds(runtime), metrics.Gauges(runtime, means.audit))
        runtime.supervise(means.telemetry.pulse)
        runtime.supervise(partial(means.governance.keyrings.follow, means.shared))
        runtime.supervise(means.governance.verifier.keep_noting)
        runtime.supervise(means.webhooks.run)
        runtime.supervise(partial(keep_thawed, runtime.changes))
        runtime.supervise(partial(keep_told, runtime.changes, lambda: runtime.current().version))
        runtime.supervise(means.governance.migrating.samples.pulse)
        runtime.supervise(means.governance.migrating.tally.pulse)
        recorder = Recorder(means.folder.recordings, lambda: runtime.current().compiled)
        runtime.supervise(recorder.pulse)
        if not means.mocking:
            _migrate(runtime)
        self._ingress = HttpIngress(runtime.current, means.audit, (means.telemetry.observe, recorder.observe))
        self._mcp = McpIngress(self._ingress, runtime.current, means.audit, means.governance.verifier)
        self._mcp.rest = sdk = Sdk(self._mcp)
        runtime.supervise(sdk.run)
        self.control.attach(runtime, means.audit, means.governance.verifier)
        return runtime


def _migrate(runtime: Runtime) -> None:
    """Starts what asks the systems on nobody's behalf, and what moves groups by what it learns."""
    reconciler = reconciler_of(runtime)
    runtime.supervise(applier(runtime, reconciler).work)
    runtime.supervise(reconciler.work)
    pilot = partial(autopilot_of(runtime).lead, Leader(runtime.means.folder.path / "autopilot.leader"))
    runtime.supervise(pilot)


def applier(runtime: Runtime, reconciler: Reconciler) -> Applier:
    """What tells a group's other side of writes, if this process leads."""
    means = runtime.means
    lock = means.folder.path / "outbox.leader"
    return Applier(means.governance.outbox, lambda: runtime.current().held(), means.audit, lock, reconciler.told)


def reconciler_of(runtime: Runtime) -> Reconciler:
    """What holds both sides of groups against each other, if this process leads."""
    means = runtime.means
    return Reconciler(means.reconciling, means.governance.migrating, runtime.current, means.folder.path / LOCK)


def autopilot_of(runtime: Runtime) -> Autopilot:
    """What rolls groups back and takes the steps of ramps, if this process leads."""
    means = runtime.means
    migrating = means.governance.migrating
    controls = HostControls(runtime.current, runtime.changes, migrating.budget, means.webhooks.tell, means.audit)
    return Autopilot(migrating.notes, controls)


def make_means(workspace: Path, settings: Settings) -> Means:
    """Opens everything that a runtime works with; raises `StoreError`, `AuditError`, `KeyFileError` or
    `BadTelemetry`."""
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
    governance = Governance(verifier, rings, kept, limiter, log, migrating, outbox, Gate(), settings.mock)
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
        approvals=Approvals(folder.approvals),
        webhooks=Webhooks(),
        reconciling=Reconciling(Reconciliations.open(folder.reconciliations), outbox),
        lent=(known, changed) if settings.mock else (),
    )


def _states(workspace: Path, real: StateFolder, folder: StateFolder, url: str) -> tuple[State, State]:
    """Where API keys are kept, and where all else is: the same, unless examples answer; raises `StoreError`."""
    if folder is real:
        state = open_state(url, workspace, real)
        return state, state
    return open_state(state_url(workspace), workspace, real), open_state(url, workspace, folder)


async def stop(runtime: Runtime) -> None:
    """Lets what is under way end, then closes everything, whatever fails on the way; raises what failed last."""
    means = runtime.means
    async with AsyncExitStack() as closing:
        closing.callback(close_means, means)
        closing.push_async_callback(means.governance.limiter.close)
        closing.push_async_callback(means.governance.verifier.close)
        closing.push_async_callback(runtime.stop)
        closing.push_async_callback(means.governance.outbox.finish, _LAST_WRITES)
        closing.push_async_callback(means.governance.operations.finish)


def close_means(means: Means) -> None:
    """Closes them all, in the order in which they need each other; raises `AuditError` when records are lost."""
    with ExitStack() as closing:
        kept, migrating = means.governance.operations, means.governance.migrating
        # The last is closed first: what writes by a worker's slot, before the slot is given back.
        places = (kept, means.governance.outbox, means.shared, migrating, means.state, means.offload, means.searching)
        for each in (*means.lent, means.reconciling.kept, *places, means.telemetry, means.audit):
            closing.callback(each.close)
