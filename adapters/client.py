"""The one HTTP client for upstream traffic: a small interface, with aiohttp behind it.

It does what a gateway needs and no more: no redirects, no cookies, no proxy from the environment, bounded replies, and
errors that say truthfully whether a request may have reached the upstream. It sends again only what may be sent twice,
once, when a kept connection turns out to be closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, TransferEncodingError
from yarl import URL

from adapters import bodies
from adapters.balance import Address, Balance
from adapters.certificates import Certificates
from adapters.connector import Progress, progress
from adapters.errors import AdapterError, BadReply, Invalid, Unavailable, UnknownOutcome
from adapters.names import Names
from adapters.tls import Texts
from adapters.wire import Call, Wire
from adapters.wire import HttpReply as HttpReply

_NO_HEADERS: Mapping[str, str] = {}
# How long one of several URLs may take to be connected to, before the next one is called.
_CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """`connections` at most at once; `max_body` bytes of a reply, counted after decompression; `ca` (trusted
    authorities instead of the system's), `certificate` (chain) and `key` for mutual TLS are PEM texts, and `paths` the
    files that they are read from again when those change."""

    connections: int = 8
    keep_alive: bool = True
    max_body: int = 16 * 2**20
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    paths: tuple[str | None, str | None, str | None] = (None, None, None)


class HttpClient(Protocol):
    """Sends requests to one upstream."""

    async def send(
        self,
        method: str,
        url: str | tuple[str, ...],
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | bodies.Pieces | None = None,
        deadline: float,
        spool: str | None = None,
        repeatable: bool = False,
    ) -> HttpReply:
        """One request, one reply. `url` is absolute and percent-encoded already; of several any one will do, and the
        least busy one that is well is called. `deadline` is on `time.monotonic()`'s clock. A body in pieces is
        streamed. A reply whose media type begins with `spool` comes as a `Blob`: however large, little of it is in
        memory. What is `repeatable` is sent again when a kept connection breaks before its answer begins.

        Raises `Unavailable` (refused, DNS, TLS, no free connection: nothing was sent), `UnknownOutcome` (sent,
        then the deadline or a reset), `BadReply` (body over the bound, malformed HTTP) and `Invalid` (a header
        or URL that can't be sent).
        """
        ...

    async def close(self) -> None:
        """Closes all connections; a later `send` opens new ones."""
        ...


def http_client(options: ClientOptions) -> HttpClient:
    """A client with a pool of its own. Reads no network; raises `ConfigError` when a PEM text is wrong."""
    return _AiohttpClient(options, Certificates(Texts(options.ca, options.certificate, options.key, options.paths)))


class _AiohttpClient:
    def __init__(self, options: ClientOptions, certificates: Certificates) -> None:
        self._wire = Wire(options.connections, options.keep_alive, options.max_body, certificates)
        self._names = Names()
        self._balance = Balance()

    async def send(
        self,
        method: str,
        url: str | tuple[str, ...],
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | bodies.Pieces | None = None,
        deadline: float,
        spool: str | None = None,
        repeatable: bool = False,
    ) -> HttpReply:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise Unavailable("The deadline had passed before the upstream was called.")
        now = Progress(repeatable)
        progress.set(now)
        call = Call(method, headers, body, spool, deadline)
        try:
            async with asyncio.timeout(remaining):
                if not isinstance(url, str):
                    return await self._to_any(call, now, [_url(each) for each in url])
                target = _url(url)
                host = target.raw_host or ""
                ips = self._names.now(host) or await self._names.of(host)
                if len(ips) > 1:
                    return await self._to_any(call, now, [target])
                if ips[0] != host:
                    now.ips = ips
                return await self._attempted(call, now, target)
        except TimeoutError as error:
            if now.sent:
                raise UnknownOutcome("The upstream didn't answer before the deadline.", detail=method) from error
            raise Unavailable("No connection to the upstream could be had before the deadline.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _told(error, now.sent) from error
        except ValueError as error:
            raise Invalid("A header of the request can't be sent over HTTP.", detail=str(error)) from error

    async def _to_any(self, call: Call, now: Progress, urls: list[URL]) -> HttpReply:
        """To the best of several addresses; to the next URL when one can't be reached."""
        while True:
            address, others = await self._chosen(urls)
            url = urls[address.url]
            now.ips = (address.ip, *others) if address.ip != url.raw_host else ()
            now.sent, now.ip = False, address.ip
            state = self._balance.begun(address)
            try:
                # The last one may take all of the time that is left.
                reply = await self._attempted(call, now, url, _CONNECT_SECONDS if len(urls) > 1 else None)
            except (aiohttp.ClientError, OSError, asyncio.CancelledError) as error:
                self._broke(call, now, address, error)
                urls = [each for each in urls if each is not url]
                if now.sent or not urls or isinstance(error, asyncio.CancelledError):
                    raise
            except AdapterError:
                self._balance.failed(address)
                raise
            else:
                if now.ip != address.ip:
                    self._balance.failed(address, unreachable=True)
                self._balance.answered(address._replace(ip=now.ip), reply.status)
                return reply
            finally:
                state.in_flight -= 1

    def _broke(self, call: Call, now: Progress, address: Address, error: BaseException) -> None:
        """A caller who leaves says nothing of an address; the deadline, which cancels as well, does."""
        cancelled = isinstance(error, asyncio.CancelledError)
        if not cancelled or time.monotonic() >= call.deadline:
            self._balance.failed(address._replace(ip=now.ip), unreachable=not now.sent)

    async def _chosen(self, urls: list[URL]) -> tuple[Address, list[str]]:
        """The address to call, and the others of its host, best first. A name that can't be resolved is passed over
        while another one can."""
        addresses: list[Address] = []
        failure: AdapterError | None = None
        for place, url in enumerate(urls):
            host, port = url.raw_host or "", url.port or 0
            try:
                ips = self._names.now(host) or await self._names.of(host)
            except Unavailable as error:
                failure = error
                continue
            addresses += (Address(place, host, port, ip) for ip in ips)
        if failure is not None and not addresses:
            raise failure
        best, *others = self._balance.ranked(addresses)
        return best, [each.ip for each in others if each.url == best.url]

    async def _attempted(self, call: Call, now: Progress, url: URL, connect: float | None = None) -> HttpReply:
        """One request; a second one when a kept connection broke, and a second one does no harm."""
        try:
            return await self._wire.exchange(call, url, connect)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not (now.repeatable and now.sent) or now.fresh:
                raise
        now.only_fresh = True
        reply = await self._wire.exchange(call, url, connect)
        return HttpReply(reply.status, reply.headers, reply.body, reply.spooled, True)

    async def close(self) -> None:
        await self._wire.close()


def _url(text: str) -> URL:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Invalid("The address of the request isn't percent-encoded.")
    return URL(text, encoded=True)


def _told(error: Exception, sent: bool) -> Unavailable | UnknownOutcome | BadReply:
    detail = f"{type(error).__name__}: {error}"
    if not sent:
        return Unavailable("The upstream can't be reached.", detail=detail)
    cause = error.__cause__
    # These two say that the body ended too early; every other one, that it isn't HTTP.
    short = isinstance(cause, (ContentLengthError, TransferEncodingError))
    malformed = isinstance(cause, HttpProcessingError) and not short
    if isinstance(error, aiohttp.ClientResponseError) or malformed:
        return BadReply("The upstream's reply isn't HTTP.", detail=detail)
    return UnknownOutcome("The upstream broke the connection before its answer was complete.", detail=detail)
