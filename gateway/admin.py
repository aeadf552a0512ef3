"""What is the gateway's own over HTTP: is it alive, is it ready, and which routes may this caller use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from gateway.audit.log import AuditLog
from gateway.call import Principal
from gateway.docs import content_security_policy, page
from gateway.errors import MEDIA_TYPE, Draining, MethodNotAllowed, NoSuchRoute, Problem
from gateway.filters.authenticate import Verifier, identify
from gateway.ingress.framing import read_headers
from gateway.routing.document import visible
from gateway.runtime import Runtime


class Control:
    """What the control routes look at; nothing is attached before start-up ends and after shutdown begins."""

    def __init__(self) -> None:
        self.runtime: Runtime | None = None
        self._audit: AuditLog | None = None
        self._verifier: Verifier | None = None

    def attach(self, runtime: Runtime, audit: AuditLog, verifier: Verifier) -> None:
        """Gives the routes something to look at."""
        self.runtime, self._audit, self._verifier = runtime, audit, verifier

    def detach(self) -> None:
        """Takes it away again: the gateway isn't ready any more."""
        self.runtime = None

    def drain(self) -> None:
        """From now on the gateway says that it isn't ready; it still serves."""
        if self.runtime is not None:
            self.runtime.draining = True

    def ready(self) -> tuple[bool, str]:
        """Whether new work should come here, and why not."""
        if self.runtime is None or self.runtime.serving is None:
            return False, "starting"
        if self.runtime.draining:
            return False, "draining"
        if self._audit is None or not self._audit.healthy:
            return False, "the audit log can't be written"
        return True, "ready"

    async def principal(self, request: Request) -> Principal:
        """Who asks; raises a `Problem` when that can't be told."""
        if self._verifier is None:
            raise Draining("The gateway isn't serving.", retry_after=1)
        headers = read_headers(request.scope["headers"], request.scope["http_version"])
        return await identify(self._verifier, headers.get(b"authorization"))

    def document(self, principal: Principal) -> dict[str, Any]:
        """The OpenAPI document of what `principal` may use."""
        if self.runtime is None:
            raise Draining("The gateway isn't serving.", retry_after=1)
        serving = self.runtime.current()
        allowed = {
            route.operation_id for route in serving.compiled.routes if serving.policies.decide(principal, route).allowed
        }
        return visible(serving.compiled.document, allowed)


def control_routes(control: Control) -> APIRouter:
    """The routes of the gateway's own."""
    router = APIRouter()
    for path, answer in (
        ("/-/live", _live),
        ("/-/ready", _ready),
        ("/openapi.json", _openapi),
        ("/docs", _docs),
    ):
        router.add_api_route(path, _bound(control, answer), methods=["GET", "HEAD"])
    return router


def _bound(
    control: Control, answer: Callable[[Control, Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await answer(control, request)
        except Problem as problem:
            return _told(problem)

    return endpoint


async def no_such_place(_: Request, error: Exception) -> Response:
    """FastAPI's own 404 and 405 as problems."""
    allow = (getattr(error, "headers", None) or {}).get("Allow")
    if allow is None:
        return _told(NoSuchRoute("The gateway has nothing at this path."))
    return _told(MethodNotAllowed(f"This path takes {allow}.", headers=[(b"allow", allow.encode())]))


def _told(problem: Problem) -> Response:
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    if problem.retry_after is not None:
        headers["retry-after"] = str(round(problem.retry_after))
    return Response(problem.encode(), problem.status, headers, MEDIA_TYPE.decode())


async def _live(_: Control, __: Request) -> Response:
    return JSONResponse({"status": "live"})


async def _ready(control: Control, _: Request) -> Response:
    """Unready is a 503. An upstream that is down is told here, but doesn't make the gateway unready."""
    ready, status = control.ready()
    body: dict[str, Any] = {"status": status}
    if control.runtime is not None and control.runtime.serving is not None:
        serving = control.runtime.serving
        body["snapshot"] = serving.version
        body["upstreams"] = {name: _health(upstream.state()) for name, upstream in serving.upstreams.items()}
    return JSONResponse(body, 200 if ready else 503)


def _health(state: Mapping[str, Any]) -> str:
    """`up`, `down` or, while nothing is known, `unknown`; details are the operator's, in the log."""
    if state["breaker"] != "closed" or (state["last_error"] and not state["opened"]):
        return "down"
    return "up" if state["opened"] else "unknown"


async def _openapi(control: Control, request: Request) -> Response:
    return JSONResponse(control.document(await control.principal(request)))


async def _docs(control: Control, _: Request) -> Response:
    return HTMLResponse(page(), headers={"content-security-policy": content_security_policy()})
