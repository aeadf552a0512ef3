"""One connection: uvicorn's HTTP/1.1 protocol, with the bounds and the one meaning that it lacks.

- A request that asks for an upgrade (RFC 9110 §7.8) is answered as if it hadn't asked. The parser would take its body
  for the next request: a way to smuggle one past a proxy.
- Trailer fields don't become header fields (RFC 9110 §6.5.1).
- Bytes that carry no message further (a head, a chunk extension or trailers without an end) are bounded, and so is
  the time that a connection may spend without a request.
- What can't be parsed behind a request that is still being answered doesn't take the place of its answer.
- One look a second at all connections ends idle ones, instead of a timer set and unset for each request.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.ingress.exchange import EXCHANGE, TASK, Exchange

_MOST_QUIET_BYTES = 64 * 1024
_IDLE_LOOKS = 10
_HOP_BY_HOP = frozenset({b"upgrade", b"http2-settings"})
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 22\r\n\r\nThe head is too large."
)


class Connection(HttpToolsProtocol):
    """One connection of a caller."""

    _advanced = False
    _quiet_bytes = 0
    _idle_looks = 0
    cycle: Exchange

    def look(self) -> None:
        """To be called once a second: closes a connection that has had no request for ten of them."""
        if self.cycle is None or self.cycle.response_complete:
            self._idle_looks += 1
            if self._idle_looks > _IDLE_LOOKS:
                self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._advanced = False
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        self._quiet_bytes = 0 if self._advanced else self._quiet_bytes + len(data)
        if self._quiet_bytes > _MOST_QUIET_BYTES:
            self._refuse(_TOO_LARGE)

    def _feed(self, data: bytes) -> None:
        rest = memoryview(data)
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                self._begin_without_upgrade()

    def _begin_without_upgrade(self) -> None:
        """Reads the head again, the wish for an upgrade left out, so that its body is read as one."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("the gateway is no tunnel")
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        lines += [b"%s: %s" % field for field in self._fields_without_upgrade()]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n")

    def _fields_without_upgrade(self) -> list[tuple[bytes, bytes]]:
        fields = []
        for name, value in self.headers:
            if name == b"connection":
                value = b", ".join(part for part in value.split(b",") if part.strip().lower() not in _HOP_BY_HOP)
            if name not in _HOP_BY_HOP:
                fields.append((name, value))
        return fields

    def _should_upgrade(self) -> bool:
        # Asked by uvicorn about a message that wants an upgrade: such a one is read again without its wish.
        return True

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        self._advanced = True
        self._idle_looks = 0
        if self.parser.should_upgrade():
            return
        version = self.parser.get_http_version()
        self._read_target(version)
        before = self.cycle
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        self.cycle = Exchange(self, self.scope, keep_alive, self.on_response_complete)
        self.scope[EXCHANGE] = self.cycle  # type: ignore[literal-required]
        self.headers = []  # what comes from now on are trailers
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _read_target(self, version: str) -> None:
        """The request's scope, as ASGI spells it."""
        target = self.url
        if target[:1] == b"/" and b"#" not in target:
            raw_path, _, query = target.partition(b"?")
        else:
            parsed = httptools.parse_url(target)
            raw_path, query = parsed.path, parsed.query or b""
        path = raw_path.decode("ascii")
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,  # type: ignore[typeddict-item]
            "method": self.parser.get_method().decode("ascii"),
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": {},
        }

    def _start_asgi_task(self, cycle: Exchange, app: Any) -> None:  # type: ignore[override]
        task = self.loop.create_task(cycle.run_asgi(app))
        cycle.scope[TASK] = task  # type: ignore[literal-required]
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)  # type: ignore[arg-type]

    def on_body(self, body: bytes) -> None:
        self._advanced = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._advanced = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuses what can't be parsed."""
        self._refuse(
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(msg), msg.encode("ascii"))
        )

    def _refuse(self, answer: bytes) -> None:
        """Answers and closes; requests that came whole before get their answers first, and then no other."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.transport.write(answer)
            self.transport.close()
        else:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
