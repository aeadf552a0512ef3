"""A gateway over the lab adapter, some of whose routes keep answers; the lab notes in its journal what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from beside import beside

from adapters import registry
from adapters.contract import Kind

GATEWAY = """
upstreams:
  lab: {{kind: lab, journal: "{journal}", deadline: 8s, concurrency: 64}}
"""


@dataclass
class Shop:
    """A gateway that runs, and what its upstream was asked."""

    running: Any
    journal: Path

    def asked(self, sku: str) -> int:
        """How often the lab was asked for that."""
        return self.journal.read_text().split("\n").count(sku) if self.journal.exists() else 0

    def client(self, key: str | None = None) -> httpx.Client:
        client: httpx.Client = self.running.client(key)
        return client


@pytest.fixture(scope="package")
def shop_files() -> dict[str, str]:
    return {"openapi/shop.yaml": Path(__file__).with_name("shop.yaml").read_text()}


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, shop_files: dict[str, str]) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    journal = folder / "journal.txt"
    running.write_workspace(folder, {"gateway.yaml": GATEWAY.format(journal=journal), **shop_files})
    with running.serving(folder, "--workers", "2") as gateway:
        yield Shop(gateway, journal)


@pytest.fixture
def client(shop: Shop) -> Iterator[httpx.Client]:
    with shop.client() as client:
        yield client


@pytest.fixture(scope="session")
def source() -> ModuleType:
    """source.py: a system in this process."""
    return beside(__file__, "source")


@pytest.fixture
def inside(
    source: ModuleType, running: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Any, str, str], Any]:
    """`inside(world, freshness, policy)`: a context, in which a gateway over that world runs in this process."""
    known = registry.kind

    def kind(name: str) -> Kind:
        return source.KIND if name == "source" else known(name)  # type: ignore[no-any-return]

    monkeypatch.setattr(registry, "kind", kind)
    monkeypatch.setattr(registry, "names", lambda: ["source"])

    def start(world: Any, freshness: str, policy: str, gateway: str = "deadline: 3s, concurrency: 64") -> Any:
        source.SourceAdapter.world = world
        files = {
            "gateway.yaml": f"upstreams:\n  source: {{kind: source, {gateway}}}\n",
            "openapi/source.yaml": source.contract(freshness),
            "policies/access.cedar": policy,
        }
        running.write_workspace(tmp_path, files)
        return source.started(tmp_path)

    return start
