"""Bodies as real routes answer them, and comparers made from rules as they are written."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.migration.compare.comparer import Comparer, compile_parity
from gateway.routing.parity_schema import ParityModel

TODAY = date(2026, 11, 1)
DECIMAL = {"type": "string", "format": "decimal"}
INSTANT = {"type": "string", "format": "date-time"}
TEXT = {"type": "string"}
CUSTOMER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "name": TEXT,
        "status": {"type": "string", "enum": ["ACTIVE", "DORMANT", "CLOSED"]},
        "email": {"type": ["string", "null"]},
        "phone": TEXT,
        "balance": DECIMAL,
        "credit_limit": DECIMAL,
        "discount": {"type": "number"},
        "orders": {"type": "integer"},
        "vip": {"type": "boolean"},
        "born": {"type": "string", "format": "date"},
        "created_at": INSTANT,
        "updated_at": INSTANT,
        "request_id": TEXT,
        "photo": {"type": "string", "contentEncoding": "base64"},
        "address": {
            "type": "object",
            "properties": {"street": TEXT, "city": TEXT, "post_code": TEXT, "country": TEXT},
        },
        "tags": {"type": "array", "items": TEXT},
        "contacts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer"},
                    "email": TEXT,
                    "role": TEXT,
                    "preferred": {"type": "boolean"},
                },
            },
        },
        "labels": {"type": "object", "additionalProperties": TEXT},
    },
}
PAGE: dict[str, Any] = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": CUSTOMER}, "next": {"type": ["string", "null"]}},
}
_NAMES = ("Nordlys Marine AS", "Brückner & Söhne GmbH", "Łódź Tekstyl", "Ångström Ytbehandling", "Café Crème SARL")


def customer(dice: random.Random) -> dict[str, Any]:
    """One customer, with every sort of value."""
    number = dice.randrange(10_000, 99_999)
    return {
        "id": f"C-{number}",
        "name": dice.choice(_NAMES),
        "status": dice.choice(("ACTIVE", "DORMANT")),
        "email": f"post{number}@example.org",
        "phone": f"+47 55 {number % 100:02} 02 03",
        "balance": f"{dice.randrange(100, 10**6)}.{dice.randrange(1, 100):02}",
        "credit_limit": "20000.00",
        "discount": dice.randrange(1, 99) / 100 + 0.001,
        "orders": dice.randrange(2, 500),
        "vip": dice.random() < 0.5,
        "born": f"19{dice.randrange(50, 99)}-0{dice.randrange(1, 9)}-1{dice.randrange(0, 9)}",
        "created_at": f"2019-03-1{dice.randrange(0, 9)}T09:15:00Z",
        "updated_at": f"2026-10-0{dice.randrange(1, 9)}T14:40:12Z",
        "request_id": f"{dice.getrandbits(64):016x}",
        "photo": "aGFsZGVuIHN1cHBseQ==",
        "address": {
            "street": "Strandgaten 12",
            "city": "Bergen",
            "post_code": f"0{number % 10_000:04}",
            "country": "NO",
        },
        "tags": ["marine", "wholesale", "priority"],
        "contacts": [
            {"id": 10 + at, "email": f"c{at}-{number}@example.org", "role": role, "preferred": at == 0}
            for at, role in enumerate(("Purchasing", "Accounts", "Stores"))
        ],
        "labels": {"region": "west", "since": "2019"},
    }


def page(dice: random.Random) -> dict[str, Any]:
    """One page of customers that isn't the last."""
    return {"items": [customer(dice) for _ in range(4)], "next": "/customers?cursor=abc"}


@pytest.fixture
def comparer() -> Callable[..., Comparer]:
    """`comparer(parity, schema=CUSTOMER)`: made from rules as they stand in a file."""

    def made(parity: dict[str, Any] | None = None, schema: Any = CUSTOMER) -> Comparer:
        return compile_parity(ParityModel.model_validate(parity or {}), schema, TODAY)

    return made


@pytest.fixture(scope="session")
def corpus() -> Any:
    """This module: bodies and schemas."""
    import types

    return types.SimpleNamespace(customer=customer, page=page, CUSTOMER=CUSTOMER, PAGE=PAGE, TODAY=TODAY)
