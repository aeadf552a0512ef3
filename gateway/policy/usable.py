"""What a caller may use of all routes: the one answer for every list, be it of operations or of tools."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gateway.call import Principal
from gateway.policy.decide import Decision, Policies
from gateway.routing.model import Route

_AT_ONCE = 8
"""Decisions, up to a millisecond each when they are new, before other calls get their turn."""


async def usable(policies: Policies, principal: Principal, routes: Mapping[str, Route]) -> dict[str, Decision]:
    """The routes that `principal` may use, by operationId, with what was decided."""
    for number, route in enumerate(routes.values(), 1):
        policies.decide(principal, route)  # remembered for the list
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return policies.listed(principal, routes)
