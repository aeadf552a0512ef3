"""The only place that wires anything: a workspace and a state folder become one ASGI application.

The data plane is a plain ASGI application; FastAPI carries what is the gateway's own (`/-/…`, `/openapi.json`,
`/docs`). Requests are told apart before FastAPI sees them, so that a route pays nothing for it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from gateway.admin import (
    agents,
    approvals,
    audit,
    cache,
    changes,
    decommission,
    documents,
    events,
    feeds,
    health,
    lineage,
    metrics,
    oauth,
    operations,
    parity,
    policy,
    readiness,
    recent,
    reconciliation,
    snapshots,
    writes,
)
from gateway.admin.control import Control
from gateway.admin.recording import Recorded
from gateway.admin.routes import control_routes, no_such_place
from gateway.audit.file import AuditError
from gateway.compose.recovering import recover
from gateway.feeds.delivery import Deliverer
from gateway.feeds.gauges import FeedGauges
from gateway.feeds.positions import Positions
from gateway.filters.stopped import check
from gateway.following.entities import Entities
from gateway.following.listening import Listening
from gateway.freshness.gauges import CaptureGauges
from gateway.freshness.worker import LOCK as CAPTURE_LOCK
from gateway.freshness.worker import Follower
from gateway.identity.signing import KeyFileError
from gateway.ingress.body import Receive
from gateway.ingress.http import HttpIngress, Scope
from gateway.ingress.mcp import PATH as MCP
from gateway.ingress.mcp import McpIngress
from gateway.ingress.mcp_oauth import METADATA
from gateway.ingress.mcp_resources import Resources
from gateway.ingress.mcp_sdk import Sdk
from gateway.ingress.response import Send
from gateway.means import Means
from gateway.migration.apply import Applier
from gateway.migration.autopilot import Autopilot
from gateway.migration.controls import HostControls
from gateway.migration.reconcile.worker import LOCK, Reconciler
from gateway.migration.recording.recorder import Recorder
from gateway.migration.thaw import keep_thawed, keep_told
from gateway.opening import close_means, make_means
from gateway.routing.model import InvalidWorkspace
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.store.contract import StoreError
from gateway.store.leader import Leader
from gateway.telemetry.export import BadTelemetry

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
        ours = (health, cache, changes, events, recent, feeds, documents, lineage, metrics, operations, audit, policy)
        subjects = (*ours, oauth, snapshots, parity, writes, approvals, decommission, reconciliation, readiness, agents)
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
        follower = Follower(means.events, runtime.current, means.folder.path / CAPTURE_LOCK)
        deliverer = deliverer_of(runtime)
        gauges = (metrics.Gauges(runtime, means.audit), CaptureGauges(follower), FeedGauges(deliverer))
        means.telemetry.watch(metrics.kinds(runtime), metrics.all_of(gauges))
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
            runtime.supervise(follower.work)
            runtime.supervise(deliverer.work)
        self._ingress = HttpIngress(runtime.current, means.audit, (means.telemetry.observe, recorder.observe))
        self._mcp = McpIngress(self._ingress, runtime.current, means.audit, means.governance.verifier)
        self._mcp.rest = sdk = self._sdk(self._mcp)
        runtime.supervise(sdk.run)
        self.control.attach(runtime, means.audit, means.governance.verifier)
        return runtime

    def _sdk(self, door: McpIngress) -> Sdk:
        """What answers the rest of MCP."""
        changes = recent.Changes(self.control)
        entities = Entities(door, changes)
        resources = Resources(self._recorded, entities)
        return Sdk(door, resources, Listening(door, resources, entities, changes))


def _migrate(runtime: Runtime) -> None:
    """Starts what asks the systems on nobody's behalf, and what moves groups by what it learns."""
    reconciler = reconciler_of(runtime)
    runtime.supervise(applier(runtime, reconciler).work)
    runtime.supervise(reconciler.work)
    runtime.supervise(partial(recover, lambda: runtime.current().undone(), runtime.means.audit))
    pilot = partial(autopilot_of(runtime).lead, Leader(runtime.means.folder.path / "autopilot.leader"))
    runtime.supervise(pilot)


def deliverer_of(runtime: Runtime) -> Deliverer:
    """What tells subscribers of events, if this process leads."""
    means, positions = runtime.means, Positions(runtime.means.governance.keyrings["cursor"])
    permit = partial(check, means.governance.stops, operation=None)
    return Deliverer(means.events, runtime.current, means.folder.path, positions, means.deliveries, permit)


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


async def stop(runtime: Runtime) -> None:
    """Lets what is under way end, then closes everything, whatever fails on the way; raises what failed last."""
    means = runtime.means
    async with AsyncExitStack() as closing:
        closing.callback(close_means, means)
        closing.push_async_callback(means.governance.limiter.close)
        closing.push_async_callback(means.governance.verifier.close)
        closing.push_async_callback(means.governance.cache.close)
        closing.push_async_callback(runtime.stop)
        closing.push_async_callback(means.governance.cache.flights.close)
        closing.push_async_callback(means.governance.outbox.finish, _LAST_WRITES)
        closing.push_async_callback(means.governance.operations.finish)
