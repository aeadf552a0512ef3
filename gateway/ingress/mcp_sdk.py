"""What the official SDK answers of MCP: its handshakes, other revisions, and every message that isn't as it should be.

Importing it takes a fifth of a start, so that's done when the first such message comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway import __version__
from gateway.errors import Overloaded
from gateway.ingress.body import Receive
from gateway.ingress.http import Scope
from gateway.ingress.mcp import VISIT, McpIngress, UnknownTool, Visit
from gateway.ingress.mcp_messages import INVALID_PARAMS, LASTS, SERVER, BadCursor
from gateway.ingress.response import Send

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

_MOST_BYTES = 2**30
"""The door itself holds messages to the workspace's bound."""
_UNTIL_READY = 30.0


class Sdk:
    """An ASGI application; `run` has to run beside it."""

    whole = False

    def __init__(self, door: McpIngress) -> None:
        self._door = door
        self._wanted, self._ready = asyncio.Event(), asyncio.Event()
        self._manager: StreamableHTTPSessionManager | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._wanted.set()
        try:
            async with asyncio.timeout(_UNTIL_READY):
                await self._ready.wait()
        except TimeoutError as error:
            raise Overloaded("The gateway isn't ready for this message.", retry_after=1) from error
        assert self._manager is not None
        await self._manager.asgi_app(scope, receive, send)

    async def run(self) -> None:
        """Serves, once the first message has come, until it is cancelled."""
        await self._wanted.wait()
        await asyncio.to_thread(_imported)
        self._manager = self.manager(_server(self._door))
        try:
            async with self._manager.run():
                self._ready.set()
                await asyncio.Event().wait()
        finally:
            self._ready.clear()

    def manager(self, server: Server[Any]) -> StreamableHTTPSessionManager:
        """What serves a server of the SDK by HTTP."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        return StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=_MOST_BYTES
        )


def _imported() -> None:
    import mcp.server.lowlevel
    import mcp.server.streamable_http_manager  # noqa: F401


def _server(door: McpIngress) -> Server[Any]:
    from mcp.server.lowlevel import Server
    from mcp.shared.exceptions import MCPError

    async def list_tools(context: Any, params: Any) -> Any:
        try:
            page = await door.list(_visit(context), None if params is None else params.cursor)
        except BadCursor as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error)) from error
        return {**page, "ttlMs": LASTS, "cacheScope": "private"}

    async def call_tool(context: Any, params: Any) -> Any:
        # A write goes on whatever becomes of the SDK's task.
        calling = asyncio.ensure_future(door.call(_visit(context), params.name, params.arguments or {}))
        try:
            return await asyncio.shield(calling)
        except UnknownTool as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error)) from error

    server: Server[Any] = Server(
        SERVER["name"],
        version=__version__,
        get_tool_input_schema=lambda _: None,  # no tool has an argument that is also a header field
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    # Spans are the gateway's own (`gateway.telemetry`), whatever else the process has set up.
    server.middleware.clear()
    return server


def _visit(context: Any) -> Visit:
    visit: Visit = context.request.scope[VISIT]
    return visit
