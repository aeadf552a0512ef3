"""The operations of the contracts become routes: messages, bindings and composites compiled together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from adapters.contract import Effect, Json
from gateway.routing.bindings import Compiler, Signature
from gateway.routing.composites import Composer
from gateway.routing.contracts import Exposed
from gateway.routing.freshness import freshness_of
from gateway.routing.invalid import Where, validated
from gateway.routing.messages import Messages
from gateway.routing.model import ApprovalRule, Binding, Expression, Route
from gateway.routing.paths import declared, path_of
from gateway.routing.report import Document, Place, Report
from gateway.routing.schema import ApprovalModel, BindingModel, CostModel, Extension, ReplacementModel
from gateway.routing.shown import is_sparse
from gateway.routing.upstreams import Upstreams


@dataclass(frozen=True, slots=True)
class Bound:
    """A route, and the operation that it was compiled from."""

    route: Route
    operation: Exposed
    whole: bool
    """Whether all of the operation's parameters could be read."""


@dataclass(frozen=True, slots=True)
class _Draft:
    operation: Exposed
    extension: Extension | None
    status: int
    content: str
    signature: Signature
    examples: tuple[Json, ...]


def compile_routes(
    operations: list[Exposed], documents: Mapping[str, Document], upstreams: Upstreams, report: Report
) -> list[Bound]:
    """Every operation as a route; what is wrong goes into the report."""
    messages = {name: Messages(document, documents, report) for name, document in documents.items()}
    drafts = [_draft(each, messages[each.document.file], report) for each in operations]
    signatures = {draft.operation.operation_id: draft.signature for draft in drafts}
    found = [(draft, _route(draft, signatures, upstreams, report)) for draft in drafts]
    return [Bound(route, draft.operation, draft.signature.whole) for draft, route in found if route is not None]


def _draft(operation: Exposed, messages: Messages, report: Report) -> _Draft:
    parameters, whole = messages.parameters(operation)
    body = messages.body(operation)
    status, reply = messages.reply(operation)
    is_list = reply is not None and {"items", "next"} <= set(declared(reply))
    extension, examples = _extension(operation, report), messages.examples(operation)
    effect = Effect.READ if extension is None else extension.effect
    signature = Signature(operation.operation_id, parameters, body, reply, is_list, whole, effect)
    return _Draft(operation, extension, status, messages.content(operation), signature, examples)


def _extension(operation: Exposed, report: Report) -> Extension | None:
    place = (*operation.place, "x-gateway")
    data = operation.data.get("x-gateway")
    if not isinstance(data, dict):
        sentence = "the operation isn't bound: add x-gateway with effect and legacy, replacement or compose"
        report.add(operation.document, place if data is not None else operation.place, sentence)
        return None
    where = Where(operation.document, place)
    found = validated(Extension, data, where, report)
    # Without an effect that can be read, the rest is judged all the same.
    return found or validated(Extension, {**data, "effect": Effect.READ}, where, report)


def _route(draft: _Draft, signatures: Mapping[str, Signature], upstreams: Upstreams, report: Report) -> Route | None:
    operation, extension, signature = draft.operation, draft.extension, draft.signature
    if extension is None:
        return None
    place = (*operation.place, "x-gateway")
    compiler = Composer(operation.document, upstreams, report)
    legacy, replacement, missing = _there(extension, upstreams)
    sides = {} if legacy is None else {"legacy": compiler.binding(legacy, signature, (*place, "legacy"))}
    if replacement is not None:
        sides["replacement"] = _replacement(replacement, signature, compiler, (*place, "replacement"))
    compose, cost = None, extension.cost
    if extension.compose is not None:
        compose = compiler.composite(extension.compose, signature, signatures, (*place, "compose"))
    route = Route(
        operation_id=operation.operation_id,
        method=operation.method,
        path=operation.path,
        effect=extension.effect,
        group=extension.group or _group(operation),
        parameters=signature.parameters,
        body=signature.body,
        status=draft.status,
        reply=signature.reply,
        content=draft.content,
        legacy=sides.get("legacy"),
        replacement=sides.get("replacement"),
        missing=missing,
        absent=None if sides else extension.missing,
        compose=compose,
        enforcement=extension.enforcement,
        is_list=signature.is_list,
        both_ways=signature.is_list and "previous" in declared(signature.reply or {}),
        plan=extension.plan is not None,
        approval=_approval(extension.approval, compiler, signature, (*place, "approval")),
        max_affected=extension.max_affected,
        location=extension.location,
        freshness=freshness_of(extension.freshness),
        deadline=extension.deadline,
        cost=cost.estimate if isinstance(cost, CostModel) else cost,
        measured=_measured(cost, compiler, signature, place),
        summary=str(operation.data.get("summary", "")),
        examples=draft.examples,
        where=f"{operation.document.file}:{operation.document.line(operation.place)}",
    )
    return replace(route, sparse=is_sparse(route))


def _there(
    extension: Extension, upstreams: Upstreams
) -> tuple[BindingModel | None, ReplacementModel | None, Literal["fail", "mock"] | None]:
    """The bindings that there are, and what calls of a replacement come to that isn't there."""
    legacy, replacement = extension.legacy, extension.replacement
    missing = None if replacement is None else replacement.missing
    replacement = None if missing else replacement
    if extension.missing is None:
        return legacy, replacement, missing
    known = upstreams.specs.keys() | upstreams.broken
    legacy = legacy if legacy is not None and legacy.upstream in known else None
    if replacement is not None and replacement.upstream not in known:
        replacement, missing = None, extension.missing
    # Of a read, beside legacy, it is a replacement that is still to come.
    return legacy, replacement, None if legacy is None or extension.effect is not Effect.READ else missing


def _replacement(model: ReplacementModel, signature: Signature, compiler: Compiler, place: Place) -> Binding | None:
    """The replacement's binding; where it answers some fields only, what it makes needn't be a whole reply."""
    owns = tuple(map(path_of, model.fields))
    made = compiler.binding(model, replace(signature, reply=None) if owns else signature, place)
    return None if made is None else replace(made, owns=owns)


def _measured(
    cost: int | CostModel | None, compiler: Compiler, signature: Signature, place: Place
) -> Expression | None:
    if not isinstance(cost, CostModel):
        return None
    return compiler.measured(cost.measured, signature, (*place, "cost", "measured"))


def _approval(
    model: ApprovalModel | Literal["required"] | None, compiler: Compiler, signature: Signature, place: Place
) -> ApprovalRule | None:
    if model is None:
        return None
    if not isinstance(model, ApprovalModel):
        return ApprovalRule()
    when = None if model.when is None else compiler.condition(model.when, signature, (*place, "when"))
    return ApprovalRule(model.needed, when)


def _group(operation: Exposed) -> str:
    tags = operation.data.get("tags")
    if isinstance(tags, list) and tags and isinstance(tags[0], str):
        return tags[0]
    return next((part for part in operation.path.split("/") if part and not part.startswith("{")), "root")
