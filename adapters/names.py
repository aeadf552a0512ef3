"""Host names and the addresses behind them, looked up again while they are used.

A lookup runs on a thread of its own, one a name at most, because the system's resolver may hang for as long as it
likes. What was found last is used until something newer is known, also when the resolver fails or hangs.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import threading
import time
from dataclasses import dataclass

from adapters.errors import Unavailable

logger = logging.getLogger("figway")

FRESH_SECONDS = 10.0
"""How long addresses are used before they are looked up again. The resolver doesn't tell their time to live."""
_MOST = 64


@dataclass(slots=True)
class _Known:
    """What is known of one name. `due`: when to look again, on `time.monotonic()`'s clock."""

    addresses: tuple[str, ...] = ()
    due: float = 0.0
    looking: asyncio.Future[None] | None = None
    error: str = ""


class Names:
    """The names that one client calls. Belongs to one event loop."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def now(self, host: str) -> tuple[str, ...]:
        """The addresses of `host` as far as they are known, () where they aren't; looks again where it is time to."""
        known = self._known.get(host)
        if known is None:
            known = self._known[host] = _numeric(host)
        if known.due <= time.monotonic() and known.looking is None:
            self._look(host, known)
        return known.addresses

    async def of(self, host: str) -> tuple[str, ...]:
        """The addresses of `host`, at least one; waits for the first lookup only. Raises `Unavailable`."""
        found = self.now(host)
        if found:
            return found
        known = self._known[host]
        assert known.looking is not None
        await asyncio.shield(known.looking)
        if not known.addresses:
            raise Unavailable("The upstream's name can't be resolved.", detail=known.error)
        return known.addresses

    def _look(self, host: str, known: _Known) -> None:
        loop = asyncio.get_running_loop()
        known.looking = loop.create_future()

        def looked() -> None:
            found, error = _looked_up(host)
            try:
                loop.call_soon_threadsafe(_learn, host, known, found, error)
            except RuntimeError:  # the loop was closed while the resolver hung: nobody wants to know any more
                return

        # A daemon, so that a resolver that hangs doesn't keep the process from ending.
        threading.Thread(target=looked, name="figway-names", daemon=True).start()


def _numeric(host: str) -> _Known:
    """What is known of a host at first: an address stands for itself, for good."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _Known()
    return _Known((host,), float("inf"))


def _looked_up(host: str) -> tuple[tuple[str, ...], str]:
    """The system's answer, in its order of preference (RFC 6724); and what is wrong where there is none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return (), f"{type(error).__name__}: {error}"
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))[:_MOST], ""


def _learn(host: str, known: _Known, found: tuple[str, ...], error: str) -> None:
    waiting, known.looking = known.looking, None
    if found:
        known.addresses, known.due, known.error = found, time.monotonic() + FRESH_SECONDS, ""
    else:
        if known.addresses and not known.error:
            logger.warning("%s can't be resolved any more: its last addresses are used (%s)", host, error)
        # Who waited for a name that was never known asks again with its next call.
        known.due = time.monotonic() + (FRESH_SECONDS if known.addresses else 0.0)
        known.error = error
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
