"""A folder of an SFTP server, as OpenSSH speaks draft-ietf-secsh-filexfer-02; its host key must be the one named."""

from __future__ import annotations

import asyncio
import secrets
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import asyncssh

from adapters.errors import Conflict, Unavailable, UnknownOutcome
from adapters.files.drop import TEMPORARY
from adapters.files.places.config import Sftp
from adapters.files.places.place import MOST_FILES, SECONDS, There, named

_T = TypeVar("_T")

_PIECE = 256 * 1024


class SftpPlace:
    """One connection an errand: errands are seconds apart, and a connection that is kept dies unseen."""

    settles = True

    def __init__(self, config: Sftp) -> None:
        """Raises `ValueError` with a sentence."""
        self._config = config
        try:
            self._host_key = asyncssh.import_public_key(config.host_key)
        except (asyncssh.KeyImportError, ValueError):
            raise ValueError("the host_key isn't a public key, such as 'ssh-ed25519 AAAA…'") from None

    def files(self, folders: Sequence[str], wants: Callable[[str], bool]) -> Mapping[str, There]:
        async def errand(client: asyncssh.SFTPClient) -> dict[str, There]:
            found: dict[str, There] = {}
            for folder in folders:
                with suppress(asyncssh.SFTPNoSuchFile):
                    async for entry in client.scandir(self._at(folder)):
                        attrs, name = entry.attrs, entry.filename
                        path = named(folder, name) if isinstance(name, str) else None
                        if path is not None and stat.S_ISREG(attrs.permissions or 0):
                            found[path] = There(attrs.size or 0, float(attrs.mtime or 0))
                        if len(found) > MOST_FILES:
                            raise Unavailable(f"the place has more than {MOST_FILES} files")
            return found

        return self._run(errand)

    def fetch(self, wanted: Mapping[str, tuple[There, Path]]) -> set[str]:
        async def errand(client: asyncssh.SFTPClient) -> set[str]:
            return {path for path, (there, local) in wanted.items() if await self._copied(client, path, there, local)}

        return self._run(errand, unbounded=True)

    async def _copied(self, client: asyncssh.SFTPClient, path: str, there: There, local: Path) -> bool:
        try:
            async with client.open(self._at(path), "rb") as source:
                with await asyncio.to_thread(local.open, "wb") as target:
                    left = there.size
                    while left and (piece := await asyncio.wait_for(source.read(min(left, _PIECE)), SECONDS)):
                        assert isinstance(piece, bytes)
                        await asyncio.to_thread(target.write, piece)
                        left -= len(piece)
                after = await source.stat()
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied):
            return False
        return left == 0 and (after.size, float(after.mtime or 0)) == (there.size, there.modified)

    def write(self, path: str, data: bytes, *, over: bool) -> None:
        folder = path.rpartition("/")[0]
        temporary = self._at(f"{folder}/" if folder else "") + f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
        begun = False

        async def errand(client: asyncssh.SFTPClient) -> None:
            nonlocal begun
            try:
                async with client.open(temporary, "xb") as target:
                    await target.write(data)
                    with suppress(asyncssh.SFTPOpUnsupported):
                        await target.fsync()
                begun = True
                await self._named(client, temporary, path, over=over)
            finally:
                with suppress(asyncssh.SFTPError):
                    await client.remove(temporary)

        try:
            self._run(errand)
        except Unavailable as error:
            if begun:
                raise UnknownOutcome("the file may have been written", detail=error.detail) from error
            raise

    async def _named(self, client: asyncssh.SFTPClient, temporary: str, path: str, *, over: bool) -> None:
        if over:
            await client.posix_rename(temporary, self._at(path))
            return
        try:
            await client.rename(temporary, self._at(path))  # version 3 refuses to go over another file
        except asyncssh.SFTPError as error:
            if isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
                raise
            if await client.exists(self._at(path)):
                raise Conflict("a record of that key exists already") from None
            raise

    def _at(self, path: str) -> str:
        return f"{self._config.path.rstrip('/') or '/'}/{path}".rstrip("/") + ("/" if path.endswith("/") else "")

    def _run(self, errand: Callable[[asyncssh.SFTPClient], Awaitable[_T]], *, unbounded: bool = False) -> _T:
        async def run() -> _T:
            async with asyncio.timeout(None if unbounded else SECONDS), self._client() as client:
                return await errand(client)

        try:
            return asyncio.run(run())
        except asyncssh.HostKeyNotVerifiable as error:
            raise Unavailable("the SFTP server isn't the one whose host key is configured", detail=str(error)) from None
        except asyncssh.PermissionDenied as error:
            raise Unavailable("the SFTP server refused the gateway's credentials", detail=str(error)) from None
        except (OSError, TimeoutError, asyncssh.Error, asyncssh.SFTPError, asyncssh.KeyImportError) as error:
            raise Unavailable("the SFTP server couldn't be reached", detail=str(error)) from error

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[asyncssh.SFTPClient]:
        config = self._config
        secret = config.private_key.get_secret_value() if config.private_key else None
        keys = [asyncssh.import_private_key(secret)] if secret is not None else None
        password = config.password.get_secret_value() if config.password else None
        connecting = asyncssh.connect(
            config.host, config.port, username=config.user, password=password, client_keys=keys,
            known_hosts=([self._host_key], [], []), agent_path=None, config=None,
            connect_timeout=SECONDS, login_timeout=SECONDS, keepalive_interval=10,
        )  # fmt: skip
        async with connecting as connection, connection.start_sftp_client() as client:
            yield client
