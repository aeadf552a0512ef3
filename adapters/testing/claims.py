"""The rule about what an adapter claims: of dry runs, lookups, bulk reads, and of what its lists obey."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from adapters.capabilities import SupportsBulk, SupportsDryRun, SupportsLookup
from adapters.contract import Adapter, Context, Json
from adapters.errors import AdapterError, NotTried
from adapters.testing.bench import Bench, NotAsked, broken, told
from adapters.testing.outcomes import Writes, writes_of
from adapters.testing.subject import SECONDS, Sample


async def claims(bench: Bench) -> None:
    """Tries what it says that it can do beside the five verbs."""
    adapter = bench.build()
    asked = False
    if isinstance(adapter, SupportsDryRun) and bench.subject.write is not None:
        asked = True
        await _check_dry_run(bench, adapter, writes_of(bench, adapter))
    if isinstance(adapter, SupportsLookup) and bench.subject.write is not None:
        asked = True
        await _check_lookup(bench, adapter, writes_of(bench, adapter))
    if isinstance(adapter, SupportsBulk) and bench.subject.listed is not None:
        asked = True
        await _check_bulk(bench, adapter, bench.subject.listed)
    if bench.subject.listed is not None:
        asked = await _check_list(bench, adapter, bench.subject.listed) or asked
    if not asked:
        raise NotAsked("it claims nothing more")


async def _check_dry_run(bench: Bench, adapter: SupportsDryRun, writes: Writes) -> None:
    sample, before = writes.next(), writes.count()
    context = Context(time.monotonic() + SECONDS, principal="ann")
    tries = adapter.tries(sample.operation)
    try:
        await adapter.dry_run(sample.operation, sample.input, context)
        tried = True
    except NotTried:
        tried = False
    except AdapterError as error:
        if tries:
            broken(f"a dry run of {sample.operation} is {told(error)}, though it says that it tries it")
        return
    if writes.count() != before:
        broken(f"a dry run of {sample.operation} changed the system")
    if tries is not None and tries != tried:
        broken(f"it says that it {'tries' if tries else 'does not try'} {sample.operation}, and does the opposite")


async def _check_lookup(bench: Bench, adapter: Adapter, writes: Writes) -> None:
    assert isinstance(adapter, SupportsLookup)
    operation = writes.next().operation
    context = Context(time.monotonic() + SECONDS, principal="ann")
    if await adapter.lookup(operation, "figway-never-used", context) is not None:
        broken("a lookup knows of a write that never happened")
    await writes.tried(adapter, SECONDS, "figway-used-once")
    if await adapter.lookup(operation, "figway-used-once", context) is None:
        broken("a lookup doesn't know of a write that happened")


async def _check_bulk(bench: Bench, adapter: Adapter, listed: Sample) -> None:
    assert isinstance(adapter, SupportsBulk)
    whole = await _items(bench, adapter, listed)
    context = Context(time.monotonic() + SECONDS, principal="ann")
    found: list[Json] = []
    async for batch in adapter.bulk(listed.operation, listed.input, context):
        found += batch
    if found != whole:
        broken(f"read in bulk, {listed.operation} has other items than its pages")


async def _check_list(bench: Bench, adapter: Adapter, listed: Sample) -> bool:
    """Tries what the list says that it obeys, on a field that tells its items apart; whether it says anything."""
    known = bench.operation(adapter, listed)
    whole = await _items(bench, adapter, listed)
    if len(whole) < 2 or not all(isinstance(item, dict) for item in whole):
        return False
    name = next((name for name in whole[0] if _tells_apart(whole, name)), None)
    if name is None:
        return False
    wanted = [item for item in whole if item[name] == whole[1][name]]
    only = [name, "eq", whole[1][name]]
    filtered = known.filters is None or name in known.filters
    if known.filters_rows:
        none, some = [await _items(bench, adapter, listed, rows=rows) for rows in ([], [[only]])]
        if none or some != wanted:
            broken(f"{listed.operation} says that it filters rows, and shows some that the caller may not see")
    if filtered and await _items(bench, adapter, listed, where=[only]) != wanted:
        broken(f"{listed.operation} says that it can be filtered by {name}, and answers other items")
    if known.sorts:
        up, down = [await _items(bench, adapter, listed, sort=[sign + name]) for sign in ("", "-")]
        if up != down[::-1] or _in_order(up) != _in_order(whole):
            broken(f"{listed.operation} says that it can be sorted, and isn't by {name}")
    return known.filters_rows or filtered or known.sorts


def _tells_apart(items: list[dict[str, Json]], name: str) -> bool:
    values = [item.get(name) for item in items]
    plain = all(isinstance(value, str | int) and not isinstance(value, bool) for value in values)
    return plain and len(set(values)) == len(values)


def _in_order(items: list[Json]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)


async def _items(bench: Bench, adapter: Adapter, listed: Sample, **more: Json) -> list[dict[str, Json]]:
    value = await bench.answer(adapter, replace(listed, input={**listed.input, "limit": 1000, **more}))
    items: list[dict[str, Json]] = value["items"]
    return items
