"""One estate for all tests that leave it whole; the others start their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest
import pytest_asyncio
from beside import beside

from gateway.demo.estate import Estate


@pytest.fixture(scope="session")
def soap() -> ModuleType:
    """The module soap.py beside this file."""
    return beside(__file__, "soap")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def estate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Estate]:
    # The batch runs on demand alone, so that no test depends on the clock.
    async with Estate(tmp_path_factory.mktemp("estate"), every=3_600) as running:
        yield running


@pytest.fixture
def crm(estate: Estate, soap: ModuleType) -> Any:
    """A client of the CRM; its switch is off again after the test."""
    environment = estate.environment()
    return soap.Client(environment["CRM_URL"], environment["CRM_PASSWORD"])


@pytest.fixture
def crm_control(estate: Estate) -> Iterator[str]:
    url = estate.facts()["estate"]["crm"]["control"]
    yield url
    httpx.post(url, json={"latency": 0, "hang": False, "fail": None}).raise_for_status()


@pytest.fixture
def crm_next(estate: Estate) -> Iterator[httpx.Client]:
    """A client of the replacement, with its token."""
    environment = estate.environment()
    headers = {"Authorization": f"Bearer {environment['CRM_NEXT_TOKEN']}"}
    with httpx.Client(base_url=environment["CRM_NEXT_URL"], headers=headers) as client:
        yield client
        client.post("/control", json={"latency": 0, "hang": False, "fail": None}).raise_for_status()
