"""The token endpoint: one request, one token, or the error that says whose fault it is.

Authlib spells the requests; they go through httpx, because Authlib's own client has no bound on what it reads. Traffic
to an authorization server is rare: it follows no redirect, keeps no cookie and is bounded in time, size and number.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote_plus

import httpx
import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from adapters.errors import AdapterError, NotMapped, Refused, Unavailable
from adapters.oauth.config import OAuth

SECONDS = 10.0
"""What one request may take; who waits for it waits no longer than its own deadline."""
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name, not a token
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_MOST = 64 * 1024
"""Bytes of an answer."""
_UNSAID = 60.0
"""Seconds that a token counts as good when the server doesn't say (RFC 6749 section 5.1)."""
_LONGEST = 86_400.0
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,16384}=*")
_CODE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}")
# RFC 8693 section 2.2.2: an unacceptable subject token is an invalid request; many servers say invalid_grant.
_OF_THE_CALLER = ("invalid_request", "invalid_grant", "access_denied")


@dataclass(slots=True)
class Token:
    """`value`, good until `expires`; from `stale` on a new one is fetched (both on `time.monotonic()`'s clock)."""

    value: str
    stale: float
    expires: float
    renewed: float = float("-inf")
    """When a refusal last asked for a new one."""


class Endpoint:
    """One authorization server's token endpoint."""

    def __init__(self, config: OAuth, ca: str | None = None) -> None:
        """`ca`: authorities (PEM) to trust besides the system's."""
        self._url = config.token_url
        self._ca = ca
        # Authlib leaves out what RFC 6749 section 2.3.1 asks for: both parts form-encoded.
        secret = config.client_secret.get_secret_value()
        self._auth = ClientAuth(quote_plus(config.client_id), quote_plus(secret), "client_secret_basic")
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Closes connections; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def token(self, parameters: Mapping[str, str | None], exchange: bool) -> Token:
        """The token that these parameters, `grant_type` the first, are granted; raises `NotMapped` (the subject's token
        isn't taken in exchange), `Refused` (the gateway isn't) and `Unavailable`."""
        grant, *rest = parameters.items()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        body = prepare_token_request(grant[1], **dict(rest))
        _, headers, body = self._auth.prepare("POST", self._url, headers, body)
        sent = time.monotonic()
        try:
            async with asyncio.timeout(SECONDS):
                status, content = await self._posted(headers, body)
        except (httpx.HTTPError, TimeoutError) as error:
            detail = type(error).__name__
            raise Unavailable("The upstream's authorization server can't be reached.", detail=detail) from None
        document = _object(content)
        if status != 200:
            raise _refusal(status, document, exchange)
        return _token(document, sent, exchange)

    async def _posted(self, headers: Mapping[str, str], body: str) -> tuple[int, bytes]:
        client = self._client or await self._opened()
        async with client.stream("POST", self._url, headers=dict(headers), content=body.encode()) as response:
            content = b""
            # As it came: nothing is inflated, and what is too long isn't read to its end.
            async for part in response.aiter_raw():
                content += part
                if len(content) > _MOST:
                    content = b""
                    break
            return response.status_code, content

    async def _opened(self) -> httpx.AsyncClient:
        # On a thread: the system's authorities are hundreds of certificates to parse.
        trusted = await asyncio.to_thread(_trusted, self._ca)
        self._client = self._client or httpx.AsyncClient(
            verify=trusted,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": "figway", "Accept-Encoding": "identity"},
            timeout=SECONDS,
            limits=httpx.Limits(max_connections=8),
        )
        return self._client


def _trusted(ca: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(cadata=ca)
    return context


def _object(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _token(document: Mapping[str, Any], sent: float, exchange: bool) -> Token:
    """The token of a successful answer (RFC 6749 section 5.1, RFC 8693 section 2.2.1)."""
    value, kind = document.get("access_token"), document.get("token_type")
    issued = document.get("issued_token_type", ACCESS_TOKEN)
    bearer = isinstance(kind, str) and kind.lower() == "bearer"
    if not (isinstance(value, str) and _TOKEN.fullmatch(value) and bearer):
        raise Unavailable("The upstream's authorization server answered no bearer token.")
    if exchange and issued not in (ACCESS_TOKEN, _JWT):
        raise Unavailable("The upstream's authorization server answered another sort of token than was asked for.")
    seconds = document.get("expires_in")
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():  # some servers quote it
        seconds = int(seconds[:9])
    good = float(seconds) if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0 else _UNSAID
    good = min(good, _LONGEST)
    # What is on its way must arrive in time: a tenth, and no more than five seconds, is left unused.
    return Token(value, sent + good - min(60.0, good / 5), sent + good - min(5.0, good / 10))


def _refusal(status: int, document: Mapping[str, Any], exchange: bool) -> AdapterError:
    """What an error answer means (RFC 6749 section 5.2); of its texts only the code, for the operator."""
    code = document.get("error")
    code = code if isinstance(code, str) and _CODE.fullmatch(code) else "none"
    detail = f"HTTP {status}, error {code}"
    if exchange and status in (400, 403) and code in _OF_THE_CALLER:
        message = "The upstream's authorization server doesn't take the caller's token in exchange."
        return NotMapped(message, detail=detail)
    if 400 <= status < 500 and status not in (408, 425, 429):
        return Refused("The upstream's authorization server refused the gateway.", detail=detail)
    return Unavailable("The upstream's authorization server failed.", detail=detail)
