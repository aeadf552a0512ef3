"""`x-gateway` of each operation: bindings to upstreams, checked against what they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.capabilities import SupportsDryRun, SupportsPreview, SupportsTemplates
from adapters.contract import Adapter, Effect, JsonSchema, Operation
from gateway.routing.mapping import BadExpression, Mapped, expression, literal, parts, renames
from gateway.routing.model import Binding, Body, Parameter
from gateway.routing.paths import declared, members, required, unknown
from gateway.routing.report import Document, Place, Report
from gateway.routing.schema import BindingModel
from gateway.routing.shapes import misfits
from gateway.routing.shown import SHOWN, claimed, members_of, taken
from gateway.routing.upstreams import Upstreams
from gateway.routing.versions import is_if_match

_ANY: JsonSchema = {}


@dataclass(frozen=True, slots=True)
class Signature:
    """What callers of a route may give and get."""

    operation_id: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    reply: JsonSchema | None
    is_list: bool
    whole: bool
    """Whether all parameters could be read; if not, nothing is said of names that aren't there."""
    effect: Effect = Effect.READ

    def scope(self) -> dict[str, Any]:
        """The JSON Schema of what an input expression sees."""
        places: dict[str, Any] = {where: {} for where in ("path", "query", "header")}
        for each in self.parameters:
            places[each.where][each.name] = _ANY
        scope: dict[str, Any] = {where: object_of(names) if self.whole else _ANY for where, names in places.items()}
        scope["body"] = object_of({}) if self.body is None else self.body_schema()
        scope["principal"] = object_of(dict.fromkeys(("id", "agent", "roles", "tenant"), _ANY))
        scope["call"] = object_of(dict.fromkeys(("id", "time", "idempotency_key"), _ANY))
        if self.is_list:
            scope["list"] = object_of(dict.fromkeys(("limit", "after", "sort", "where"), _ANY))
        return scope

    def body_schema(self) -> JsonSchema:
        """The schema of the request body; what says nothing, where there is none."""
        return next(iter(self.body.media.values()), _ANY) if self.body is not None else _ANY

    def accepts(self) -> dict[str, bool]:
        """What a step may give this route by name, and whether it must."""
        names = {each.name: each.required for each in self.parameters}
        if self.body is not None:
            schema = self.body_schema()
            names |= {name: self.body.required and name in required(schema) for name in declared(schema)}
        return names


