"""What takes long on the control plane keeps no call waiting."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.admin import documents, policy
from gateway.call import Principal


class _Control:
    """A gateway with forty routes, nothing of which is decided yet."""

    def __init__(self) -> None:
        routes = [SimpleNamespace(operation_id=f"op{number}") for number in range(40)]
        compiled = SimpleNamespace(routes=routes, document={"paths": {}})
        self.decided: list[str] = []
        policies = SimpleNamespace(
            decide=lambda _, route: self.decided.append(route.operation_id), listed=lambda *_: {}
        )
        self.found = SimpleNamespace(compiled=compiled, policies=policies)

    async def principal(self, _: object) -> Principal:
        return Principal("ann")

    def serving(self) -> Any:
        return self.found


async def test_calls_are_served_between_the_decisions_of_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "visible", lambda document, _: document)
    control, seen = _Control(), []

    async def other_call() -> None:
        while len(control.decided) < 40 and len(seen) < 1000:
            seen.append(len(control.decided))
            await asyncio.sleep(0)

    other = asyncio.create_task(other_call())
    await documents._openapi(control, None)  # type: ignore[arg-type]
    await other
    assert any(0 < each < 40 for each in seen)


async def test_why_is_worked_out_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(*_: object) -> dict[str, bool]:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return {"beside": True}

    monkeypatch.setattr(policy, "explain", explain)

    class Given(dict[str, str]):
        def getlist(self, name: str) -> list[str]:
            return [self[name]] if name in self else []

    request: Any = SimpleNamespace(query_params=Given({"as": "ann", "action": "x"}))
    response = await policy._explain(_Control(), request)  # type: ignore[arg-type]
    assert response.body == b'{"beside":true}'
