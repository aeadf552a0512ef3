"""Fills the replacement's store from the CRM's data file, with the differences that README.md lists."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.demo.crm_next.store import SCHEMA

_SHARE = 200
"""One balance in so many is rounded another way, which a crc of the id picks."""


def backfill(crm: Path, store: Path) -> int:
    """Writes a new `store` with every customer of `crm`; answers how many there are."""
    with closing(sqlite3.connect(f"file:{crm}?mode=ro", uri=True)) as old, closing(sqlite3.connect(store)) as new:
        old.row_factory = sqlite3.Row
        new.execute("PRAGMA journal_mode = WAL")
        new.execute("PRAGMA synchronous = OFF")
        new.executescript(SCHEMA)
        made = [converted(dict(row)) for row in old.execute("SELECT * FROM customers ORDER BY id")]
        values = [
            (each["id"], each["address"]["city"], each["status"], each["name"], json.dumps(each)) for each in made
        ]
        new.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?)", values)
        new.commit()
    return len(made)


def converted(row: dict[str, Any]) -> dict[str, Any]:
    """One row of the CRM as the replacement keeps it."""
    return {
        "id": row["id"],
        "name": row["name"],
        "status": row["status"].lower(),
        "email": row["email"] or None,
        "phone": phone(row["phone"]),
        "balance": _balance(row["id"], row["balance"]),
        "credit_limit": row["credit_limit"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"].replace("Z", ".000000Z"),
        "address": {name: row[name] for name in ("street", "city", "post_code", "country")},
        "contacts": [_contact(each) for each in json.loads(row["contacts"])],
        "favourite_sku": row["favourite_sku"],
        "notes": [{"at": n["At"], "author": n["Author"], "text": n["Text"]} for n in json.loads(row["notes"])],
    }


def phone(text: str | None) -> str | None:
    """A number without its spaces, slashes and the (0) of national calls."""
    return None if text is None else re.sub(r"\(0\)|[^0-9+]", "", text)


def rounded_otherwise(customer_id: str) -> bool:
    """Whether this customer's balance is one cent higher than the CRM's."""
    return zlib.crc32(customer_id.encode()) % _SHARE == 0


def _balance(customer_id: str, balance: str) -> str:
    return str(Decimal(balance) + Decimal("0.01")) if rounded_otherwise(customer_id) else balance


def _contact(old: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if "Person" in old:
        person = old["Person"]
        made["person"] = {"given_name": person["GivenName"], "family_name": person["FamilyName"]}
        if "Role" in person:
            made["person"]["role"] = person["Role"]
    else:
        made["department"] = old["Department"]
    made |= {name.lower(): value for name, value in old["Reach"].items()}
    return made | {"preferred": old.get("Preferred", False)}
