"""Asking an issuer: small JSON documents over HTTP, within a time and a size, and from nowhere else than was said.

httpx, and not the client of upstream traffic: this is control traffic, some requests a minute.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from gateway.identity.compact import Refused, read_object
from gateway.routing.identity import safe_url

SECONDS = 5.0
"""How long one exchange may take, from connecting to the last byte."""
_MOST_BYTES = 256 * 1024
_MOST_CONNECTIONS = 16
_MOST_WAITING = 256


class Unavailable(Exception):
    """An issuer can't be asked now; the message is one sentence for an operator's log."""


class Fetcher:
    """One client for all issuers, made when first used: most gateways only ever see API keys.

    No redirects, no cookies, no proxy from the environment; certificates by the system's authorities.
    """

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None
        self._making = asyncio.Lock()
        self._waiting = 0

    async def get(self, url: str) -> dict[str, Any]:
        """The JSON object at `url`; raises `Unavailable`."""
        return await self._exchange("GET", url, {}, b"")

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """The JSON object that `url` answers; raises `Unavailable`."""
        return await self._exchange("POST", url, headers, body)

    async def close(self) -> None:
        """Closes its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable(f"{_MOST_WAITING} requests to issuers are under way already")
        self._waiting += 1
        try:
            safe_url(url)
            async with asyncio.timeout(SECONDS):
                client = await self._opened()
                request = client.build_request(method, url, headers=dict(headers), content=body or None)
                response = await client.send(request, stream=True)
                try:
                    return read_object(await _read(response, url))
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, Refused, ValueError, OSError) as error:
            raise Unavailable(f"{url} can't be asked: {type(error).__name__} {error}") from error
        finally:
            self._waiting -= 1

    async def _opened(self) -> httpx.AsyncClient:
        async with self._making:
            if self._client is None:
                # Reading the system's authorities takes some 20 ms.
                context = await asyncio.to_thread(ssl.create_default_context)
                self._client = httpx.AsyncClient(
                    verify=context,
                    trust_env=False,
                    follow_redirects=False,
                    timeout=SECONDS,
                    limits=httpx.Limits(max_connections=_MOST_CONNECTIONS, keepalive_expiry=4.0),
                    headers={"accept": "application/json", "accept-encoding": "gzip", "user-agent": "figway"},
                )
            return self._client


class Offline(Fetcher):
    """What asks no issuer, as nothing may go out."""

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        raise Unavailable(f"{url} isn't asked while examples answer all routes: use API keys, or tokens with --dev")


async def _read(response: httpx.Response, url: str) -> bytes:
    """The body of a 200, inflated here: httpx would make 300 MB out of 300 kB before anyone could look."""
    if response.status_code != 200:
        raise Unavailable(f"{url} answered {response.status_code}")
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise Unavailable(f"{url} answered in the coding '{coding[:40]}'")
    raw = await _bounded(response.aiter_raw(), url)
    if coding == "identity":
        return raw
    try:
        inflate = zlib.decompressobj(31)
        value = inflate.decompress(raw, _MOST_BYTES)
    except zlib.error as error:
        raise Unavailable(f"{url} answered with broken gzip") from error
    if inflate.unconsumed_tail or not inflate.eof:
        raise Unavailable(f"{url} answered with more than {_MOST_BYTES} bytes")
    return value


async def _bounded(pieces: AsyncIterator[bytes], url: str) -> bytes:
    whole = bytearray()
    async for piece in pieces:
        whole += piece
        if len(whole) > _MOST_BYTES:
            raise Unavailable(f"{url} answered with more than {_MOST_BYTES} bytes")
    return bytes(whole)
