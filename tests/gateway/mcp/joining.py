"""The gateway's own answers, and beside them what the conformance suite wants to be served."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
# The gateway tells progress itself, and not behind the SDK.
THEIRS = {"test_tool_with_progress"}


def join(own: Server[Any], more: Server[Any]) -> None:
    """Has `more` answer what `own` does, and itself only what that one doesn't have."""
    for method, key in LISTS.items():
        _replace(more, method, _both(_handler(own, method), _handler(more, method), key))
    for method in ("tools/call", "resources/read"):
        _replace(more, method, _first(_handler(own, method), _handler(more, method)))


def _handler(server: Server[Any], method: str) -> Any:
    entry = server.get_request_handler(method)
    assert entry is not None
    return entry.handler


def _replace(server: Server[Any], method: str, handler: Any) -> None:
    entry = server.get_request_handler(method)
    assert entry is not None
    server.add_request_handler(method, entry.params_type, handler)


def _both(own: Any, more: Any, key: str) -> Any:
    async def listed(context: Any, params: Any) -> Any:
        page = await own(context, params)
        if "nextCursor" in page:
            return page
        rest = (await more(context, None)).model_dump(mode="json", by_alias=True, exclude_none=True)
        names = {each["name"] for each in page[key]}
        return {**page, key: [*page[key], *(each for each in rest[key] if each["name"] not in names)]}

    return listed


def _first(own: Any, more: Any) -> Any:
    async def answered(context: Any, params: Any) -> Any:
        if getattr(params, "name", None) not in THEIRS:
            try:
                return await own(context, params)
            except MCPError as error:
                if not error.message.startswith("Unknown "):
                    raise
        return await more(context, params)

    return answered
