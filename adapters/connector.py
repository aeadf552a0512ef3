"""aiohttp's pool of connections with what it lacks: a call's own address, and no trust in a connection that was idle.

A kept connection may have been closed by the server at this very moment, or hold bytes that nobody asked for, which
would be taken for the answer to the next request. So it is looked at before anything is written to it.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ClientRequest, ConnectionKey

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# Anything to read, also the end, is more than an idle connection may have.
_LEFT = select.POLLIN | select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)

_POLLED = "figway_polled"


class Progress:
    """How far one request came: nothing is written before it has a connection, anything may be after.

    `repeatable`: it may be sent twice; `fresh`: its connection was made for it; `only_fresh`: no kept one will do;
    `ips`: the addresses that it may go to, the chosen one first, or () where the host is an address itself; `ip`: the
    one that it went to.
    """

    __slots__ = ("fresh", "ip", "ips", "only_fresh", "repeatable", "sent")

    def __init__(self, repeatable: bool) -> None:
        self.repeatable = repeatable
        self.sent = self.fresh = self.only_fresh = False
        self.ips: Sequence[str] = ()
        self.ip = ""


progress: ContextVar[Progress] = ContextVar("progress")
"""The progress of this task's request."""


class Request(ClientRequest):
    """A request whose connection is kept under the address that it was made to, not only under its host's name."""

    @property
    def connection_key(self) -> ConnectionKey:
        key = super().connection_key
        ips = progress.get().ips
        return key._replace(host=f"{key.host}@{ips[0]}") if ips else key


class Resolver(AbstractResolver):
    """Says what was decided before: aiohttp tries the addresses in this order, the next one when one takes too long."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [_result(host, port, ip) for ip in progress.get().ips]

    async def close(self) -> None:
        """Nothing is kept open."""


def _result(host: str, port: int, ip: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    return ResolveResult(hostname=host, host=ip, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


class Connector(aiohttp.TCPConnector):
    """The pool. Notes in `progress` when a request got its connection (a tenth of the cost of aiohttp's tracing)."""

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        now = progress.get()
        now.fresh = False
        while True:
            connection = await super().connect(req, traces, timeout)
            if now.fresh or not (now.only_fresh or _left(connection, now.repeatable)):
                break
            connection.close()
        if now.ips:
            now.ip = _went_to(connection, now)
        now.sent = True
        return connection

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        made = await super()._create_connection(req, traces, timeout)
        progress.get().fresh = True
        if made.transport is not None:
            # Registered once: asking is then one system call and nothing else.
            polled = select.poll()
            polled.register(made.transport.get_extra_info("socket").fileno(), _LEFT)
            setattr(made, _POLLED, polled.poll)
        return made


def _left(connection: Connection, repeatable: bool) -> bool:
    """Whether a kept connection can't be used: its peer has closed it, or has said something unasked. What the loop
    hasn't noticed yet is asked of the system where a broken connection would cost more than a second attempt."""
    protocol = connection.protocol
    if protocol is None or protocol.should_close:
        return True
    return not repeatable and bool(getattr(protocol, _POLLED)(0))


def _went_to(connection: Connection, now: Progress) -> str:
    """The address at the other end. Where it isn't the chosen one, whose name it would be kept under, it isn't kept."""
    if not now.fresh:
        return now.ips[0]
    protocol = connection.protocol
    peer = protocol.transport.get_extra_info("peername") if protocol is not None and protocol.transport else None
    ip = str(peer[0]) if peer else now.ips[0]
    if ip != now.ips[0] and protocol is not None:
        protocol.force_close()
    return ip
