"""The other door to the routes: MCP over stateless Streamable HTTP, at `/mcp`.

https://modelcontextprotocol.io/specification/2026-07-28/basic/transports, and revision 2025-11-25. A tool's call is
made the request that it stands for, which goes through the same handler as one that came by REST. A list of tools and
a tool's call in the words of those revisions are answered here; all else by the official SDK, behind `rest`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.audit.file import AuditError
from gateway.audit.log import AuditLog
from gateway.audit.record import record_of
from gateway.call import Reply
from gateway.errors import AuditUnavailable, Forbidden, InternalError, MethodNotAllowed, NoSuchRoute, Problem
from gateway.filters.authenticate import Verifier, identify
from gateway.ingress.body import BodyReader, Receive
from gateway.ingress.exchange import EXCHANGE, TASK
from gateway.ingress.framing import read_headers
from gateway.ingress.http import CALL_ID, NOTED, HttpIngress, Scope, blank
from gateway.ingress.mcp_calls import Request, failed, replayed, request_of, result_of
from gateway.ingress.mcp_cancel import SESSION, Cancelling, method_of
from gateway.ingress.mcp_messages import (
    NO_TOOL,
    Asked,
    BadCursor,
    answer_to,
    asked_of,
    check_media,
    page_of,
    refusal_of,
)
from gateway.ingress.mcp_oauth import challenged, missing_scope, refuse_pages
from gateway.ingress.mcp_progress import Progress, leaving, token_of
from gateway.ingress.mcp_search import NAMES, Searching, UnknownTool
from gateway.ingress.mcp_tools import Tool, Tools, tools_of
from gateway.ingress.mcp_visit import VISIT, Rest, Serving, Visit
from gateway.ingress.response import Response, Send
from gateway.ingress.streaming import sent
from gateway.routing.model import Compiled
from gateway.telemetry import continue_trace

logger = logging.getLogger("figway")

PATH = "/mcp"
_PATIENCE = 30.0
"""Seconds in which a message has to arrive."""
_AROUND = 64 * 1024
"""Bytes that a message may have beside its arguments."""
_DENIED = (401, 403)


class McpIngress:
    """An ASGI application for `/mcp`."""

    def __init__(
        self, ingress: HttpIngress, current: Callable[[], Serving], audit: AuditLog, verifier: Verifier
    ) -> None:
        self._ingress, self._current, self._audit, self._verifier = ingress, current, audit, verifier
        self._tools: tuple[Compiled, Tools] | None = None
        self._making = asyncio.Lock()
        self._cancelling = Cancelling()
        self._searching = Searching(self.call, self.permitted)
        self.rest: Rest | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What stays in the scope would be a circle of references, which only the collector could undo.
        exchange, _ = scope.pop(EXCHANGE, None), scope.pop(TASK, None)
        serving, started = self._current(), time.monotonic()
        call = blank(scope, serving, started)
        call.route, call.effect = PATH, "read"
        visit = Visit(serving, call, scope, started, receive)
        visit.hold()
        try:
            response = await self._response(visit, send)
        except Problem as problem:
            response = Response(call, self._challenged(visit, problem))
        except Exception:  # broad: every call gets an answer, where none has begun
            if visit.begun:
                raise
            logger.exception("call %s of %s failed", call.id, PATH)
            response = Response(call, InternalError("The gateway failed; the operator can find the call by its id."))
        finally:
            visit.let_go()
        if response is not None:
            if not visit.reached:
                response = await self._recorded(visit, response)
            sending = sent(response, exchange, send)
            if sending is not None:
                await sending

    async def _response(self, visit: Visit, send: Send) -> Response | None:
        """The response; None: it has been given. Raises a `Problem`."""
        raw = await self._admitted(visit)
        whole = self.rest is not None and self.rest.whole
        asked = None if whole else asked_of(raw, visit.call.raw_headers)
        if asked is not None:
            token = token_of(asked)
            with self._cancelling.known(visit, asked):
                answering = self._answered(visit, asked)
                return await (answering if token is None else Progress(visit, token, send).told(answering))
        assert self.rest is not None
        method, params = method_of(raw)
        if method == "notifications/cancelled":
            self._cancelling.cancel(visit, params)
        visit.opens = method == "initialize" and not whole
        visit.receive = replayed(raw, visit.receive)
        # RFC 9110 section 5.5: blanks around a value aren't part of it.
        headers = [(name, value.strip(b" \t")) for name, value in visit.scope["headers"]]
        await self.rest({**visit.scope, "headers": headers, VISIT: visit}, visit.receive, self._recording(visit, send))
        return None

    async def _admitted(self, visit: Visit) -> bytes:
        """The message, once it is known who asks; raises a `Problem`."""
        call, scope = visit.call, visit.scope
        call.raw_headers = headers = read_headers(scope["headers"], scope["http_version"])
        call.traceparent = continue_trace(headers.get(b"traceparent"))
        refuse_pages(headers)
        call.principal = await identify(self._verifier, call.peer, headers)
        if self._audit.refuses_reads:
            raise AuditUnavailable("Calls are refused while the audit log can't be written.", retry_after=5)
        if call.method == "POST":
            check_media(headers)
            call.deadline += _PATIENCE
            return await BodyReader(call, visit.serving.compiled.defaults.max_body + _AROUND, visit.receive).read()
        if self.rest is None or not self.rest.whole:
            raise MethodNotAllowed("Messages are sent here by POST.", headers=[(b"allow", b"POST")])
        return b""

    async def _answered(self, visit: Visit, asked: Asked) -> Response:
        try:
            if asked.method == "tools/list":
                result = await self.list(visit, asked.params.get("cursor"))
            else:
                result = await self.call(visit, asked.params["name"], asked.params.get("arguments", {}))
        except (UnknownTool, BadCursor) as error:
            body, status = refusal_of(asked, str(error)), 400 if asked.modern else 200
        else:
            body, status = answer_to(asked, result), 200
        if visit.stepped is not None:
            raise visit.stepped
        return Response(visit.call, Reply(status, encoded=body))

    # ── tools ────────────────────────────────────────────────────────────────────────────────────────────────

    async def list(self, visit: Visit, cursor: str | None) -> dict[str, Any]:
        """A page of the tools that the caller is shown, as `tools/list` answers it; raises `BadCursor`."""
        visit.call.noted["mcp"] = "tools/list"
        return page_of(await self.listed(visit), cursor)

    async def listed(self, visit: Visit) -> Sequence[dict[str, Any]]:
        """All tools that the caller is shown."""
        return await self._searching.listed(visit, await self.tools(visit.serving))

    async def call(self, visit: Visit, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What a tool's call comes to, a failure included; raises `UnknownTool`."""
        visit.call.noted["mcp"] = "tools/call"
        tools = await self.tools(visit.serving)
        if name in NAMES:
            return await self._searching.answer(visit, tools, name, arguments)
        tool = self.permitted(visit, tools, name)
        try:
            tool.check(arguments)
            request = request_of(tool, arguments)
        except Problem as problem:
            visit.call.operation, visit.refused = name, problem
            return failed(problem.document(f"urn:figway:call:{visit.call.id}"))
        visit.lasts = tool.route.deadline or visit.serving.compiled.defaults.deadline
        visit.leaving = leaving(tool, arguments, visit.call.id)
        return result_of(tool, await self.made(visit, tool, request))

    async def tools(self, serving: Serving) -> Tools:
        """The tools of a snapshot, made when they are first asked for."""
        if self._tools is not None and self._tools[0] is serving.compiled:
            return self._tools[1]
        async with self._making:  # once, however many ask
            if self._tools is None or self._tools[0] is not serving.compiled:
                self._tools = serving.compiled, await asyncio.to_thread(tools_of, serving.compiled)
            return self._tools[1]

    def permitted(self, visit: Visit, tools: Tools, name: str) -> Tool:
        """The tool of this name that the caller may use; raises `UnknownTool`."""
        tool = tools.by_name.get(name)
        if tool is None:
            visit.refused = NoSuchRoute("There is no such tool.")
            raise UnknownTool(NO_TOOL)
        if name not in visit.serving.policies.listed(visit.principal, tool.needed):
            self._refuse(visit, tool)
            raise UnknownTool(NO_TOOL)
        return tool

    def _refuse(self, visit: Visit, tool: Tool) -> None:
        """Notes why a caller has no such tool."""
        call, policies, route = visit.call, visit.serving.policies, tool.route
        call.operation, call.effect, call.decision = route.operation_id, route.effect.value, "deny"
        call.policies = policies.decide(visit.principal, route).policies
        visit.stepped = missing_scope(visit.principal, route, policies, visit.serving.compiled.identity)
        visit.refused = visit.stepped or Forbidden("No policy lets the caller use this tool.")

    async def made(self, visit: Visit, tool: Tool, request: Request, what: str = "tools/call") -> Response:
        """The response to the request that a tool's call, or `what` the record is to say, stands for, recorded."""
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": tool.route.method,
            "path": request.path.decode(),
            "raw_path": request.path,
            "query_string": request.query,
            "headers": [*visit.kept(), *request.headers],
            "client": visit.scope.get("client"),
            NOTED: {"mcp": what},
            CALL_ID: None if visit.reached else visit.call.id,
        }
        visit.reached = True
        receive = replayed(request.body, visit.receive)
        response = await self._ingress.answer(visit.serving, scope, receive, (_nowhere, None))
        assert response is not None  # JSON isn't told piece by piece
        return response

    # ── records ──────────────────────────────────────────────────────────────────────────────────────────────

    def _recording(self, visit: Visit, send: Send) -> Send:
        """Passes on what the SDK answers, once it is recorded."""
        replaced = False

        async def passed(message: Any) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                visit.begun = True
                response = Response(visit.call, Reply(message["status"]))
                told = (
                    response if visit.stepped is None else Response(visit.call, self._challenged(visit, visit.stepped))
                )
                told = told if visit.reached else await self._recorded(visit, told)
                replaced = told is not response
                if visit.opens:
                    message["headers"] = [*message["headers"], (SESSION, visit.call.id.encode())]
                if replaced and (sending := told.send(None, send)) is not None:
                    await sending
            if not replaced:
                await send(message)

        return passed

    async def _recorded(self, visit: Visit, response: Response) -> Response:
        """The response to send, once the request is recorded: no record, no reply."""
        call, refused = visit.call, visit.refused
        seconds = time.monotonic() - visit.started
        status = response.status if refused is None else refused.status
        record = record_of(
            call,
            time=time.time() - seconds,
            seconds=seconds,
            status=status,
            route=call.route,
            effect=call.effect,
            problem=response.problem if refused is None else refused.slug,
            request_bytes=call.request_bytes,
            reply_bytes=len(response.body),
        )
        visit.reached = True
        try:
            if status in _DENIED or self._audit.crowded:
                await self._audit.append_durable(record)
            else:
                self._audit.append(record)
        except AuditError:
            refusal = AuditUnavailable("The call can't be recorded, so it isn't answered.", retry_after=5)
            return Response(call, refusal)
        return response

    def _challenged(self, visit: Visit, problem: Problem) -> Problem:
        headers, scheme = dict(visit.scope["headers"]), visit.scope.get("scheme", "http")
        return challenged(problem, visit.serving.compiled.identity, scheme, headers)


async def _nowhere(_: Any) -> None:
    raise AssertionError("a tool's response is sent by its door")
