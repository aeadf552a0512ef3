"""A shop that keeps customers: a real HTTP server with a ledger of what it was told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Shop:
    """One shop: what it holds, and what it was told. Everything under its lock."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    ledger: list[tuple[str, str, str | None]] = field(default_factory=list)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    backwards: bool = False
    """Whether its list goes from the last to the first."""
    latency: float = 0.0
    write_latency: float = 0.0
    refuses: bool = False
    fails: bool = False
    """Whether its detail answers 500."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""

    def list(self, after: str | None, limit: int) -> dict[str, Any]:
        with self.lock:
            ids = sorted(self.kept, reverse=self.backwards)
            if after is not None:
                ids = [each for each in ids if (each < after if self.backwards else each > after)]
            page = [dict(self.kept[each]) for each in ids[:limit]]
        return {"data": page, "next": page[-1]["id"] if len(ids) > limit else None}

    def do(self, method: str, id: str, body: Any, key: str | None) -> tuple[int, Any]:
        """A write, once for each key."""
        with self.lock:
            if key is not None and key in self.answers:
                return self.answers[key]
            if self.refuses:
                return 409, {"title": "refused"}
            self.ledger.append((method, id, key))
            answer = self._done(method, id, body)
            if key is not None:
                self.answers[key] = answer
            return answer

    def _done(self, method: str, id: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            self.kept[body["id"]] = {"seen": str(time.time()), **body}
            return 201, self.kept[body["id"]]
        if id not in self.kept:
            return 404, {"title": "no such customer"}
        if method == "DELETE":
            del self.kept[id]
            return 200, {}
        self.kept[id] |= {name: value for name, value in body.items() if value is not None}
        return 200, dict(self.kept[id])

    def writes(self, id: str | None = None) -> list[str]:
        with self.lock:
            return [method for method, who, _ in self.ledger if id in (None, who)]


def _handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def _answer(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            time.sleep(shop.latency)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            place = parts.path.strip("/").split("/")
            if place[0] == "keys":
                found = shop.answers.get(place[1])
                self._answer(*(found or (404, {})))
            elif len(place) == 1:
                self._answer(200, shop.list(query.get("after"), int(query.get("limit", 50))))
            else:
                with shop.lock:
                    customer = dict(shop.kept.get(place[1], {}))
                self._answer(500 if shop.fails else 200 if customer else 404, customer)

        def _write(self) -> None:
            time.sleep(shop.write_latency)
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size) or b"null")
            place = self.path.strip("/").split("/")
            id = place[1] if len(place) > 1 else body["id"]
            self._answer(*shop.do(self.command, id, body, self.headers.get("idempotency-key")))

        def do_POST(self) -> None:
            self._write()

        def do_PATCH(self) -> None:
            self._write()

        def do_DELETE(self) -> None:
            self._write()

    return Handler


@contextmanager
def shop_server(shop: Shop) -> Iterator[Shop]:
    """The shop on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(shop))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
