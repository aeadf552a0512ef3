"""The kind `soap` keeps the rules that all kinds are held to, against PHP's SOAP server."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.secret import Reference
from adapters.testing import AdapterConformance, Sample, Subject

SERVICE = Path(__file__).parent / "service"


@pytest.fixture
def subject(noting_php: tuple[str, Path], order: dict[str, Any]) -> Subject:
    url, journal = noting_php
    address = urlsplit(url)
    assert address.hostname
    assert address.port

    def config(host: str, port: int) -> dict[str, Any]:
        token = {"username": "figway", "password": Reference("let me in", "env:CRM_PASSWORD")}
        return {
            "wsdl": "crm/orders.wsdl",
            "port": "Orders11Port",
            "address": f"http://{host or 'localhost'}:{port or 80}/11",
            "auth": {"wsse": token},
            "faults": {"NotFound": "not_found"},
        }

    return Subject(
        kind="soap",
        address=(address.hostname, address.port),
        config=config,
        files={f"crm/{name}": (SERVICE / name).read_bytes() for name in ("orders.wsdl", "orders.xsd")},
        reads=[Sample("GetOrder", {"OrderId": 1}), Sample("GetOrder", {"OrderId": 2})],
        write=lambda number: Sample("PutOrder", {"Order": {**order, "Id": number}}),
        written=lambda: len(journal.read_text().splitlines()),
        missing=Sample("GetOrder", {"OrderId": 404}),
        invalid=Sample("PutOrder", {"Order": {**order, "Customer": {"Name": "nobody", "Nickname": None}}}),
    )


class TestConformance(AdapterConformance):
    """Every rule, on `subject`."""
