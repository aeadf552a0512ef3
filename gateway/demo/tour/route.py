"""The tour's way, step by step: from legacy to new_only, with one release of the new CRM that goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx

from gateway.demo.tour.desk import Desk, TourFailed, say
from gateway.demo.tour.traffic import Traffic

GROUP = "customers"
_WATCH = 3.0
_RAMP = 120.0
_APPROVERS = ("approver", "second_approver")


async def go(desk: Desk, estate: Mapping[str, Any], traffic: Traffic) -> None:
    """All of it; raises `TourFailed`."""
    await _look(desk, traffic)
    await _shadow(desk, traffic)
    await _write_to_both(desk, traffic)
    await _canary(desk, 50)
    await _regression(desk, estate, traffic)
    await _once_more(desk, traffic)
    await _turn_writes_round(desk, traffic)
    await _point_of_no_return(desk)
    await _lay_the_old_one_down(desk, traffic)
    await _is_everything_there(desk, estate, traffic)


async def _look(desk: Desk, traffic: Traffic) -> None:
    _title("Where the customers are: in the old CRM, which speaks SOAP")
    await desk.verb("route", "list")
    await desk.verb("route", "flip", GROUP, "--reads", "canary", "--reason", "in one go", expect=(1,))
    await asyncio.sleep(1)
    say(f"  Callers so far: {traffic.words()}.")


async def _shadow(desk: Desk, traffic: Traffic) -> None:
    _title("Shadow: the new CRM is asked the same off the path, and nobody waits for it")
    await desk.verb("route", "flip", GROUP, "--reads", "shadow", "--reason", "how alike?", "--plan")
    await desk.flip(GROUP, "how alike are they?", "--reads", "shadow")
    await asyncio.sleep(_WATCH)
    await desk.verb("route", "parity", GROUP)
    say(f"  Callers so far: {traffic.words()}.")


async def _write_to_both(desk: Desk, traffic: Traffic) -> None:
    _title("Writes go to both: the old CRM has the last word, the new one is told")
    say("  The new CRM can't show what a write would do, so dry_run is skipped.")
    await desk.flip(GROUP, "the new CRM must know what is written", "--writes", "dual_legacy")
    say("  From now on somebody writes, too: what only the old CRM was told would have to be copied over first.")
    traffic.write(desk.url, desk.headers("platform"))
    await asyncio.sleep(_WATCH)


async def _canary(desk: Desk, weight: float) -> None:
    _title("Canary: a share of the customers is served by the new CRM; the ramp goes on by itself")
    await desk.flip(GROUP, "the first customers", "--reads", "canary", "--weight", "10")
    stage = await desk.until(GROUP, _RAMP, reads="canary", weight=weight)
    step = await desk.newest("autopilot")
    say(f"  Snapshot {step['version']}: the autopilot went on to {stage['weight']:g} %, as {step['reason']}.")


async def _regression(desk: Desk, estate: Mapping[str, Any], traffic: Traffic) -> None:
    _title("A bad release of the new CRM: it answers amounts in cents instead of euros")
    control = f"{estate['crm_next']['url']}/control"
    async with httpx.AsyncClient() as client:
        before = traffic.calls["read by replacement"]
        (await client.post(control, json={"cents": True})).raise_for_status()
        await desk.until(GROUP, _RAMP, reads="legacy")
        bad = traffic.calls["read by replacement"] - before
        (await client.post(control, json={"cents": False})).raise_for_status()
    back = await desk.newest("autopilot")
    say(f"  The autopilot rolled back with snapshot {back['version']}: {back['reason']}.")
    say(f"  The new CRM had served {bad} reads since. Its evidence:")
    say("\n".join(f"    {line}" for line in _brief(back["evidence"])))


async def _once_more(desk: Desk, traffic: Traffic) -> None:
    _title("Mended: once more, through every step")
    await desk.flip(GROUP, "mended", "--reads", "shadow")
    await asyncio.sleep(_WATCH / 2)
    await desk.flip(GROUP, "once more", "--reads", "canary", "--weight", "10")
    await desk.until(GROUP, _RAMP, reads="canary", weight=99)
    await desk.flip(GROUP, "all but one in a hundred", "--reads", "live")
    await asyncio.sleep(_WATCH)
    say(f"  Callers so far: {traffic.words()}.")


async def _turn_writes_round(desk: Desk, traffic: Traffic) -> None:
    _title("The new CRM gets the last word on writes; the old one is told, so that there is a way back")
    await desk.flip(GROUP, "reads are there", "--writes", "dual_new")
    await asyncio.sleep(_WATCH / 2)
    await desk.flip(GROUP, "nobody misses the old CRM", "--reads", "new_only")
    await asyncio.sleep(_WATCH / 2)
    say(f"  Callers so far: {traffic.words()}.")


async def _point_of_no_return(desk: Desk) -> None:
    _title("Do both hold the same? Each customer is compared, while somebody writes")
    step = ("route", "flip", GROUP, "--writes", "new_only", "--reason", "the old CRM goes")
    await desk.verb(*step, expect=(1,))
    await desk.verb("route", "reconcile", GROUP)
    await desk.caught_up(GROUP, _RAMP)
    _title("The point of no return: two other people must say yes")
    await desk.verb(*step, expect=(1,))
    asked = json.loads((await desk.verb("approvals", "list", "--pending", "--json", role="approver", quiet=True)).said)
    if not asked:
        raise TourFailed("nobody was asked for an approval")
    for role in _APPROVERS:
        await desk.verb("approvals", "approve", asked[0]["id"], "--reason", "seen", role=role)
    await desk.verb(*step)


async def _lay_the_old_one_down(desk: Desk, traffic: Traffic) -> None:
    _title("May the old CRM be switched off? Not yet, and why")
    await desk.flip(GROUP, "nothing calls it any more", "--probe", "off")
    await asyncio.sleep(1)
    await desk.verb("route", "brownout", GROUP, "--for", "5s", "--reason", "does anybody still need the old CRM?")
    await asyncio.sleep(5)
    await desk.verb("route", "evidence", GROUP, expect=(1,))
    await desk.verb("route", "list")
    await desk.verb("history", "--limit", "30")
    await traffic.stop()
    say(f"  Callers in all: {traffic.words()}.")


async def _is_everything_there(desk: Desk, estate: Mapping[str, Any], traffic: Traffic) -> None:
    """Each customer must be as its last writer left it, in the new CRM itself, past the gateway."""
    new = estate["crm_next"]
    headers = {"authorization": f"Bearer {new['token']}"}
    wrong = []
    async with httpx.AsyncClient(base_url=new["url"], headers=headers) as client:
        for customer, limit in traffic.written.items():
            held = (await client.get(f"/v2/customers/{customer}")).raise_for_status().json()["creditLimit"]["amount"]
            wrong += [] if held == limit else [f"{customer}: {held}, not {limit}"]
    say(f"  {len(traffic.written)} customers were changed; the new CRM holds the last change of all but {len(wrong)}.")
    if wrong:
        raise TourFailed(f"lost: {'; '.join(wrong[:5])}")
    if traffic.failed:
        raise TourFailed(f"callers met failures: {dict(traffic.failed)}")


def _title(text: str) -> None:
    say(f"\n── {text} ".ljust(110, "─"))


def _brief(evidence: Mapping[str, Any]) -> list[str]:
    """The evidence, a line a part."""
    return [f"{name}: {json.dumps(value)}" for name, value in evidence.items() if value not in (None, [], {})]
