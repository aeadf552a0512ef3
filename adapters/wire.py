"""One request and its reply over aiohttp: what is sent, what comes back, and the pool between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import aiohttp
from yarl import URL

from adapters import bodies
from adapters.blob import Blob
from adapters.certificates import Certificates
from adapters.connector import Connector, Request, Resolver

# Many servers close a connection that was idle for 5 s: ours are given up before.
_KEPT_SECONDS = 4.0
_LONGEST_RETRY_AFTER = 3600.0
_UNNAMED = "application/octet-stream"
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One reply, whatever its status. Header names are lower-case; repeated ones are joined by ", "."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    spooled: Blob | None = None
    """The body, where the request asked for it to be spooled; `body` is empty then."""
    again: bool = False
    """Whether the request was sent twice: the first time its connection broke, and it may have been read."""

    def retry_after(self) -> float | None:
        """`Retry-After` in seconds (RFC 9110 section 10.2.3: seconds or a date), at most an hour; None: not said."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), _LONGEST_RETRY_AFTER)
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


class Call(NamedTuple):
    """What is sent, wherever it goes."""

    method: str
    headers: Mapping[str, str]
    body: bytes | bodies.Pieces | None
    spool: str | None
    deadline: float


class Wire:
    """The connections of one client: `connections` at most, kept between calls or not; `max_body` bytes of a reply."""

    def __init__(self, connections: int, keep_alive: bool, max_body: int, certificates: Certificates) -> None:
        self._connections, self._keep_alive, self._max_body = connections, keep_alive, max_body
        self._certificates = certificates
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, call: Call, url: URL, connect: float | None = None) -> HttpReply:
        """One request, sent once. `connect`: how many seconds a new connection may take. Raises what aiohttp raises,
        and `BadReply`."""
        session = self._session or self._opened()
        headers, body = call.headers, call.body
        data: object = body
        if body is not None and (not isinstance(body, bytes) or len(body) > bodies.AT_ONCE):
            pieces = [body] if isinstance(body, bytes) else body
            headers = {**headers, "Content-Length": str(bodies.length(pieces))}
            data = bodies.streamed(pieces)
        tls, timeout = self._certificates.context(), _NO_TIMEOUT
        if connect is not None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        async with session.request(
            call.method, url, headers=headers, data=data, allow_redirects=False, ssl=tls, timeout=timeout
        ) as response:
            bound = self._max_body
            names = _names(response)
            # Read by ourselves: aiohttp's own reading raises on some parameters.
            media = names.get("content-type", _UNNAMED).partition(";")[0].strip().lower()
            if call.spool is not None and media.startswith(call.spool):
                blob = await bodies.spooled(response, _encoding(names), bound, media)
                return HttpReply(response.status, names, b"", blob)
            raw = await bodies.whole(response, bound)
        encoding = _encoding(names)
        if raw and encoding not in ("", "identity"):
            raw = await bodies.inflated(raw, encoding, bound)
        return HttpReply(response.status, names, raw)

    def _opened(self) -> aiohttp.ClientSession:
        connector = Connector(
            limit=self._connections,
            force_close=not self._keep_alive,
            keepalive_timeout=_KEPT_SECONDS if self._keep_alive else None,
            use_dns_cache=False,
            resolver=Resolver(),
        )
        headers = {"User-Agent": "figway", "Accept-Encoding": "gzip, deflate"}
        session = aiohttp.ClientSession(
            connector=connector,
            request_class=Request,
            timeout=_NO_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=headers if self._keep_alive else {**headers, "Connection": "close"},
        )
        # aiohttp resends GET, PUT and DELETE by itself when any connection breaks; here the caller says what may be.
        session._retry_connection = False
        self._session = session
        return session

    async def close(self) -> None:
        """Closes all connections; a later exchange opens new ones."""
        session, self._session = self._session, None
        await self._certificates.close()
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
