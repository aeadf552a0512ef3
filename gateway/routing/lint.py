"""What only shows when the whole workspace is seen: a route against its own bindings, and routes against each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Literal

from adapters.contract import Effect, JsonSchema, Operation
from gateway.routing.bindings import operation_of
from gateway.routing.contracts import Exposed
from gateway.routing.freshness import check_freshness
from gateway.routing.lint_composites import check_composite, circles
from gateway.routing.lint_content import check_content
from gateway.routing.lint_safety import check_safety
from gateway.routing.lint_shown import check_shown
from gateway.routing.lint_versions import check_versions
from gateway.routing.mapping import Mapped
from gateway.routing.model import Binding, Expression, Route
from gateway.routing.paths import declared
from gateway.routing.replica_checks import check_materialized
from gateway.routing.report import Place, Report
from gateway.routing.routes import Bound
from gateway.routing.shown import SHOWN
from gateway.routing.splits import NO_EXAMPLE, can_be_mocked
from gateway.routing.upstreams import Upstreams

_OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "like", "null")
_PAGING = ("limit", "cursor")


def lint(bound: list[Bound], upstreams: Upstreams, report: Report, deadline: float) -> None:
    """Notes what doesn't fit together; `deadline` is the workspace's own, in seconds."""
    by_id = {each.route.operation_id: each.route for each in bound}
    sources = {each.route.operation_id: each.operation for each in bound}
    extensions = {name: source.data["x-gateway"] for name, source in sources.items()}
    for each in bound:
        _Linter(each, by_id, upstreams, report).run()
        if each.route.compose is not None:
            check_composite(each.route, by_id, extensions, deadline, partial(_say, each.operation, report))
    for name, place, sentence in circles(by_id):
        _say(sources[name], report, place, sentence)


class _Linter:
    def __init__(self, bound: Bound, routes: Mapping[str, Route], upstreams: Upstreams, report: Report) -> None:
        self._route, self._source, self._whole = bound.route, bound.operation, bound.whole
        self._extension = bound.operation.data["x-gateway"]
        self._routes, self._upstreams, self._report = routes, upstreams, report

    def run(self) -> None:
        self._check_served()
        self._check_effect()
        self._check_location()
        check_freshness(self._route, self._say)
        check_materialized(self._route, self._upstreams, self._say)
        if self._route.is_list:
            self._check_paging()
        if self._whole:
            check_shown(self._route, self._upstreams, self._say)
            check_versions(self._route, self._routes.values(), self._upstreams, self._say)
        check_safety(self._route, self._upstreams, self._say)
        if self._route.content:
            check_content(self._route, self._upstreams, self._say)
        for name, binding in (("legacy", self._route.legacy), ("replacement", self._route.replacement)):
            if binding is not None:
                self._check_binding(binding, name)
        if self._route.compose is not None:
            undone = [
                each for step in self._route.compose.steps if step.compensate for each in step.compensate.input.values()
            ]
            reads = [each for step in self._route.compose.steps for each in step.reads()]
            self._check_all_used(list(_chains([*reads, *undone])), "compose")

    def _check_served(self) -> None:
        bound = not self._extension.keys().isdisjoint(("legacy", "replacement", "missing"))
        if bound == ("compose" in self._extension):
            self._say((), "a route is served by legacy and/or replacement, or else by compose: give one of them")
        elif self._route.absent is not None:
            self._check_absent(self._route)

    def _check_absent(self, route: Route) -> None:
        """What stands for a system is worth a word each time: nobody should take it for one."""
        says = "fail" if route.absent == "fail" else "are answered by examples, and change nothing"
        place = (*self._source.place, "x-gateway", "missing")
        sentence = f"no system is behind {route.operation_id}, so its calls {says}: bind it once there is one"
        self._report.add(self._source.document, place, sentence, "warning")
        if route.absent == "mock" and not can_be_mocked(route):
            self._say(("missing",), NO_EXAMPLE)

    def _check_effect(self) -> None:
        method, effect = self._route.method, self._route.effect
        if self._extension.get("effect") != effect:
            return  # it can't be read, which is told already
        if method == "GET" and effect is not Effect.READ:
            self._say(("effect",), "a GET must only read (RFC 9110 §9.2.1): say effect: read, or use another method")
        elif method in ("PUT", "PATCH", "DELETE") and effect is Effect.READ:
            self._say(("effect",), f"a {method} changes something: say idempotent_write or write, or use GET or POST")

    def _check_location(self) -> None:
        known = declared(self._route.reply) if self._route.reply is not None else {}
        for name in re.findall(r"\{([^{}]*)\}", self._route.location or ""):
            if name not in known:
                self._say(("location",), f"the reply has no '{name}': use one of {', '.join(sorted(known)) or 'none'}")

    def _check_paging(self) -> None:
        names = {each.name for each in self._route.parameters if each.where == "query"}
        for name in _PAGING:
            if name not in names:
                sentence = f"a list (its reply has items and next) needs the query parameter '{name}': declare it"
                self._report.add(self._source.document, (*self._source.place, "parameters"), sentence)

    def _check_binding(self, binding: Binding, side: str) -> None:
        adapter = self._upstreams.adapters.get(binding.upstream)
        operation = None if adapter is None else operation_of(adapter, binding.operation)
        if operation is None:
            return
        if self._extension.get("effect") == Effect.READ and operation.effect is not Effect.READ:
            sentence = f"the route says effect: read, but '{operation.name}' writes ({operation.effect.value})"
            self._say((side, "operation"), sentence)
        if binding.input is not None:
            if len(binding.input) == len(self._extension[side].get("input", ())):
                self._check_all_used(list(_chains(binding.input.values())), side)
        elif operation.is_list:
            self._check_filters(binding, operation, side)

    def _check_all_used(self, chains: list[tuple[str, ...]], side: str) -> None:
        """What a caller may say must reach the upstream: a filter that does nothing is a wrong answer."""
        if not self._whole:
            return
        own = {*_PAGING, "sort"} if self._route.is_list and any(chain[0] == "list" for chain in chains) else set()
        own |= SHOWN  # looked at in `lint_shown`
        whole = {chain[0] for chain in chains if len(chain) == 1}
        read = {chain[:2] for chain in chains}
        for each in self._route.parameters:
            listed = ("list", "where") in read and each.where in ("path", "query")
            if each.name in own or each.where in whole or listed or each.where == "header":
                continue
            if (each.where, each.name) not in read:
                sentence = f"the {each.where} parameter '{each.name}' is used nowhere: read it or remove it"
                self._say((side,), sentence)
        if "sort" in {each.name for each in self._route.parameters} & own and ("list", "sort") not in read:
            self._say((side,), "the list can't be sorted: pass list.sort on, or remove the parameter 'sort'")
        if self._route.body is not None and "body" not in whole:
            for name in declared(next(iter(self._route.body.media.values()), {})):
                if ("body", name) not in read:
                    self._say((side,), f"the body's '{name}' is used nowhere: read body.{name} or remove it")

    def _check_filters(self, binding: Binding, operation: Operation, side: str) -> None:
        if operation.filters is not None:
            self._check_declared(binding, operation, side)
            return
        fields = _item_fields(operation.output)
        if not fields:
            return
        names = [each.name for each in self._route.parameters if each.where != "header"]
        for name in names:
            field, _, operator = name.rpartition(".")
            plain = field if operator in _OPERATORS and field else name
            upstream = binding.fields.get(plain, plain)
            if name not in (*_PAGING, *SHOWN, "sort") and upstream not in fields:
                sentence = f"the filter '{name}' leads to no field of '{operation.name}': rename it in output"
                self._say((side,), f"{sentence}, or use one of {', '.join(sorted(fields))}")

    def _check_declared(self, binding: Binding, operation: Operation, side: str) -> None:
        """The same for an operation that says what it can be asked by."""
        known = operation.filters or frozenset()
        for each in self._route.parameters:
            if each.where == "header" or each.name in _PAGING or each.name in SHOWN:
                continue
            if each.name == "sort":
                if not operation.sorts:
                    self._say((side,), f"'{operation.name}' can't be sorted: remove the parameter 'sort'")
                continue
            field, _, operator = each.name.rpartition(".")
            plain, suffix = (field, f".{operator}") if operator in _OPERATORS and field else (each.name, "")
            wanted = binding.fields.get(plain, plain) + suffix.replace(".eq", "")
            if wanted not in known:
                among = ", ".join(sorted(known)) or "nothing"
                self._say((side,), f"'{operation.name}' can't be filtered by '{wanted}', only by {among}")

    def _say(self, place: Place, sentence: str) -> None:
        _say(self._source, self._report, place, sentence)


def _say(
    source: Exposed, report: Report, place: Place, sentence: str, level: Literal["error", "warning"] = "error"
) -> None:
    report.add(source.document, (*source.place, "x-gateway", *place), sentence, level)


def _chains(expressions: Iterable[Expression]) -> Iterator[tuple[str, ...]]:
    for each in expressions:
        if isinstance(each, Mapped):
            yield from (chain for chain in _longest(each) if chain)


def _longest(mapped: Mapped) -> Iterator[tuple[str, ...]]:
    # `body.name` reads `body` on its way; only the end counts.
    chains = mapped.chains()
    for chain in chains:
        if not any(other[: len(chain)] == chain and len(other) > len(chain) for other in chains):
            yield chain


def _item_fields(output: JsonSchema) -> frozenset[str]:
    items = declared(output).get("items")
    item = items.get("items") if isinstance(items, Mapping) else None
    if not isinstance(item, Mapping):
        return frozenset()
    return frozenset(declared({**item, "$defs": output.get("$defs", {})}))
