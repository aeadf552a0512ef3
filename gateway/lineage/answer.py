"""What is told of one reply: its fields, the mappings that made it, and the calls of upstreams that it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from adapters.contract import Json
from adapters.errors import pointer
from gateway.instants import spelt
from gateway.lineage.origins import Origin, Origins, Told, binding_of, output_of, sides_of, used
from gateway.lineage.places import line_of
from gateway.routing.model import Compiled, Route, Step

Elements: TypeAlias = Callable[[str, str, str], str | None]
"""From an upstream, its operation and a JSON Pointer into what it answers to the upstream's own name for it."""
May: TypeAlias = Callable[[str], bool]
"""Whether whoever asks may call the route of an operationId."""
Record: TypeAlias = Mapping[str, Any]
"""An audit record of kind `call`, as `gateway/audit/README.md` describes it."""

_OK = 400


def told_without_snapshot(record: Record) -> dict[str, Json]:
    """What the record alone tells: the calls and their sources, but not which field came from which."""
    replied = _time(record["time"]) + timedelta(seconds=record["seconds"])
    calls = [_call(each, replied) for each in record["upstream_calls"]]
    stamps = [source["as_of"] for call in calls for source in call["sources"] if source.get("as_of")]
    oldest = min(map(_time, stamps), default=None)
    return {
        "id": record["id"],
        "operation": record["operation"],
        "route": record["route"],
        "status": record["status"],
        "run": record.get("run"),
        "replied": spelt(replied, "milliseconds"),
        "served_by": record.get("served_by"),
        "as_of": spelt(oldest, "milliseconds") if oldest is not None else None,
        "age": _age(oldest, replied) if oldest is not None else None,
        "snapshot": {"version": record["snapshot"]},
        "calls": calls,
        "mappings": [],
        "fields": [],
    }


def told(
    record: Record, compiled: Compiled, origins: Origins, elements: Elements, may: May = lambda _: True
) -> dict[str, Json]:
    """The whole answer, but for the parts of routes that whoever asks may not call. A reply that was a problem has no
    fields."""
    answer = told_without_snapshot(record)
    answer["snapshot"]["hash"] = compiled.hash
    route = origins.route(record["operation"])
    if route is None:
        return answer
    answer["snapshot"]["contract"] = route.where
    side = record.get("served_by")
    if side == "mock":
        return {**answer, "note": "No system is behind the route: the reply was an example made from the contract."}
    examples = (record.get("noted") or {}).get("mocked")
    if examples:
        answer["note"] = f"Parts of the reply were examples made from the contract: those of {', '.join(examples)}."
    found = [_seen(each, may) for each in origins.fields(route, side)] if record["status"] < _OK else []
    answer |= _steps(record, origins, may)
    names = used(found) or [route.operation_id]
    routes = [each for name in names if (each := origins.route(name)) is not None]
    mapped = [(each, which) for each in routes for which in sides_of(each, side)]
    answer["mappings"] = [_mapping(each, which, compiled) for each, which in mapped]
    numbers = {_made_by(each, which): number for number, (each, which) in enumerate(mapped)}
    called = [(call["upstream"], call["operation"]) for call in answer["calls"]]
    answer["fields"] = [_field(each, numbers, called, elements) for each in found]
    return answer


def _seen(told: Told, may: May) -> Told:
    origins, when = (frozenset(each for each in of if all(map(may, each.through))) for of in (told.origins, told.when))
    return replace(told, origins=origins, when=when)


def _steps(record: Record, origins: Origins, may: May) -> dict[str, Json]:
    """Of a composite, when each step ran and how it ended, with the expressions that made its input."""
    noted = (record.get("noted") or {}).get("steps")
    if not noted:
        return {}
    seen = [each for each in noted if may(each["route"])]
    return {"steps": [{**each, **_asked(each["step"], record["operation"], origins)} for each in seen]}


