"""What answers kept by one process have in common: where they are, who may add to a system's work, what let them go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from gateway.cache.flights import Flights
from gateway.cache.marks import Marks
from gateway.cache.memory import Memory
from gateway.cache.places import entity_place, first_of, group_places
from gateway.identity.signing import Keyring
from gateway.routing.model import Compiled

if TYPE_CHECKING:
    from gateway.cache.far import Far


class Claim(Protocol):
    """One extra call of a system, while it lasts."""

    def release(self) -> None: ...


class Asked(Protocol):
    """An upstream, as the budget of extra calls sees it."""

    @property
    def name(self) -> str: ...

    @property
    def strained(self) -> str: ...


Extra: TypeAlias = Callable[[Asked, float], Claim | None]
"""(upstream, seconds): a claim to one call that lasts so long at most; None: not now."""


class Cache:
    """One process's answers, and the marks that all workers of the host share."""

    def __init__(self, marks: Marks, extra: Extra, far: Far | None = None) -> None:
        """`far`: what the hosts of a fleet share; None: this is the only one."""
        self.marks, self.claim, self.far = marks, extra, far
        self.memory, self.flights = Memory(), Flights()

    async def let_go(self, places: Iterable[int] | None, later: float = 0.0) -> bool:
        """Something has changed at these places (None: anywhere), or may for `later` more seconds; False: the other
        hosts of the fleet don't know it yet."""
        if places is None:
            self.marks.touch_all()
        else:
            self.marks.touch(places := tuple(places), later)
        return self.far is None or await self.far.touch(places or (), later, everything=places is None)

    async def close(self) -> None:
        """Ends what is under way."""
        await self.flights.close()
        if self.far is not None:
            await self.far.close()


def far_of(url: str, keys: Keyring) -> Far | None:
    """What the hosts of a fleet share, by `stores.cache`, sealed by `keys`; None: each keeps its own. Raises
    `StoreError`."""
    if url == "memory:":
        return None
    from gateway.cache.far import Far  # slow to import, and few need it

    return Far(url, keys)


class NothingLike(ValueError):
    """There is no such group, or its routes have no such parameter; the message is a sentence."""


def places_of(compiled: Compiled, group: str, entity: tuple[str, str] | None = None) -> tuple[int, ...]:
    """Where what is kept of a group is let go, or, besides its lists, of one entity: a path parameter's name and its
    value. For whoever learns of a change that wasn't made through the gateway. Raises `NothingLike`."""
    routes = [each for each in compiled.routes if each.group == group]
    if not routes:
        raise NothingLike(f"There is no group '{group}'.")
    if entity is None:
        return group_places(group, routes)
    if entity[0] not in map(first_of, routes):
        known = ", ".join(sorted({*map(first_of, routes)} - {""})) or "none"
        raise NothingLike(f"No route of '{group}' tells entities by '{entity[0]}': they are told by {known}.")
    others = [each for each in routes if first_of(each) != entity[0]]
    return (*group_places(group, others), entity_place(group, *entity))
