"""One request to `/mcp`, as those who answer it share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.call import Call, Principal
from gateway.errors import Problem
from gateway.ingress.body import Receive
from gateway.ingress.http import Scope
from gateway.ingress.http import Serving as Served
from gateway.ingress.response import Send
from gateway.policy.decide import Policies
from gateway.routing.model import Compiled

VISIT = "figway.mcp"
"""The scope's key of the `Visit`."""
# What a request that is made for a visit keeps of the message's header fields, beside a trusted proxy's.
_KEPT = (b"host", b"authorization", b"traceparent")


class Serving(Served, Protocol):
    """What is served now, as tools need it."""

    compiled: Compiled
    policies: Policies

    @property
    def upstreams(self) -> Mapping[str, Any]: ...


@dataclass(slots=True)
class Visit:
    """One request to `/mcp`. `call` is what its own record says, unless it `reached` a route, which writes one."""

    serving: Serving
    call: Call
    scope: Scope
    started: float
    receive: Receive
    reached: bool = False
    begun: bool = False
    """Somebody else has begun to answer: the SDK, or a stream of progress."""
    opens: bool = False
    """It is a client's first, which is given a session id."""
    lasts: float = 0.0
    """Seconds that the call of a tool may take."""
    leaving: str = ""
    """What becomes of the call when its caller stops waiting."""
    refused: Problem | None = None
    """Why no tool was called, as the record says it."""
    stepped: Problem | None = None
    """What the request is answered with in place of what was made of it: how to get a token that reaches the tool."""

    held: Serving | None = None
    """The snapshot among whose calls this one is counted."""

    def hold(self) -> None:
        """Counts it among the calls of its snapshot, which closes no upstream meanwhile."""
        self.held = self.serving
        self.held.calls += 1

    def let_go(self) -> None:
        """Counts it no more: it has ended, or lasts for good without asking any system."""
        if self.held is not None:
            self.held.calls -= 1
            self.held = None

    @property
    def principal(self) -> Principal:
        """Who asks."""
        assert self.call.principal is not None
        return self.call.principal

    def kept(self) -> list[tuple[bytes, bytes]]:
        """The header fields that say who asks, for a request that is made in this one's place."""
        headers, proxy = self.call.raw_headers, self.serving.compiled.identity.proxy
        kept = _KEPT if proxy is None else (*_KEPT, proxy.header.lower().encode())
        return [(name, headers[name]) for name in kept if name in headers]


class Rest(Protocol):
    """What answers the messages that aren't answered here: an ASGI application, whose scope has a `Visit`."""

    whole: bool
    """It is given every message, and every method of HTTP."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...