def _asked(step: str, operation: str, origins: Origins) -> dict[str, Json]:
    *outer, last = step.split(".")
    for name in outer:
        operation = next((each.route for each in _of(operation, origins) if each.name == name), "")
    found = next((each for each in _of(operation, origins) if each.name == last), None)
    if found is None:
        return {}
    conditions = {"when": found.when, "for_each": found.for_each}
    told: dict[str, Json] = {"input": {name: each.source for name, each in found.input.items()}}
    return told | {name: each.source for name, each in conditions.items() if each is not None}


def _of(operation: str, origins: Origins) -> tuple[Step, ...]:
    route = origins.route(operation)
    return () if route is None or route.compose is None else route.compose.steps


def _call(call: Mapping[str, Any], replied: datetime) -> dict[str, Json]:
    return {
        "upstream": call["upstream"],
        "operation": call["operation"],
        "outcome": call["outcome"],
        "seconds": call["seconds"],
        "sources": [_source(each, replied) for each in call.get("sources", ())],
        "more_sources": call.get("more_sources", 0),
    }


def _source(source: Mapping[str, Any], replied: datetime) -> dict[str, Json]:
    known = {name: source[name] for name in ("object", "key", "span", "as_of") if source.get(name) is not None}
    return known | ({"age": _age(_time(known["as_of"]), replied)} if "as_of" in known else {})


_Numbers: TypeAlias = Mapping[tuple[str, str, str], int]
"""From a route, an upstream and its operation to the mapping that made of it what the route answers."""


def _made_by(route: Route, side: str | None) -> tuple[str, str, str]:
    binding = binding_of(route, side)
    return (
        (route.operation_id, "", "") if binding is None else (route.operation_id, binding.upstream, binding.operation)
    )


def _mapping(route: Route, side: str | None, compiled: Compiled) -> dict[str, Json]:
    output, binding = output_of(route, side), binding_of(route, side)
    name = "compose" if binding is None else "legacy" if binding is route.legacy else "replacement"
    made = {
        "route": route.operation_id,
        "binding": name,
        "expression": output.source if output is not None else None,
        "where": line_of(compiled.files, route, name),
    }
    return made if binding is None else {**made, "upstream": binding.upstream, "operation": binding.operation}


def _field(told: Told, numbers: _Numbers, called: list[tuple[str, str]], elements: Elements) -> dict[str, Json]:
    field: dict[str, Json] = {"pointer": pointer(*told.place)}
    if told.own:
        return {**field, "made_by": "gateway", "from": [], "when": []}
    field["from"] = list(_origins(told.origins, numbers, called, elements))
    field["when"] = list(_origins(told.when, numbers, called, elements))
    return field


def _origins(
    origins: Iterable[Origin], numbers: _Numbers, called: list[tuple[str, str]], elements: Elements
) -> Iterator[dict[str, Json]]:
    seen = set()
    for each in sorted(origins, key=lambda origin: (origin.upstream, origin.operation, len(origin.place), origin)):
        place = pointer(*each.place)
        element = elements(each.upstream, each.operation, place)
        # What may stand in a list or in a list within it is one element all the same.
        if (same := (each.upstream, each.operation, each.through, element or place)) in seen:
            continue
        seen.add(same)
        yield {
            "upstream": each.upstream,
            "operation": each.operation,
            "pointer": place,
            "element": element,
            "mappings": list(_through(each, numbers)),
            "calls": [at for at, call in enumerate(called) if call == (each.upstream, each.operation)],
        }


def _through(origin: Origin, numbers: _Numbers) -> Iterator[int]:
    for name in origin.through:
        number = numbers.get((name, origin.upstream, origin.operation), numbers.get((name, "", "")))
        if number is not None:
            yield number


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _age(as_of: datetime, replied: datetime) -> float:
    """How old a value was when it was answered, in seconds."""
    return round(max((replied - as_of).total_seconds(), 0.0), 3)
