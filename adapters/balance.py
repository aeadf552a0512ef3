"""Which of several addresses a call goes to: the least busy one that isn't ejected.

An address that can't be reached is ejected at once, one that breaks its word (no answer in time, a broken connection,
a gateway's error) after three calls in a row; for five seconds, and for twice as long each time after, up to five
minutes. Where all are ejected, the one whose time is up first is called: ejecting never leaves a caller without any.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_IN_A_ROW = 3
_FIRST_SECONDS, _LONGEST_SECONDS = 5.0, 300.0
_MOST = 256
# Statuses that say that this server, or the one behind it, isn't well; a 500 may be this request's own fault.
_UNWELL = frozenset({502, 503, 504})


class Address(NamedTuple):
    """Where a call may go: one of an upstream's URLs, by its place among them, its host and port, an IP address."""

    url: int
    host: str
    port: int
    ip: str


@dataclass(slots=True)
class State:
    """How one address does. Times are on `time.monotonic()`'s clock, in seconds."""

    in_flight: int = 0
    failures: int = 0
    turn: int = 0
    ejected_until: float = 0.0
    ejections: int = 0


class Balance:
    """The state of all addresses of one upstream. Belongs to one event loop."""

    def __init__(self) -> None:
        self._states: dict[Address, State] = {}
        self._turn = 0

    def ranked(self, addresses: Sequence[Address]) -> list[Address]:
        """All of them, best first: those that aren't ejected, the least busy before busier ones, in turn where they are
        alike. Another family of addresses is for when the resolver's preferred one fails: it comes behind."""
        now = time.monotonic()
        first = next((each for each in addresses if self.state(each).ejected_until <= now), addresses[0])

        def rank(address: Address) -> tuple[float, bool, int, int]:
            state = self.state(address)
            ejected = max(0.0, state.ejected_until - now)
            return ejected, (":" in address.ip) != (":" in first.ip), state.in_flight, state.turn

        return sorted(addresses, key=rank)

    def state(self, address: Address) -> State:
        """The state of `address`, made when it is first asked for; the longest unused ones are forgotten."""
        state = self._states.get(address)
        if state is None:
            if len(self._states) >= _MOST:
                self._forget()
            state = self._states[address] = State()
        return state

    def begun(self, address: Address) -> State:
        """Notes that a call goes there; `in_flight` is to be taken back by its end."""
        state = self.state(address)
        self._turn += 1
        state.turn = self._turn
        state.in_flight += 1
        return state

    def answered(self, address: Address, status: int) -> None:
        """Notes a reply."""
        state = self.state(address)
        if status in _UNWELL:
            self.failed(address)
        else:
            state.failures = state.ejections = 0
            state.ejected_until = 0.0

    def failed(self, address: Address, *, unreachable: bool = False) -> None:
        """Notes a call without a reply; `unreachable`: no connection could be made."""
        state = self.state(address)
        state.failures += 1
        if state.failures >= _IN_A_ROW or unreachable:
            seconds = min(_FIRST_SECONDS * 2.0**state.ejections, _LONGEST_SECONDS)
            state.ejected_until = time.monotonic() + seconds
            state.ejections = min(state.ejections + 1, 16)
            # One more failure after its time is up, and it is ejected again.
            state.failures = _IN_A_ROW - 1

    def _forget(self) -> None:
        idle: Iterable[Address] = [each for each, state in self._states.items() if not state.in_flight]
        for each in sorted(idle, key=lambda address: self._states[address].turn)[: _MOST // 2]:
            del self._states[each]
