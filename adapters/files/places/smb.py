"""A folder of a share, as Windows and Samba speak SMB 2.1 and later (MS-SMB2); messages are encrypted, always signed.

Both keys come from the password, so that a server that doesn't know it can't answer. A guest's session has neither,
and is refused.
"""

from __future__ import annotations

import errno
import secrets
import socket
import struct
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import smbclient
from smbprotocol.connection import Connection
from smbprotocol.exceptions import LogonFailure, SMBAuthenticationError, SMBException, SMBOSError
from smbprotocol.file_info import FileAttributes
from smbprotocol.transport import Tcp
from spnego.exceptions import SpnegoError

from adapters.errors import Conflict, Unavailable, UnknownOutcome
from adapters.files.drop import TEMPORARY
from adapters.files.places.config import Smb
from adapters.files.places.place import MOST_FILES, SECONDS, There, named

_PIECE = 1 << 20
_LONGEST = (1 << 24) - 1
_NO_FILE = FileAttributes.FILE_ATTRIBUTE_DIRECTORY | FileAttributes.FILE_ATTRIBUTE_REPARSE_POINT
_BROKEN = (SMBException, SpnegoError, OSError, ValueError, ArithmeticError, LookupError, struct.error)
"""What smbprotocol raises where a server can't be reached, refuses, or answers nonsense."""


class _Tcp(Tcp):  # type: ignore[misc]
    """smbprotocol's, with bounds: it would wait for ever for a server that reads nothing, and make room for any length
    that a server says."""

    def connect(self) -> None:
        super().connect()
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(SECONDS), 0))

    def _recv(self, length: int, timeout: float) -> Any:
        if length > _LONGEST:
            raise OSError("the server says that its message is longer than any can be")
        return super()._recv(length, timeout)


class _Connection(Connection):  # type: ignore[misc]
    """smbprotocol's, whose answers come within their time; it would wait for ever."""

    _tcp: _Tcp | None = None

    @property
    def transport(self) -> _Tcp | None:
        return self._tcp

    @transport.setter
    def transport(self, made: Tcp | None) -> None:
        self._tcp = None if made is None else _Tcp(made.server, made.port, made.timeout)

    def receive(
        self, request: Any, wait: bool = True, timeout: float | None = None, resolve_symlinks: bool = True
    ) -> Any:
        return super().receive(request, wait, SECONDS if timeout is None else timeout, resolve_symlinks)


class _Only(dict[str, Connection]):
    """The one connection of an errand: no other takes its place when it is lost, and no referral leads elsewhere."""

    def __setitem__(self, key: str, connection: Connection) -> None:
        if self:
            connection.disconnect(close=False)
            raise OSError("the connection was lost, or the server names another one (DFS)")
        super().__setitem__(key, connection)


class SmbPlace:
    """One connection an errand: errands are seconds apart, and a connection that is kept dies unseen."""

    settles = True

    def __init__(self, config: Smb) -> None:
        self._config = config

    def files(self, folders: Sequence[str], wants: Callable[[str], bool]) -> Mapping[str, There]:
        found: dict[str, There] = {}
        with self._session() as session:
            for folder in folders:
                try:
                    self._listed(session, folder, found)
                except SMBOSError as error:
                    if error.errno != errno.ENOENT or not folder:
                        raise
        return found

    def _listed(self, session: Mapping[str, Any], folder: str, found: dict[str, There]) -> None:
        with smbclient.scandir(self._at(folder), **session) as entries:
            for entry in entries:
                path, known = named(folder, entry.name), entry.smb_info
                if path is not None and not known.file_attributes & _NO_FILE:
                    found[path] = There(known.end_of_file, known.last_write_time.timestamp())
                if len(found) > MOST_FILES:
                    raise Unavailable(f"the place has more than {MOST_FILES} files")

    def fetch(self, wanted: Mapping[str, tuple[There, Path]]) -> set[str]:
        with self._session() as session:
            return {path for path, (there, local) in wanted.items() if self._copied(session, path, there, local)}

    def _copied(self, session: Mapping[str, Any], path: str, there: There, local: Path) -> bool:
        at = self._at(path)
        try:
            # Everything is shared, so that nobody is kept from writing, renaming or removing it meanwhile.
            with smbclient.open_file(at, "rb", buffering=0, share_access="rwd", **session) as source:
                left = there.size
                with local.open("wb") as target:
                    while left and (piece := source.read(min(left, _PIECE))):
                        target.write(piece)
                        left -= len(piece)
            after = smbclient.stat(at, **session)
        except SMBOSError:  # gone, or opened by somebody who shares it with nobody
            return False
        return left == 0 and (after.st_size, after.st_mtime_ns // 1000 / 1e6) == (there.size, there.modified)

    def write(self, path: str, data: bytes, *, over: bool) -> None:
        folder = path.rpartition("/")[0]
        temporary = self._at(folder) + f"\\{TEMPORARY}{secrets.token_hex(8)}.tmp"
        with self._session() as session:
            try:
                _written(temporary, data, session)
                _named(temporary, self._at(path), session, over=over)
            finally:
                with suppress(*_BROKEN):
                    smbclient.remove(temporary, **session)

    @contextmanager
    def _session(self) -> Iterator[dict[str, Any]]:
        """What each call of smbclient has to be given."""
        config = self._config
        connection = _Connection(uuid.uuid4(), config.host, config.port, require_signing=True)
        session: dict[str, Any] = {
            "username": config.user, "password": config.password.get_secret_value(), "port": config.port,
            "encrypt": not config.unencrypted, "auth_protocol": "ntlm", "require_signing": True,
            "connection_timeout": SECONDS, "connection_cache": _Only(),
        }  # fmt: skip
        try:
            connection.connect(timeout=SECONDS)
            session["connection_cache"][f"{config.host.lower()}:{config.port}"] = connection
            _entered(config.host, session)
            yield session
        except SMBOSError as error:
            raise Unavailable("the SMB server refused what was asked of it", detail=str(error)) from error
        except _BROKEN as error:
            raise Unavailable("the SMB server couldn't be reached", detail=str(error)) from error
        finally:
            with suppress(*_BROKEN, AttributeError):  # it may have no transport yet
                connection.disconnect(timeout=SECONDS)

    def _at(self, path: str) -> str:
        config = self._config
        parts = [config.host, config.share, *config.path.split("/"), *path.split("/")]
        return "\\\\" + "\\".join(part for part in parts if part)


def _entered(host: str, session: Mapping[str, Any]) -> None:
    try:
        smbclient.register_session(host, **session)
    except (LogonFailure, SMBAuthenticationError) as error:
        raise Unavailable("the SMB server refused the gateway's credentials", detail=str(error)) from None
    except SMBException as error:
        sentence = "the SMB server has no encrypted session for the gateway, or knows it only as a guest"
        raise Unavailable(sentence, detail=str(error)) from error


def _written(temporary: str, data: bytes, session: Mapping[str, Any]) -> None:
    with smbclient.open_file(temporary, "xb", buffering=0, **session) as target:
        view = memoryview(data)
        while view:
            view = view[target.write(view[:_PIECE]) :]
        target.flush()  # the server's, to its disk


def _named(temporary: str, target: str, session: Mapping[str, Any], *, over: bool) -> None:
    try:
        (smbclient.replace if over else smbclient.rename)(temporary, target, **session)
    except SMBOSError as error:
        if error.errno == errno.EEXIST and not over:
            raise Conflict("a record of that key exists already") from None
        raise  # the server said no: nothing was written
    except _BROKEN as error:
        raise UnknownOutcome("the file may have been written", detail=str(error)) from error
