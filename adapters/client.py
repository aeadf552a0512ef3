"""The one HTTP client for upstream traffic: a small interface, with aiohttp behind it.

It does what a gateway needs and no more: no redirects, no cookies, no retries of its own, no proxy from the
environment, bounded replies, and errors that say truthfully whether a request may have reached the upstream.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, TransferEncodingError
from yarl import URL

from adapters import bodies
from adapters.blob import Blob
from adapters.errors import BadReply, ConfigError, ConfigProblem, Invalid, Unavailable, UnknownOutcome

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

_DNS_SECONDS = 30
# Many servers close a connection that was idle for 5 s; a request sent at that moment has an unknown outcome.
_KEPT_SECONDS = 4.0
_NO_HEADERS: Mapping[str, str] = {}
_LONGEST_RETRY_AFTER = 3600.0
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One reply, whatever its status. Header names are lower-case; repeated ones are joined by ", "."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    spooled: Blob | None = None
    """The body, where the request asked for it to be spooled; `body` is empty then."""

    def retry_after(self) -> float | None:
        """`Retry-After` in seconds (RFC 9110 section 10.2.3: seconds or a date), at most an hour; None: not said."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), _LONGEST_RETRY_AFTER)
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """`connections` at most at once; `max_body` bytes of a reply, counted after decompression; `ca` (trusted
    authorities instead of the system's), `certificate` (chain) and `key` for mutual TLS are PEM texts."""

    connections: int = 8
    keep_alive: bool = True
    max_body: int = 16 * 2**20
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


class HttpClient(Protocol):
    """Sends requests to one upstream."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | bodies.Pieces | None = None,
        deadline: float,
        spool: str | None = None,
    ) -> HttpReply:
        """One request, one reply. `url` is absolute and percent-encoded already; `deadline` is on
        `time.monotonic()`'s clock. A body in pieces is streamed. A reply whose media type begins with `spool` comes
        as a `Blob`: however large, little of it is in memory.

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
    return _AiohttpClient(options, _tls(options))


class _Progress:
    """How far one request came: nothing is written before it has a connection, anything may be after."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


_progress: ContextVar[_Progress] = ContextVar("progress")


class _Connector(aiohttp.TCPConnector):
    """Notes when a request got its connection (a tenth of the cost of aiohttp's tracing)."""

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _progress.get().sent = True
        return connection


class _AiohttpClient:
    def __init__(self, options: ClientOptions, tls: ssl.SSLContext | bool) -> None:
        self._options = options
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | bodies.Pieces | None = None,
        deadline: float,
        spool: str | None = None,
    ) -> HttpReply:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise Unavailable("The deadline had passed before the upstream was called.")
        progress = _Progress()
        _progress.set(progress)
        try:
            async with asyncio.timeout(remaining):
                return await self._exchange(method, _url(url), headers, body, spool)
        except TimeoutError as error:
            if progress.sent:
                raise UnknownOutcome("The upstream didn't answer before the deadline.", detail=method) from error
            raise Unavailable("No connection to the upstream could be had before the deadline.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _told(error, progress.sent) from error
        except ValueError as error:
            raise Invalid("A header of the request can't be sent over HTTP.", detail=str(error)) from error

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | bodies.Pieces | None, spool: str | None
    ) -> HttpReply:
        session = self._session or self._opened()
        data: object = body
        if body is not None and (not isinstance(body, bytes) or len(body) > bodies.AT_ONCE):
            pieces = [body] if isinstance(body, bytes) else body
            headers = {**headers, "Content-Length": str(bodies.length(pieces))}
            data = bodies.streamed(pieces)
        async with session.request(method, url, headers=headers, data=data, allow_redirects=False) as response:
            bound = self._options.max_body
            if spool is not None and response.content_type.startswith(spool):
                names = _names(response)
                blob = await bodies.spooled(response, _encoding(names), bound)
                return HttpReply(response.status, names, b"", blob)
            raw = await bodies.whole(response, bound)
            names = _names(response)
        encoding = _encoding(names)
        if raw and encoding not in ("", "identity"):
            raw = await bodies.inflated(raw, encoding, bound)
        return HttpReply(response.status, names, raw)

    def _opened(self) -> aiohttp.ClientSession:
        options = self._options
        connector = _Connector(
            limit=options.connections,
            force_close=not options.keep_alive,
            keepalive_timeout=_KEPT_SECONDS if options.keep_alive else None,
            ssl=self._tls,
            ttl_dns_cache=_DNS_SECONDS,
            resolver=aiohttp.ThreadedResolver(),
        )
        headers = {"User-Agent": "figway", "Accept-Encoding": "gzip, deflate"}
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=_NO_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=headers if options.keep_alive else {**headers, "Connection": "close"},
        )
        # aiohttp resends GET, PUT and DELETE by itself when a kept connection breaks; that is the gateway's choice.
        session._retry_connection = False
        self._session = session
        return session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _names(response: aiohttp.ClientResponse) -> dict[str, str]:
    names: dict[str, str] = {}
    for name, value in response.headers.items():
        low = name.lower()
        names[low] = f"{names[low]}, {value}" if low in names else value
    return names


def _encoding(names: Mapping[str, str]) -> str:
    return names.get("content-encoding", "").strip().lower()


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


def _tls(options: ClientOptions) -> ssl.SSLContext | bool:
    """The context for these options, or True: aiohttp's shared default, verifying against the system's authorities."""
    if options.ca is None and options.certificate is None:
        return True
    try:
        context = ssl.create_default_context(cadata=options.ca)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError([ConfigProblem("ca holds no certificate in PEM form", "/tls/ca")]) from error
    if options.certificate is not None:
        _load_certificate(context, options.certificate, options.key or "")
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """The ssl module reads a chain only from a file: one that only we can read, gone when loaded."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        try:
            # A password callback, because without one OpenSSL asks for an encrypted key's on the terminal.
            context.load_cert_chain(file.name, password=lambda: "")
        except (ssl.SSLError, OSError, ValueError) as error:
            message = "cert and key aren't a certificate chain and its unencrypted private key in PEM form"
            raise ConfigError([ConfigProblem(message, "/tls/cert")]) from error
