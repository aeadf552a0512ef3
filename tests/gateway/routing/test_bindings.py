"""How an operation's name finds its operation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adapters.capabilities import SupportsTemplates
from adapters.contract import Adapter, Effect, Operation, Workspace
from adapters.http import KIND as HTTP
from gateway.routing.bindings import operation_of

LISTED = Operation("listed", Effect.READ, {}, {})


class Plain:
    """An adapter that lists its operations."""

    def operations(self) -> Mapping[str, Operation]:
        return {"listed": LISTED}


class Templated(Plain):
    """One that also takes names by their form."""

    def accepts(self, name: str) -> Operation | None:
        return Operation(name, Effect.WRITE, {}, {}) if name.startswith("any ") else None


def _found(adapter: object, name: str) -> Operation | None:
    assert isinstance(adapter, Plain)
    typed: Adapter = adapter  # type: ignore[assignment]
    return operation_of(typed, name)


def test_a_listed_operation_is_found_by_name() -> None:
    for adapter in (Plain(), Templated()):
        assert _found(adapter, "listed") is LISTED
        assert _found(adapter, "other") is None
    assert _found(Plain(), "any thing") is None


def test_a_name_of_the_right_form_is_an_operation() -> None:
    found = _found(Templated(), "any thing")
    assert found is not None
    assert found.name == "any thing"


def test_the_capability_is_told_by_type(tmp_path: Path) -> None:
    http = HTTP.build("shop", HTTP.config.model_validate({"base_url": "http://shop.test"}), Workspace({}, tmp_path))
    assert isinstance(http, SupportsTemplates)
    assert isinstance(Templated(), SupportsTemplates)
    assert not isinstance(Plain(), SupportsTemplates)
