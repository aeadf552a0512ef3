"""Failed proofs of identity, by the address that they come from: past a bound, none is looked at for a moment.

A credential that was proved before never gets here, so whoever shares the address goes on calling.
"""

from __future__ import annotations

import time
from ipaddress import IPv6Address, ip_address

RATE, BURST = 100, 500
"""Failures a second, and at once, that one address may cause in one process."""

_ADDRESSES = 4096


class Floods:
    """The failures of late. In memory, bounded: of too many addresses those that failed longest ago are forgotten."""

    def __init__(self, rate: int = RATE, burst: int = BURST) -> None:
        self._interval = 1_000_000_000 // rate
        self._full = burst * self._interval
        self._full_at: dict[str, int] = {}

    def wait(self, peer: str | None) -> float:
        """Seconds until another failure of this address is looked at; 0: it may try."""
        if not self._full_at:
            return 0.0
        latest = time.monotonic_ns() + self._full - self._interval
        return max(0, self._full_at.get(_home(peer), 0) - latest) / 1e9

    def failed(self, peer: str | None) -> None:
        """Notes a failure."""
        home, now = _home(peer), time.monotonic_ns()
        full_at = max(self._full_at.pop(home, now), now) + self._interval
        if len(self._full_at) >= _ADDRESSES:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[home] = full_at


def _home(peer: str | None) -> str:
    """The address or, of IPv6, its network of 64 bits: whoever has one address of it has all of them."""
    if peer is None or ":" not in peer:
        return peer or ""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    return str(int(address) >> 64) if isinstance(address, IPv6Address) and not address.ipv4_mapped else peer
