"""A small OAuth 2 authorization server on a socket, as strict as RFC 6749 and RFC 8693 let a server be."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_ALLOWED = {
    "client_credentials": {"grant_type", "scope", "audience"},
    EXCHANGE: {"grant_type", "scope", "audience", "subject_token", "subject_token_type", "requested_token_type",
               "actor_token", "actor_token_type"},
}  # fmt: skip


class Fault(Exception):
    """An error answer (RFC 6749 section 5.2)."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Authority:
    """`granted` are the parameters of each grant; `good` maps an access token to whom it speaks for.

    `reply` (bytes of a whole HTTP answer), while it is set, is what every request gets; `gate` holds answers back.
    """

    client_id: str = "figway:gate way"
    secret: str = "s3cret %+:ü"
    subjects: dict[str, str] = field(default_factory=lambda: {"token-of-ann": "ann", "token-of-bob": "bob"})
    expires_in: Any = 3600
    url: str = ""
    granted: list[dict[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    good: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    reply: bytes | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def grant(self, headers: dict[str, str], body: str) -> dict[str, Any]:
        """The answer to a token request; raises `Fault`."""
        self._client(headers.get("authorization", ""))
        if headers.get("content-type") != "application/x-www-form-urlencoded":
            raise Fault(400, "invalid_request")
        pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=True)
        given = dict(pairs)
        grant = given.get("grant_type", "")
        if len(given) != len(pairs) or grant not in _ALLOWED or set(given) - _ALLOWED[grant]:
            raise Fault(400, "invalid_request")
        self.granted.append(given)
        token = f"at-{len(self.granted)}"
        answer = {"access_token": token, "token_type": "bearer", "expires_in": self.expires_in}
        if grant == "client_credentials":
            self.good[token] = (self.client_id, None)
            return answer
        self.good[token] = self._exchanged(given)
        return {**answer, "issued_token_type": ACCESS_TOKEN}

    def _client(self, authorization: str) -> None:
        kind, _, text = authorization.partition(" ")
        try:
            name, _, secret = base64.b64decode(text, validate=True).decode("ascii").partition(":")
        except ValueError:
            raise Fault(401, "invalid_client") from None
        if kind != "Basic" or (unquote_plus(name), unquote_plus(secret)) != (self.client_id, self.secret):
            raise Fault(401, "invalid_client")

    def _exchanged(self, given: dict[str, str]) -> tuple[str, str | None]:
        if given.get("subject_token_type") != ACCESS_TOKEN or given.get("requested_token_type") != ACCESS_TOKEN:
            raise Fault(400, "invalid_request")
        subject = self.subjects.get(given.get("subject_token", ""))
        if subject is None or ("actor_token" in given) != ("actor_token_type" in given):
            raise Fault(400, "invalid_request")
        actor = given.get("actor_token")
        if actor is not None and (given["actor_token_type"] != ACCESS_TOKEN or actor not in self.good):
            raise Fault(400, "invalid_request")
        return subject, self.good[actor][0] if actor is not None else None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = (await reader.readexactly(int(headers["content-length"]))).decode()
                self.requests.append(head[0])
                await self.gate.wait()
                writer.write(self.reply or _http(*self._answer(headers, body)))
                await writer.drain()
                if self.reply is not None:
                    break
        writer.close()

    def _answer(self, headers: dict[str, str], body: str) -> tuple[int, dict[str, Any]]:
        try:
            return 200, self.grant(headers, body)
        except Fault as fault:
            return fault.status, {"error": fault.code, "error_description": f"secret detail {body}"}


def _http(status: int, document: Any) -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    return f"{head}Set-Cookie: sid=1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


http = _http


@contextlib.contextmanager
def _closing(server: asyncio.Server) -> Iterator[None]:
    try:
        yield
    finally:
        server.close()


@contextlib.asynccontextmanager
async def authority(**options: Any) -> Any:
    """A server that runs until the block ends."""
    made = Authority(**options)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
    with _closing(server):
        yield made
