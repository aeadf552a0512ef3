"""What a call asks of its binding's operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from adapters.contract import Effect, Json
from gateway.adapter_problems import moved
from gateway.call import Call
from gateway.errors import InternalError, InvalidRequest
from gateway.routing.model import Binding, MappingFailed, Route
from gateway.routing.scope import is_given, scope_builder
from gateway.routing.shown import SHOWN, expandable


def visible(call: Call, binding: Binding) -> list[list[list[Json]]] | None:
    """The rows that the caller may see, by the upstream's names; None: all, or the upstream can't be narrowed."""
    if call.grant is None or not call.grant.narrows or not binding.filters_rows:
        return None
    rows: list[list[list[Json]]] | None = call.grant.rows(None if binding.output is None else binding.fields)
    return rows


Build: TypeAlias = Callable[[Call], dict[str, Json]]


def input_builder(route: Route, binding: Binding) -> Build:
    """A function from a call to the operation's input, as the binding says or, where it is silent, by default."""
    build = _plain(route, binding)
    adders = [
        each
        for each in (_fields(route, binding), _expand(route, binding), _expected(route, binding))
        if each is not None
    ]
    if not adders:
        return build

    def built(call: Call) -> dict[str, Json]:
        input = build(call)
        for add in adders:
            add(call, input)
        return input

    return built


def _plain(route: Route, binding: Binding) -> Build:
    if binding.input is None:
        return _listed(route, binding) if route.is_list else _merged(route, binding)
    names = frozenset().union(*(expression.names() for expression in binding.input.values()))
    scope = scope_builder(names)
    expressions = tuple(binding.input.items())

    def build(call: Call) -> dict[str, Json]:
        values = scope(call)
        try:
            mapped = [(name, expression, expression(values)) for name, expression in expressions]
        except MappingFailed as error:
            raise InternalError("The route's input mapping failed.", note=str(error)) from error
        input: dict[str, Json] = {}
        for name, expression, value in mapped:
            # What the caller left out stays out: an absent value is not a null.
            if value is not None or is_given(expression, values):
                _put(input, name, value)
        return input

    return build


def _put(input: dict[str, Json], name: str, value: Json) -> None:
    """Sets a member; the name `Changes.Email` leads into a member's member."""
    *parents, last = name.split(".")
    for parent in parents:
        input = input.setdefault(parent, {})
    input[last] = value


def _merged(route: Route, binding: Binding) -> Build:
    ours = SHOWN - binding.claims if route.effect is Effect.READ else frozenset[str]()
    ours &= {each.name for each in route.parameters if each.where == "query"}

    def build(call: Call) -> dict[str, Json]:
        body = call.body if isinstance(call.body, dict) else {}
        query = {name: value for name, value in call.query.items() if name not in ours} if ours else call.query
        return {**body, **query, **call.path}

    return build


def _listed(route: Route, binding: Binding) -> Build:
    fields = binding.fields
    both_ways = route.both_ways and "before" in binding.takes

    def translated(name: str) -> str:
        sign, plain = ("-", name[1:]) if name.startswith("-") else ("", name)
        if fields and plain not in fields:
            raise InvalidRequest(
                f"The list can't be sorted by '{plain}'.",
                errors=[
                    {"pointer": "/query/sort", "detail": "names a field that isn't known", "expected": sorted(fields)}
                ],
                fix=f"Sort by one of {', '.join(sorted(fields))}.",
            )
        return sign + fields.get(plain, plain)

    def build(call: Call) -> dict[str, Json]:
        page = call.page
        path = [[fields.get(name, name), "eq", value] for name, value in call.path.items()]
        where = [[fields.get(name, name), operator, value] for name, operator, value in page["where"]]
        sort = [translated(name) for name in page["sort"]]
        input = {"limit": page["limit"], "after": page["after"], "sort": sort, "where": path + where}
        if both_ways:
            input["before"] = page.get("before")
        rows = visible(call, binding)
        if rows is not None:
            input["rows"], call.rows_pushed = rows, True
        return input

    return build


# ── what of entities is wanted ───────────────────────────────────────────────────────────────────────────────


Add: TypeAlias = Callable[[Call, dict[str, Json]], None]


def _fields(route: Route, binding: Binding) -> Add | None:
    """Has the upstream itself leave out what isn't wanted; None: it can't, or the reply is to be held against another
    side's, which takes all of both."""
    reads = binding.reads
    if not route.sparse or reads is None or "fields" not in binding.takes or not _shapes(route, binding):
        return None
    if route.legacy is not None and route.replacement is not None:
        return None
    joined = frozenset(expandable(route))
    own = frozenset(() if binding.version is None else (binding.version,))

    def add(call: Call, input: dict[str, Json]) -> None:
        if not call.fields:
            return
        # What decides on rows and masks has to be there until it has decided.
        wanted = {*call.fields, *(call.grant.decides_by if call.grant is not None else ())} - joined
        names = sorted({each for name in wanted if name in reads for each in reads[name]})
        if names:
            input["fields"], call.partial = [*names, *(own - {*names})], True

    return add


def _expand(route: Route, binding: Binding) -> Add | None:
    reads, known = binding.reads or {}, expandable(route)
    if not known or "expand" in binding.claims or "expand" not in binding.takes or not _shapes(route, binding):
        return None

    def add(call: Call, input: dict[str, Json]) -> None:
        names = call.query.get("expand")
        if not names:
            return
        if call.grant is not None and call.grant.narrows:
            raise InvalidRequest(
                "You may not expand here: what would be joined can't be held to the rows that you may see.",
                errors=[{"pointer": "/query/expand", "detail": "isn't for you"}],
                fix="Leave it out, and ask the other entity's own route.",
            )
        input["expand"] = [each for name in dict.fromkeys(names) for each in reads.get(name, ())]

    return add


def _expected(route: Route, binding: Binding) -> Add | None:
    """Has the upstream change the version alone that the caller has seen."""
    if not route.versioned or route.effect is Effect.READ:
        return None

    def add(call: Call, input: dict[str, Json]) -> None:
        if call.expected is not None:
            upstream, version = call.expected
            if upstream != binding.upstream or binding.version is None:
                raise moved(note=f"the version is one of the upstream {upstream}")
            input[binding.version] = version

    return add


def _shapes(route: Route, binding: Binding) -> bool:
    """Whether the operation's `fields` and `expand` are free: of a list, where it gets the page's request as it is."""
    return not route.is_list or binding.input is None
