"""Streams that a caller opens to learn what it should read anew, as the official SDK carries them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gateway.errors import Problem
from gateway.ingress.mcp_messages import INVALID_PARAMS
from gateway.ingress.mcp_visit import VISIT, Visit

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

TOOLS, RESOURCES = "tools", "resources"
"""What a stream says of a list that is another now; all else is the URI of a resource."""
_MOST = 256
"""Resources that one stream may follow."""
_ID = "io.modelcontextprotocol/subscriptionId"


class Wanted(NamedTuple):
    """What a caller wants to be told of, or is."""

    tools: bool
    resources: bool
    uris: list[str]


class Streams(Protocol):
    """What opens streams (`gateway.following.listening.Listening`)."""

    def stream(self, visit: Visit, wanted: Wanted) -> AsyncIterator[Wanted | str]: ...


def offer_streams(server: Server[Any], streams: Streams) -> None:
    """Has a server take `subscriptions/listen`."""
    from mcp import types
    from mcp.shared import subscriptions
    from mcp.shared.exceptions import MCPError

    lists: dict[str, Any] = {TOOLS: subscriptions.ToolsListChanged(), RESOURCES: subscriptions.ResourcesListChanged()}

    def notification(told: Wanted | str, meta: dict[str, Any]) -> Any:
        if isinstance(told, str):
            return subscriptions.event_to_notification(lists.get(told) or subscriptions.ResourceUpdated(told), meta)
        honoured = types.SubscriptionFilter(
            tools_list_changed=told.tools or None,
            resources_list_changed=told.resources or None,
            resource_subscriptions=told.uris or None,
        )
        params = types.SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=meta)
        return types.SubscriptionsAcknowledgedNotification(params=params)

    async def listen(context: Any, params: Any) -> Any:
        visit: Visit = context.request.scope[VISIT]
        visit.call.noted["mcp"] = "subscriptions/listen"
        asked, meta = params.notifications, {_ID: context.request_id}
        uris = asked.resource_subscriptions or []
        if len(uris) > _MOST:
            raise MCPError(code=INVALID_PARAMS, message=f"One stream follows at most {_MOST} resources.")
        wanted = Wanted(bool(asked.tools_list_changed), bool(asked.resources_list_changed), uris)
        try:
            async with aclosing(streams.stream(visit, wanted)) as told:  # type: ignore[type-var]
                async for each in told:
                    note = notification(each, meta)
                    await context.session.send_notification(note, related_request_id=context.request_id)
        except Problem as problem:
            visit.refused = problem
            data = {"problem": problem.document(f"urn:figway:call:{visit.call.id}")}
            raise MCPError(code=types.INTERNAL_ERROR, message=str(problem.detail), data=data) from problem
        return {"resultType": "complete", "_meta": meta}

    server.add_request_handler("subscriptions/listen", types.SubscriptionsListenRequestParams, listen)
