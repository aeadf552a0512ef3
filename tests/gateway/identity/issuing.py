"""An issuer as tests need one: it signs whatever it is told to, and answers on a real socket, well or badly."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote

from joserfc import jwk
from joserfc.jws import JWSRegistry

NOW = 1_800_000_000.0
AUDIENCE = "figway"


def encoded(value: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def spelt(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@cache
def key_pair(algorithm: str, key_id: str) -> Any:
    """A key pair for an algorithm; the same one each time."""
    options = {"kid": key_id}
    if algorithm == "RS256":
        return jwk.RSAKey.generate_key(2048, options, private=True)
    if algorithm == "ES256":
        return jwk.ECKey.generate_key("P-256", options, private=True)
    return jwk.OKPKey.generate_key("Ed25519", options, private=True)


def public(algorithm: str, key_id: str) -> dict[str, Any]:
    """The public half as a key set shows it."""
    return {**key_pair(algorithm, key_id).as_dict(private=False), "kid": key_id, "use": "sig"}


def token(claims: Any, algorithm: str = "ES256", key_id: str = "k1", header: Mapping[str, Any] | bytes = {}) -> str:
    """A token that is signed by a key pair, whatever its header and claims say; bytes are taken as they are."""
    head = header if isinstance(header, bytes) else {"alg": algorithm, "kid": key_id, "typ": "at+jwt", **header}
    signed = f"{encoded(spelt(head))}.{encoded(spelt(claims))}"
    signature = JWSRegistry.algorithms[algorithm].sign(signed.encode(), key_pair(algorithm, key_id))
    return f"{signed}.{encoded(signature)}"


class IssuerServer:
    """An issuer on 127.0.0.1. `keys` are what it publishes, `asked` counts requests by path."""

    def __init__(self, port: int = 0) -> None:
        self.keys: list[dict[str, Any]] = [public("ES256", "k1")]
        self.asked: dict[str, int] = {}
        self.answers: dict[str, Callable[[], tuple[int, dict[str, str], bytes]]] = {}
        """Path → what to answer instead: status, header fields and body."""
        self.active: dict[str, dict[str, Any]] = {}
        """Opaque token → what introspection says of it."""
        self.pause = 0.0
        self.introspected: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        # Connections that are kept alive have threads of their own.
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims that are accepted now; a change to None leaves a claim out."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def header(self, algorithm: str = "ES256", key_id: str = "k1", **changes: Any) -> bytes:
        """An Authorization header with such a token."""
        return f"Bearer {token(self.claims(**changes), algorithm, key_id)}".encode()

    def _answer(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self.asked[path] = self.asked.get(path, 0) + 1
        if self.pause:
            time.sleep(self.pause)
        if path in self.answers:
            return self.answers[path]()
        if path == "/.well-known/openid-configuration":
            return 200, {}, spelt({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"})
        if path == "/jwks":
            return 200, {}, spelt({"keys": self.keys})
        if path == "/introspect" and method == "POST":
            return self._introspect(body, headers)
        return 404, {}, b"{}"

    def _introspect(self, body: bytes, headers: Any) -> tuple[int, dict[str, str], bytes]:
        """RFC 7662 sections 2.1 and 2.3; RFC 6749 section 2.3.1 for who asks."""
        if headers.get("content-type") != "application/x-www-form-urlencoded":
            return 400, {}, b"{}"
        scheme, _, credential = headers.get("authorization", "").partition(" ")
        who = [unquote(part) for part in base64.b64decode(credential).decode().split(":")]
        if scheme != "Basic" or who != ["figway", "s3cret"]:
            return 401, {}, b"{}"
        (text,) = parse_qs(body.decode(), strict_parsing=True)["token"]
        with self._lock:
            self.introspected.append((text, who[0]))
        return 200, {}, spelt(self.active.get(text, {"active": False}))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def setup(self) -> None:
                super().setup()
                issuer._connections.add(self.connection)

            def finish(self) -> None:
                issuer._connections.discard(self.connection)
                super().finish()

            def do_GET(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                status, fields, body = issuer._answer(self.command, self.path, self.rfile.read(size), self.headers)
                self.send_response(status)
                for name, value in {"content-type": "application/json", **fields}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextmanager
def issuer_server(port: int = 0) -> Iterator[IssuerServer]:
    """An issuer that runs until the end of the block."""
    server = IssuerServer(port)
    try:
        yield server
    finally:
        server.close()


def bomb(size: int) -> bytes:
    """Gzip of `size` bytes of a JSON text that never ends."""
    return gzip.compress(b'{"keys": [' + b" " * size)
