"""The replacement's first filling: each customer of the CRM's store, in the shape that the replacement keeps."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.demo.crm_next.store import Document, Store


def backfill(crm: Path, store: Store) -> int:
    """Fills the empty `store` from the CRM's SQLite file and answers how many customers there are."""
    documents = list(_documents(crm))
    store.create(documents)
    return len(documents)


def plain_phone(number: str | None) -> str | None:
    """A telephone number without what people put between its digits: `+49 (0)40 / 12` is `+494012`."""
    return None if number is None else re.sub(r"[^+0-9]", "", number.replace("(0)", ""))


def rounded_otherwise(number: str) -> bool:
    """Whether this customer's balance came out one cent higher: so does one in two hundred, the same ones always."""
    return zlib.crc32(number.encode()) % 200 == 0


def _balance(number: str, amount: str) -> str:
    return str(Decimal(amount) + Decimal("0.01")) if rounded_otherwise(number) else amount


def _documents(crm: Path) -> Iterator[Document]:
    with closing(sqlite3.connect(f"file:{crm}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        for row in database.execute("SELECT * FROM customers ORDER BY id"):
            yield _document(row)


def _document(row: sqlite3.Row) -> Document:
    return {
        "number": row["id"],
        "displayName": row["name"],
        "status": row["status"].lower(),
        "email": row["email"] or None,
        "phone": plain_phone(row["phone"]),
        "balance": {"amount": _balance(row["id"], row["balance"]), "currency": "EUR"},
        "creditLimit": {"amount": row["credit_limit"], "currency": "EUR"},
        "createdAt": _time(row["created_at"]),
        "updatedAt": _time(row["updated_at"]),
        "address": {
            "line1": row["street"], "city": row["city"], "postalCode": row["post_code"], "countryCode": row["country"],
        },
        "contacts": [_contact(contact) for contact in json.loads(row["contacts"])],
        "favouriteSku": row["favourite_sku"],
        "notes": [
            {"at": _time(note["At"]), "author": note["Author"], "text": note["Text"]}
            for note in json.loads(row["notes"])
        ],
        "version": 1,
    }  # fmt: skip


def _contact(contact: dict[str, Any]) -> Document:
    person = contact.get("Person")
    return {
        "person": person
        and {"givenName": person["GivenName"], "familyName": person["FamilyName"], "role": person.get("Role")},
        "department": contact.get("Department"),
        "email": contact["Reach"].get("Email"),
        "phone": plain_phone(contact["Reach"].get("Phone")),
        "preferred": contact.get("Preferred", False),
    }


def _time(text: str) -> str:
    return datetime.fromisoformat(text).isoformat(timespec="milliseconds")
