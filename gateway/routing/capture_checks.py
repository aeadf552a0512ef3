"""Whether what is to be captured can be captured that way."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.capabilities import SupportsChanges
from adapters.contract import Adapter, Effect, Operation
from adapters.errors import ConfigError
from gateway.routing.captured_operations import get_faults, page_faults
from gateway.routing.captures import CaptureModel
from gateway.routing.mapping import BadExpression, expression
from gateway.routing.report import Document, Place, Report


def check_captures(
    models: Mapping[str, CaptureModel], adapter: Adapter, place: Place, document: Document, report: Report
) -> None:
    """Notes whatever can't be captured as it is asked for."""
    for name, model in models.items():
        for sentence in _faults(name, model, adapter):
            report.add(document, (*place, "changes", name), sentence)


def _faults(name: str, model: CaptureModel, adapter: Adapter) -> list[str]:
    if model.operation is not None or model.method == "watermark":
        return _polled_faults(name, model, adapter)
    if not isinstance(adapter, SupportsChanges):
        return ["its changes can't be told by the upstream itself: name an operation, with method diff"]
    try:
        adapter.capture(model.asked(adapter.name, name))
    except ConfigError as error:
        return [problem.message for problem in error.problems]
    return []


def _polled_faults(name: str, model: CaptureModel, adapter: Adapter) -> list[str]:
    operation = model.operation or f"{model.table or name}.list"
    found = adapter.operations().get(operation)
    if found is None:
        return [f"upstream {adapter.name} has no operation '{operation}'"]
    if found.effect is not Effect.READ:
        return [f"'{operation}' writes: what is captured is read again and again"]
    if model.method == "watermark" and not (found.is_list and found.sorts):
        return [f"'{operation}' is no list that can be sorted, so that a watermark can't be followed in it"]
    if model.method == "watermark" and not (isinstance(adapter, SupportsChanges) and key_of(adapter, model, name)):
        return ["a watermark needs a table of a database, with a primary_key"]
    try:
        expression(model.items)
    except BadExpression as error:
        return [f"items: {error}"]
    return _answering_faults(model, adapter, found)


def _answering_faults(model: CaptureModel, adapter: Adapter, found: Operation) -> list[str]:
    """Whether the captured entities are read, and stand in for other answers, as the capture says."""
    faults = page_faults(model.pages, model.filters, found, model.form(adapter, ""))
    if faults or model.gets is None:
        return faults
    one = adapter.operations().get(model.gets.operation)
    if one is not None and one.effect is not Effect.READ:
        return [f"gets: '{one.name}' writes: no replica can stand in for it"]
    return get_faults(model.gets, one, found, model.items, model.key)


def key_of(adapter: Adapter, model: CaptureModel, name: str) -> tuple[str, ...]:
    """The members that tell entities apart: as they are given, or a table's key as its `get` takes it."""
    if model.key:
        return model.key
    found = adapter.operations().get(f"{model.table or name}.get")
    return () if found is None else tuple(found.input.get("required", ()))
