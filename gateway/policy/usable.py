"""What a caller may use of all routes: the one answer for every list, be it of operations or of tools."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from gateway.call import Principal
from gateway.policy.decide import Decision, Policies
from gateway.policy.grants import Grant
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


def narrowed(document: dict[str, Any], decisions: Mapping[str, Decision]) -> dict[str, Any]:
    """An OpenAPI document of operations that a caller may use, which now say what of their replies it doesn't see."""
    for item in document["paths"].values():
        for method, operation in item.items():
            grant = decisions[operation["operationId"]].grant
            if grant is not None:
                item[method] = {**operation, **_unseen(grant)}
    return document


def _unseen(grant: Grant) -> dict[str, Any]:
    left_out, tokens = grant.always()
    told = {"left-out": left_out, "tokens": tokens}
    found: dict[str, Any] = {f"x-figway-{name}": [".".join(path) for path in paths] for name, paths in told.items()}
    found["x-figway-some-rows"] = grant.narrows
    return {name: value for name, value in found.items() if value}
