"""By which route a captured source is told: the one that shows all of its entities, one by one or as a list.

Only a route counts that its caller may ask for every entity: one whose binding adds nothing of its own, such as the
caller's tenant. Else events would tell what the route keeps back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from adapters.contract import Adapter, Effect, Json
from gateway.filters.shape import trimmer
from gateway.routing.capture_checks import key_of
from gateway.routing.captures import CaptureModel
from gateway.routing.model import Binding, Compiled, MappingFailed, Route


@dataclass(frozen=True, slots=True)
class Source:
    """One captured source with its route."""

    name: str
    """`UPSTREAM.CAPTURE`."""
    route: Route
    shaped: Callable[[Json], Json]
    """The source's row as the route answers it before anybody's policy; raises `MappingFailed`."""
    key: tuple[str, ...]
    """The members of what the route answers that are the key; empty: nobody can say which they are."""
    columns: tuple[str, ...] = ()
    """The source's own names of the same."""
    binding: Binding | None = None
    """By which the route asks for one of them; None: it answers lists."""


def sources_of(compiled: Compiled, adapters: Mapping[str, Adapter]) -> dict[str, Source]:
    """The sources that a route tells, by `UPSTREAM.CAPTURE`."""
    found = {}
    for upstream, spec in compiled.upstreams.items():
        for own, model in spec.changes.items():
            adapter = adapters.get(upstream)
            made = None if adapter is None else _source(compiled.routes, upstream, own, model, adapter)
            if made is not None:
                found[made.name] = made
    return found


def _source(routes: Iterable[Route], upstream: str, own: str, model: CaptureModel, adapter: Adapter) -> Source | None:
    table = model.table or own
    ways = sorted(_ways(routes, upstream, table, model), key=lambda way: way[0])
    if not ways:
        return None
    _, route, binding, within = ways[0]
    key = key_of(adapter, model, own)
    one = None if route.is_list else binding
    return Source(f"{upstream}.{own}", route, _shaping(route, binding, within), _members(binding, key), key, one)


def _ways(
    routes: Iterable[Route], upstream: str, table: str, model: CaptureModel
) -> Iterator[tuple[int, Route, Binding, tuple[str, ...]]]:
    """The routes that show the source: the best first by its number, and in what of a result its binding finds rows."""
    for route in routes:
        if route.effect is not Effect.READ or route.method != "GET" or route.reply is None or route.content:
            continue
        for binding in (route.legacy, route.replacement):
            if binding is None or binding.upstream != upstream:
                continue
            if model.operation is not None:
                within = tuple(model.items.split("."))
                if binding.operation == model.operation and route.is_list and _asks_the_same(binding, model):
                    yield 0, route, binding, within
            elif binding.operation == f"{table}.get" and not route.is_list and _takes_any(binding):
                yield 0, route, binding, ()
            elif binding.operation == f"{table}.list" and route.is_list and binding.input is None:
                yield 1, route, binding, ("items",)


def _takes_any(binding: Binding) -> bool:
    """Whether an entity is asked for by nothing but what the caller gives in the path."""
    return binding.input is None or all(each.names() == {"path"} for each in binding.input.values())


def _asks_the_same(binding: Binding, model: CaptureModel) -> bool:
    """Whether the route asks for what is captured, whoever calls."""
    if not all(part.isidentifier() for part in model.items.split(".")):
        return False
    if binding.input is None:
        return not model.input
    if any(each.names() for each in binding.input.values()):
        return False
    try:
        return {name: each({}) for name, each in binding.input.items()} == model.input
    except MappingFailed:
        return False


def _shaping(route: Route, binding: Binding, within: tuple[str, ...]) -> Callable[[Json], Json]:
    output, trim = binding.output, trimmer(route.reply or {})

    def shaped(row: Json) -> Json:
        value = row
        for number, name in enumerate(reversed(within)):
            value = {name: [value] if number == 0 else value}
        if within:
            value = {"next": None, **value}
        mapped = trim(value if output is None else output(value))
        if not route.is_list:
            return mapped
        items = mapped.get("items") if isinstance(mapped, dict) else None
        if not isinstance(items, list) or len(items) > 1:
            raise MappingFailed("the route doesn't answer the source's entities one by one")
        return items[0] if items else None  # the mapping itself leaves some out

    return shaped


def _members(binding: Binding, key: tuple[str, ...]) -> tuple[str, ...]:
    if binding.output is None:
        return key
    named = {theirs: ours for ours, theirs in binding.fields.items()}
    return tuple(named[each] for each in key) if key and all(each in named for each in key) else ()
