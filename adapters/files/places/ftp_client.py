"""ftplib's client with what it lacks: an end to every answer, and TLS as servers ask for it.

Many servers want a data connection to resume the TLS session of its control connection, so that nobody else can take
it (RFC 4217, section 10); ftplib begins a new one. Texts are bytes in latin-1's clothes, so that no name fails.
"""

from __future__ import annotations

import calendar
import ftplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.files.places.place import SECONDS

_PIECE = 256 * 1024
_LONGEST_LINE = 8192
_LONGEST_LISTING = 64 << 20


class Client(ftplib.FTP_TLS):
    """One connection. Raises what ftplib raises: `ftplib.Error`, `OSError` (`TimeoutError` among them), `EOFError`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context, timeout=SECONDS, encoding="latin-1")
        self._held = b""
        self._until = time.monotonic() + SECONDS
        self._features: str | None = None

    def begin(self) -> None:
        """What follows has its time from now on."""
        self._until = time.monotonic() + SECONDS

    def getline(self) -> str:
        """One line of an answer; ftplib's own waits without end for who sends it byte by byte."""
        assert self.sock is not None
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > _LONGEST_LINE:
                raise OSError("a line of the answer is too long")
            self.sock.settimeout(self._left())
            piece = self.sock.recv(_LONGEST_LINE)
            if not piece:
                raise EOFError("the connection was closed")
            self._held += piece
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line.rstrip(b"\r").decode("latin-1")

    def auth(self) -> str:
        """Turns to TLS. What came in front of it without being asked for may be anybody's."""
        answer = super().auth()
        if self._held:
            raise OSError("the server sent more than its answer before TLS began")
        return answer

    def has(self, feature: str) -> bool:
        """Does the server say that it knows a command (RFC 2389)?"""
        if self._features is None:
            try:
                self._features = self.sendcmd("FEAT")
            except ftplib.error_perm:
                self._features = ""
        return any(line.strip().upper().split(" ")[0] == feature for line in self._features.splitlines()[1:])

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """A data connection, in the TLS session of this one."""
        connection, size = super(ftplib.FTP_TLS, self).ntransfercmd(cmd, rest)  # without ftplib's own TLS
        if not isinstance(self.sock, ssl.SSLSocket):
            return connection, size
        try:
            return self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session), size
        except BaseException:
            connection.close()
            raise

    @contextmanager
    def _data(self, command: str) -> Iterator[socket.socket]:
        """A data connection, and in the end the server's word that all went through it."""
        self.voidcmd("TYPE I")
        connection = self.transfercmd(command)
        try:
            yield connection
            if isinstance(connection, ssl.SSLSocket):
                with suppress(OSError):  # many servers close without an answer to our farewell
                    connection.unwrap()
        finally:
            connection.close()

    def listing(self, command: str) -> tuple[list[str], str]:
        """(the lines of a listing, the server's last word)."""
        found = bytearray()
        with self._data(command) as connection:
            while piece := self._piece(connection):
                found += piece
                if len(found) > _LONGEST_LISTING:
                    raise OSError("the listing is too long")
        return found.decode("latin-1").splitlines(), self.voidresp()

    def download(self, command: str, size: int, local: Path) -> bool | None:
        """Copies a file; False where it is shorter than `size`, None where it is longer: then its end wasn't read, and
        the connection is of no more use. Each piece has its time."""
        left = size
        with local.open("wb") as target:
            with self._data(command) as connection:
                while piece := self._pieces(connection):
                    left -= len(piece)
                    if left < 0:
                        return None
                    target.write(piece)
            self.begin()
            self.voidresp()
        return left == 0

    def upload(self, command: str, data: bytes) -> None:
        """Writes a file."""
        view = memoryview(data)
        with self._data(command) as connection:
            while view:
                connection.settimeout(self._left())
                view = view[connection.send(view[:_PIECE]) :]
        self.voidresp()

    def _pieces(self, connection: socket.socket) -> bytearray:
        """Some 256 KiB, which may take as long as one answer."""
        self.begin()
        found = bytearray()
        while len(found) < _PIECE and (piece := self._piece(connection)):
            found += piece
        return found

    def _piece(self, connection: socket.socket) -> bytes:
        connection.settimeout(self._left())
        return connection.recv(_PIECE)

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server took too long")
        return left

    def close(self) -> None:
        """Closes the connection, whatever state it is in."""
        with suppress(OSError):
            super().close()


def seconds(text: str) -> float:
    """A moment such as `20271201120000.5` (RFC 3659, section 2.3), to the second; raises `ValueError`."""
    return float(calendar.timegm(time.strptime(text[:14], "%Y%m%d%H%M%S")))
