"""The other side: an upstream that answers whatever bytes it is told to, and listeners that nobody should reach."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_PATIENCE = 20

Answer = Callable[[], Iterable[bytes]]


class Listener:
    """A TCP listener on 127.0.0.1 with a thread for each connection, and a UDP socket on the same port.

    Every request is kept in `heard`. It is answered by the first of `answers` whose name stands in its first line;
    an answer yields bytes, or floats to wait for (seconds), and the connection is closed behind it.
    """

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.answers: dict[bytes, Answer] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._closed = False
        for loop in (self._accept, self._datagrams):
            threading.Thread(target=loop, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, name: str) -> int:
        """How many requests had `name` in their first line."""
        return sum(name.encode() in each.partition(b"\r\n")[0] for each in self.heard)

    def close(self) -> None:
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._udp.sendto(b"", ("127.0.0.1", self.port))

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _datagrams(self) -> None:
        while data := self._udp.recv(65536):
            self.heard.append(data)
        self._udp.close()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        with connection, suppress(OSError):
            request = _read(connection)
            self.heard.append(request)
            for piece in self._answer(request):
                if isinstance(piece, float):
                    time.sleep(piece)
                else:
                    connection.sendall(piece)

    def _answer(self, request: bytes) -> Iterator[bytes | float]:
        line = request.partition(b"\r\n")[0]
        for name, answer in tuple(self.answers.items()):
            if name in line:
                yield from answer()
                return
        yield reply(b'{"caught": true, "place": "here"}')


def _read(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        chunk = connection.recv(65536)
        if not chunk:
            return request
        request += chunk
    length = _LENGTH.search(request)
    wanted = request.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(request) < wanted and (chunk := connection.recv(65536)):
        request += chunk
    return request


def reply(body: bytes, *fields: bytes, status: bytes = b"200 OK", media: bytes = b"application/json") -> bytes:
    """A whole reply, as an honest server would send it; fields are put before its own."""
    head = (b"HTTP/1.1 " + status, *fields, b"Content-Type: " + media, b"Connection: close")
    return b"\r\n".join((*head, b"Content-Length: %d" % len(body))) + b"\r\n\r\n" + body
