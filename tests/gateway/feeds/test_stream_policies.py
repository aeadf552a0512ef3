"""Random policies against random changes, as a stream of NATS has them in the end: no hidden row, no hidden field."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from adapters.changes import Batch, Change, What
from gateway.call import Principal
from gateway.events.loads import LoadedFile

SEED = int(os.environ.get("FIGWAY_SEED", "20261122"))
_STREAM = """
    s{number}:
      url: {url}
      stream: {stream}
      prefix: {prefix}.s{number}
      as: {who}
      sources: [erp.t]
"""


def _events(url: str, stream: str, callers: list[Principal]) -> str:
    text = "events:\n  streams:\n"
    for number, each in enumerate(callers):
        who = {"principal": each.id, "roles": list(each.roles)} | ({"tenant": each.tenant} if each.tenant else {})
        text += _STREAM.format(number=number, url=url, stream=stream, prefix=stream.lower(), who=json.dumps(who))
    return text


def _change(number: int, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Change:
    what = What.INSERT if before is None else What.DELETE if after is None else What.UPDATE
    row = after or before or {}
    return Change(f"c/{number}", what, (row["id"],), after)


@pytest.mark.parametrize(("turns", "changes"), [(2, 60), pytest.param(40, 150, marks=pytest.mark.slow)])
async def test_a_stream_has_what_its_principal_may_see_and_no_more(
    hub: Any, make_place: Callable[..., Any], judged: ModuleType, turns: int, changes: int
) -> None:
    chance, told = random.Random(SEED), 0
    print(f"FIGWAY_SEED={SEED}")
    for turn in range(turns):
        permits, name = judged.permits_of(chance), f"CHANCE{turns}-{turn}"
        await hub.add(name)
        roles = {each.role for each in permits}
        seeing = [each for each in judged.CALLERS if roles & set(each.roles)]
        callers = chance.sample(seeing, 4)
        place = make_place(_events(hub.url, name, callers), files=judged.files(permits), name=str(turn))
        made = judged.changes(chance, changes)
        wanted: list[list[Any]] = [[] for _ in callers]
        for number, who in enumerate(callers):
            place.begin(f"s{number}")
            for before, after in made:
                seen = judged.seen(permits, who, before), judged.seen(permits, who, after)
                if seen[0] != seen[1]:
                    wanted[number].append({"before": seen[0], "after": seen[1]})
        await place.log.write(LoadedFile.enrol, "erp.t", "d")
        batch = [_change(number, *each) for number, each in enumerate(made)]
        await place.log.write(LoadedFile.write, "erp.t", Batch(batch, "", False))
        async with place.working():
            await hub.until(name, sum(map(len, wanted)))
            for number in range(len(callers)):
                await place.reached(f"s{number}", len(made))
        messages = await hub.messages(name)
        for number, each in enumerate(wanted):
            mine = [json.loads(m.data)["data"] for m in messages if m.subject.split(".")[1] == f"s{number}"]
            assert sorted(map(str, mine)) == sorted(map(str, each)), (SEED, turn, number)
            for id in {(row["after"] or row["before"])["id"] for row in each}:  # in the order of each row
                assert [m for m in mine if (m["after"] or m["before"])["id"] == id] == [
                    row for row in each if (row["after"] or row["before"])["id"] == id
                ], (SEED, turn, number, id)
            told += len(mine)
    print(f"{turns} policies, {told} messages")
    assert told > turns * 20
