"""One demo for all tests that leave it whole, started as a user starts it; the others start their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest
from beside import beside

_contract, _demos, _records = beside(__file__, "contract"), beside(__file__, "demos"), beside(__file__, "records")


@pytest.fixture(scope="session")
def demos(running: ModuleType) -> ModuleType:
    """demos.py beside this file: `launched()`, `started()`, `Demo`, `alive()`."""
    _demos.start = running.start  # type: ignore[attr-defined]
    return _demos


@pytest.fixture(scope="session")
def records() -> ModuleType:
    """records.py beside this file: the demo's files, decoded by hand."""
    return _records


@pytest.fixture(scope="session")
def demo(demos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`figway demo`, running; at its end it must go with exit code 0 and leave nothing running."""
    with demos.started(tmp_path_factory.mktemp("demo")) as running:
        yield running
        assert running.stop() == 0, running.said()
        assert demos.alive(running.family) == []


@pytest.fixture(scope="session")
def contract(demo: Any) -> Any:
    """The contract as it is served (`contract.Contract`)."""
    return _contract.Contract(demo.get("/openapi.json", role="platform"))


@pytest.fixture
def as_role(demo: Any, contract: Any) -> Iterator[Callable[[str], httpx.Client]]:
    """A client of a role by name; every answer that it gets is held against the contract."""
    clients: list[httpx.Client] = []

    def make(role: str) -> httpx.Client:
        clients.append(demo.client(role, event_hooks={"response": [contract.check]}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def agent(as_role: Callable[[str], httpx.Client]) -> httpx.Client:
    """The agent's client."""
    return as_role("agent")


@pytest.fixture
def platform(as_role: Callable[[str], httpx.Client]) -> httpx.Client:
    """The platform team's client."""
    return as_role("platform")