class Compiler:
    """Compiles the bindings of one contract's operations."""

    def __init__(self, document: Document, upstreams: Upstreams, report: Report) -> None:
        self._document, self._upstreams, self._report = document, upstreams, report

    def binding(self, model: BindingModel, signature: Signature, place: Place) -> Binding | None:
        """The binding, or None when its expressions can't be compiled."""
        operation = self._operation(model, place)
        given = self._inputs(model.input, signature.scope(), (*place, "input"))
        output = self._output(model.output, operation.output if operation else _ANY, signature, (*place, "output"))
        if operation is not None:
            self._check_input(operation, model.input, signature, place)
        return Binding(
            model.upstream,
            model.operation,
            given,
            output,
            fields=renames(output) if output is not None else {},
            filters_rows=operation is not None and operation.filters_rows,
            dry_run=self._dry_run(model, place),
            previews=self._previews(model),
            takes=taken(operation),
            claims=claimed(given, operation),
            reads=_reads(output, operation, is_list=signature.is_list),
            version=model.version,
        )

    def _operation(self, model: BindingModel, place: Place) -> Operation | None:
        if model.upstream in self._upstreams.broken:
            return None
        adapter = self._upstreams.adapters.get(model.upstream)
        if adapter is None:
            known = sorted(self._upstreams.adapters.keys() | self._upstreams.broken)
            self._say((*place, "upstream"), f"gateway.yaml has no upstream '{model.upstream}'{among(known)}")
            return None
        found = operation_of(adapter, model.operation)
        if found is None:
            known = sorted(adapter.operations())
            sentence = f"the upstream '{model.upstream}' has no operation '{model.operation}'{among(known)}"
            self._say((*place, "operation"), sentence)
        return found

    def _dry_run(self, model: BindingModel, place: Place) -> bool:
        """Whether the operation can be tried, which some adapters promise and of others the binding says."""
        adapter = self._upstreams.adapters.get(model.upstream)
        promised = adapter.tries(model.operation) if isinstance(adapter, SupportsDryRun) else False
        if model.dry_run and promised is False and adapter is not None:
            self._say(
                (*place, "dry_run"),
                f"the upstream '{model.upstream}' can't try '{model.operation}' without a change: remove dry_run",
            )
        wanted = promised if model.dry_run is None else model.dry_run
        return bool(wanted) and promised is not False

    def _previews(self, model: BindingModel) -> bool:
        adapter = self._upstreams.adapters.get(model.upstream)
        return isinstance(adapter, SupportsPreview) and adapter.previews(model.operation)

    def _inputs(
        self, inputs: Mapping[str, Any] | None, scope: Mapping[str, Any], place: Place
    ) -> dict[str, Mapped] | None:
        if inputs is None:
            return None
        compiled: dict[str, Mapped] = {}
        for name, value in inputs.items():
            if not isinstance(value, str):
                compiled[name] = literal(value)
                continue
            mapped = self._expression(value, object_of(dict(scope)), (*place, name))
            if mapped is not None:
                compiled[name] = mapped
        return compiled

    def _output(self, source: str | None, schema: JsonSchema, signature: Signature, place: Place) -> Mapped | None:
        mapped = None if source is None else self._expression(source, schema, place)
        if mapped is not None and signature.reply is not None:
            for sentence in misfits(mapped.node, signature.reply):
                self._say(place, sentence)
        return mapped

    def measured(self, source: str, signature: Signature, place: Place) -> Mapped | None:
        """What says of a reply what the call cost."""
        return self._expression(source, signature.reply or {}, place)

    def condition(self, source: str, signature: Signature, place: Place) -> Mapped | None:
        """What says of a call whether something holds for it."""
        return self._expression(source, object_of(signature.scope()), place)

    def _expression(self, source: str, schema: JsonSchema, place: Place) -> Mapped | None:
        try:
            mapped = expression(source)
        except BadExpression as error:
            self._say(place, str(error))
            return None
        for chain in sorted(mapped.chains()):
            name = _unknown(chain, schema)
            if name is not None:
                at = chain[: chain.index(name)]
                known = sorted(declared(_at(schema, at)))
                self._say(place, f"there is no '{name}' in {'.'.join(at) or 'what this reads'}{among(known)}")
        return mapped

    def _check_input(
        self, operation: Operation, inputs: Mapping[str, Any] | None, signature: Signature, place: Place
    ) -> None:
        if operation.is_list and inputs is None:
            if not signature.is_list:
                sentence = "this operation lists, the route doesn't: its reply needs items and next, or give an input"
                self._say((*place, "operation"), sentence)
            return
        at = place if inputs is None else (*place, "input")
        own = {*SHOWN, *(each.name for each in signature.parameters if is_if_match(each))}
        # A name that is passed on as it is may hold dots.
        given = (
            [(name,) for name in signature.accepts() if name not in own or name in declared(operation.input)]
            if inputs is None
            else [tuple(each.split(".")) for each in inputs]
        )
        for path in given:
            self._check_name(operation, path, (*at, ".".join(path)) if inputs is not None else at)
        for name in sorted(required(operation.input) - {path[0] for path in given}):
            self._say(at, f"'{operation.name}' needs '{name}': give it an expression or a value")

    def _check_name(self, operation: Operation, parts: tuple[str, ...], place: Place) -> None:
        # The name `Changes.Email` leads into a member's member.
        known = members(operation.input)
        if known is None or unknown(parts, operation.input) is None:
            return
        above = _at(operation.input, parts[:-1]) if parts[0] in known else operation.input
        self._say(place, f"'{operation.name}' takes no '{'.'.join(parts)}'{among(sorted(declared(above)))}")

    def _say(self, place: Place, sentence: str) -> None:
        self._report.add(self._document, place, sentence)


def _reads(output: Mapped | None, operation: Operation | None, *, is_list: bool) -> Mapping[str, frozenset[str]] | None:
    if output is not None:
        return parts(output, is_list=is_list)
    known = members_of(operation.output if operation is not None else None, is_list=is_list)
    return {name: frozenset({name}) for name in known} or None


def operation_of(adapter: Adapter, name: str) -> Operation | None:
    """The adapter's operation called `name`, if there is one."""
    found = adapter.operations().get(name)
    return adapter.accepts(name) if found is None and isinstance(adapter, SupportsTemplates) else found


def object_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object with these members and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _unknown(chain: tuple[str, ...], schema: JsonSchema) -> str | None:
    # A member's own `$defs` stand in that member, so its references are looked up from there.
    head, *rest = chain
    names = schema.get("properties", {})
    if head in names and isinstance(names[head], Mapping) and "$defs" in names[head]:
        return unknown(tuple(rest), names[head])
    return unknown(chain, schema)


def _at(schema: JsonSchema, chain: tuple[str, ...]) -> JsonSchema:
    for name in chain:
        inner = declared(schema).get(name)
        if not isinstance(inner, Mapping):
            return _ANY
        schema = inner
    return schema


def among(known: list[str]) -> str:
    """The end of a sentence: what there is instead."""
    if not known:
        return ""
    shown = ", ".join(known[:12]) + (" and more" if len(known) > 12 else "")
    return f": there is {shown}" if len(known) == 1 else f": there are {shown}"
