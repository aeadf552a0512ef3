"""Rules about what calls answer, and what they raise, while the system is well."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema_rs

from adapters.contract import Adapter, Json, Result
from adapters.errors import AdapterError, DoNotRetry, Invalid, NotFound
from adapters.testing.bench import Bench, NotAsked, broken, told
from adapters.testing.subject import SECONDS, Sample

_AT_ONCE = 16
_WHOLE = 1000
_STRANGE = "no such operation"


async def answers(bench: Bench) -> None:
    """Calls each read twice, the list, and judges the results."""
    adapter = bench.build()
    samples = [*bench.subject.reads, *([bench.subject.listed] if bench.subject.listed else [])]
    for sample in samples:
        operation = bench.operation(adapter, sample)
        if problem := _misfit(operation.input, sample.input):
            broken(f"the sample of {sample.operation} doesn't fit its input's schema: {problem}")
        outcome = await bench.call(adapter, sample)
        if isinstance(outcome, AdapterError):
            broken(f"{sample.operation} fails with {told(outcome)}")
        _check_result(sample, outcome)
        if problem := _misfit(operation.output, outcome.value):
            broken(f"what {sample.operation} answers doesn't fit its output's schema: {problem}")
    for sample in bench.subject.reads:
        if await bench.answer(adapter, sample) != await bench.answer(adapter, sample):
            broken(f"{sample.operation} answers twice differently: choose a read that doesn't change")


def _misfit(schema: Mapping[str, Any], value: Json) -> str | None:
    error = next(jsonschema_rs.validator_for(dict(schema)).iter_errors(value), None)
    return None if error is None else f"{error.message}"


def _check_result(sample: Sample, result: Result) -> None:
    if not isinstance(result, Result):
        broken(f"{sample.operation} answers {type(result).__name__}, not a Result")
    if problem := _no_json(result.value):
        broken(f"{sample.operation} answers {problem}, which isn't a JSON value as adapters.contract spells them")
    if result.as_of.utcoffset() != timedelta(0):
        broken(f"the as_of of {sample.operation} isn't an instant in UTC")
    if not result.sources or any(source.system != "subject" for source in result.sources):
        broken(f"{sample.operation} doesn't name the source of its answer, by the upstream's own name")


def _no_json(value: Any) -> str | None:
    """What in it isn't a JSON value."""
    if value is None or isinstance(value, bool | str):
        return None
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**64 else "an integer of more than 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return next(filter(None, map(_no_json, value)), None)
    if isinstance(value, dict):
        if any(type(name) is not str for name in value):
            return "a member whose name is no text"
        return next(filter(None, map(_no_json, value.values())), None)
    return f"a {type(value).__name__}"


async def errors(bench: Bench) -> None:
    """Calls what isn't there, what breaks the system's rules, and reads that lack what their schemas require."""
    adapter, subject = bench.build(), bench.subject
    if subject.missing is None and subject.invalid is None:
        broken("the subject has neither a missing nor an invalid sample")
    if subject.missing is not None:
        _expect(await bench.call(adapter, subject.missing), NotFound, "a call for what isn't there")
    if subject.invalid is not None:
        _expect(await bench.call(adapter, subject.invalid), Invalid, "a call that breaks the system's rules")
    await _check_unknown(bench, adapter)
    for sample in subject.reads:
        required = bench.operation(adapter, sample).input.get("required", ())
        for name in required:
            less = {each: value for each, value in sample.input.items() if each != name}
            outcome = await bench.call(adapter, replace(sample, input=less))
            _expect(outcome, DoNotRetry, f"{sample.operation} without {name}")


async def _check_unknown(bench: Bench, adapter: Adapter) -> None:
    """An operation that isn't known is an error before anything is sent."""
    read = bench.subject.reads[0]
    context = bench.context(adapter, read, SECONDS)
    call = asyncio.ensure_future(adapter.invoke(_STRANGE, {}, context))
    await asyncio.wait({call}, timeout=SECONDS)
    if not call.done():
        broken("a call of an unknown operation doesn't end")
    _expect(bench.outcome("a call of an unknown operation", call), DoNotRetry, "a call of an unknown operation")


def _expect(outcome: Result | AdapterError, wanted: type[AdapterError], what: str) -> None:
    if isinstance(outcome, AdapterError) and not isinstance(outcome, wanted):
        broken(f"{what} is {told(outcome)}; it should be {wanted.__name__}")
    if not isinstance(outcome, AdapterError):
        broken(f"{what} has a result; it should be {wanted.__name__}")


async def concurrent(bench: Bench) -> None:
    """Many calls at once, in turn of the samples; each gets what it gets alone."""
    adapter, reads = bench.build(), bench.subject.reads
    alone = [await bench.answer(adapter, sample) for sample in reads]
    found = await asyncio.gather(*(bench.answer(adapter, reads[n % len(reads)]) for n in range(_AT_ONCE)))
    if found != [alone[n % len(reads)] for n in range(_AT_ONCE)]:
        broken(f"of {_AT_ONCE} calls at once some got another's answer")


async def pages(bench: Bench) -> None:
    """Reads the list as a whole, then two items at a time."""
    adapter, listed = bench.build(), bench.subject.listed
    if listed is None:
        if any(operation.is_list for operation in adapter.operations().values()):
            broken("it has lists, and the subject names none as listed")
        raise NotAsked("it has no lists")
    whole = await _page(bench, adapter, listed, _WHOLE, None)
    items = whole["items"]
    if whole["next"] is not None or len(items) < 3:
        broken(f"the sample {listed.operation} needs from three to {_WHOLE} items, has {len(items)}")
    walked: list[Json] = []
    after: Json = None
    while len(walked) <= len(items):
        page = await _page(bench, adapter, listed, 2, after)
        if not page["items"] and page["next"] is not None:
            broken("an empty page says that more follows")
        walked += page["items"]
        after = page["next"]
        if after is None:
            break
    if walked != items:
        broken("read two at a time, the list has other items, or in another order, than read at once")


async def _page(bench: Bench, adapter: Adapter, listed: Sample, limit: int, after: Json) -> Mapping[str, Json]:
    position = {} if after is None else {"after": after}
    value = await bench.answer(adapter, replace(listed, input={**listed.input, "limit": limit, **position}))
    if not isinstance(value, dict) or not isinstance(value.get("items"), list) or "next" not in value:
        broken(f"{listed.operation} doesn't answer items and next")
    if len(value["items"]) > limit:
        broken(f"{listed.operation} answers {len(value['items'])} items where {limit} were asked for")
    return value
