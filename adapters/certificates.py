"""The TLS context of one client, made anew when a file that its certificates come from has changed.

Whoever renews certificates replaces files, one after the other: what doesn't fit together yet is left alone, and
looked at again. The files are looked at on a thread, every few seconds while calls are made.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
import time
from pathlib import Path

from adapters.errors import ConfigError, ConfigProblem
from adapters.tls import Texts

logger = logging.getLogger("figway")

LOOK_SECONDS = 10.0
_LARGEST = 65_536


class Certificates:
    """Whom a client trusts and what it shows. Reads no file before its first call; raises `ConfigError` when a PEM
    text is wrong."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._context = made(texts)
        self._watched = any(texts.paths)
        self._due = 0.0
        self._looking: asyncio.Task[None] | None = None

    def context(self) -> ssl.SSLContext | bool:
        """The context of a call made now; True: aiohttp's shared default, which trusts the system's authorities."""
        if self._watched and self._due <= time.monotonic():
            self._due = time.monotonic() + LOOK_SECONDS
            if self._looking is None or self._looking.done():
                self._looking = asyncio.get_running_loop().create_task(self._look())
        return self._context

    async def looked(self) -> None:
        """Waits for the look that is under way, if one is."""
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def close(self) -> None:
        """Ends the look that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await self.looked()
            self._looking = None

    async def _look(self) -> None:
        try:
            texts, context = await asyncio.to_thread(_read, self._texts)
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            logger.warning("changed TLS files can't be used, those before them still are: %s", error)
            return
        if context is not None:
            self._texts, self._context = texts, context
            logger.info("TLS files have changed: new connections use them")


def _read(texts: Texts) -> tuple[Texts, ssl.SSLContext | bool | None]:
    """The texts as they are now, and a context of them; None where nothing has changed."""
    old = (texts.ca, texts.certificate, texts.key)
    new = [before if path is None else _text(path) for path, before in zip(texts.paths, old, strict=True)]
    if tuple(new) == old:
        return texts, None
    changed = Texts(new[0], new[1], new[2], texts.paths)
    return changed, made(changed)


def _text(path: str) -> str:
    with Path(path).open("rb") as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ConfigError([ConfigProblem(f"a TLS file is larger than {_LARGEST} bytes")])
    return content.decode().rstrip("\r\n")


def made(texts: Texts) -> ssl.SSLContext | bool:
    """The context of these texts; raises `ConfigError`. The peer's certificate and name are always verified."""
    if texts.ca is None and texts.certificate is None:
        return True
    try:
        context = ssl.create_default_context(cadata=texts.ca)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError([ConfigProblem("ca holds no certificate in PEM form", "/tls/ca")]) from error
    if texts.certificate is not None:
        _load_certificate(context, texts.certificate, texts.key or "")
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """The ssl module reads a chain only from a file: one that only we can read, gone when loaded."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        try:
            # A password callback, because without one OpenSSL asks for an encrypted key's on the terminal.
            context.load_cert_chain(file.name, password=lambda: "")
        except (ssl.SSLError, OSError, ValueError) as error:
            message = "cert and key aren't a certificate chain and its unencrypted private key in PEM form"
            raise ConfigError([ConfigProblem(message, "/tls/cert")]) from error
