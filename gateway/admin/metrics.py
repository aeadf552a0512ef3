"""`/-/metrics`: what all workers of this host measured, for a scraper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fastapi import Request, Response

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.errors import Overloaded
from gateway.runtime import Runtime
from gateway.store.contract import StoreError
from gateway.telemetry import families
from gateway.telemetry.exposition import OPENMETRICS, TEXT
from gateway.telemetry.meters import Meters


class Audit(Protocol):
    """The audit log, as its gauges see it."""

    @property
    def healthy(self) -> bool: ...

    @property
    def queued(self) -> int: ...


async def _metrics(control: Control, request: Request) -> Response:
    means = control.means()
    means.telemetry.beat()
    openmetrics = "application/openmetrics-text" in request.headers.get("accept", "")
    try:
        page = await means.offload(means.telemetry.page, openmetrics=openmetrics)
    except StoreError as error:
        raise Overloaded("The metrics can't be read now.", retry_after=1, note=str(error)) from error
    return Response(page, headers={"content-type": OPENMETRICS if openmetrics else TEXT})


PLACES = (Place("/-/metrics", _metrics, permission="gateway:read_metrics"),)


def kinds(runtime: Runtime) -> Callable[[str], str]:
    """A function from an upstream's name to its kind; empty: there is none of that name now."""

    def kind(name: str) -> str:
        serving = runtime.serving
        spec = serving.compiled.upstreams.get(name) if serving is not None else None
        return spec.kind if spec is not None else ""

    return kind


def all_of(gauges: Sequence[Callable[[Meters], None]]) -> Callable[[Meters], None]:
    """Sets them all."""

    def put(meters: Meters) -> None:
        for each in gauges:
            each(meters)

    return put


class Gauges:
    """Sets what is so at the moment: of the snapshot, the audit, and each upstream."""

    def __init__(self, runtime: Runtime, audit: Audit) -> None:
        self._runtime, self._audit = runtime, audit
        self._counted: dict[str, tuple[object, Mapping[str, Any]]] = {}

    def __call__(self, meters: Meters) -> None:
        meters.put(families.WORKERS, 1)
        meters.put(families.AUDIT_QUEUED, self._audit.queued)
        meters.put(families.AUDIT_UNWRITABLE, not self._audit.healthy)
        serving = self._runtime.serving
        if serving is None:
            return
        meters.put(families.SNAPSHOT, serving.version)
        meters.put(families.OLDEST_SNAPSHOT, serving.version)
        meters.put(families.ACTIVE, serving.calls)
        for name in self._counted.keys() - serving.upstreams.keys():
            del self._counted[name]
            self._state(meters, name, {"breaker": "closed", "in_flight": 0, "queued": 0})
        for name, upstream in serving.upstreams.items():
            state = upstream.state()
            self._state(meters, name, state)
            self._count(meters, name, upstream, state)

    def _state(self, meters: Meters, name: str, state: Mapping[str, Any]) -> None:
        label = meters.label_of(name)
        meters.put(families.BREAKER, state["breaker"] != "closed", label)
        meters.put(families.IN_FLIGHT, state["in_flight"], label)
        meters.put(families.QUEUED, state["queued"], label)

    def _count(self, meters: Meters, name: str, upstream: object, state: Mapping[str, Any]) -> None:
        """Adds what was counted since the last look; an upstream that is made anew begins at nought."""
        known, before = self._counted.get(name, (None, {}))
        if known is not upstream:
            before = {}
        for family, what in ((families.RETRIES, "retries"), (families.REJECTED, "rejected")):
            meters.add(family, state[what] - before.get(what, 0), meters.label_of(name))
        self._counted[name] = (upstream, state)
