"""Fills the CRM's SQLite file, which the PHP scripts beside this module serve over SOAP."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.demo.seed.customers import Contact, Customer

_SCHEMA = """
CREATE TABLE customers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL, email TEXT, no_email INTEGER NOT NULL, phone TEXT,
    balance TEXT NOT NULL, credit_limit TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    street TEXT NOT NULL, city TEXT NOT NULL, post_code TEXT NOT NULL, country TEXT NOT NULL, favourite_sku TEXT,
    contacts TEXT NOT NULL, notes TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX customers_city ON customers (city, id);
CREATE TABLE nonces (nonce TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX nonces_at ON nonces (at);
CREATE TABLE replies (request_id TEXT PRIMARY KEY, digest TEXT NOT NULL, reply TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ledger (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, operation TEXT NOT NULL, customer_id TEXT,
    request_id TEXT, traceparent TEXT, outcome TEXT NOT NULL);
CREATE TABLE counters (writes INTEGER NOT NULL);
INSERT INTO counters VALUES (0);
"""


def fill(path: Path, customers: Iterable[Customer]) -> None:
    """Writes a new store with these customers."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(_SCHEMA)
        marks = ", ".join("?" * 17)
        database.executemany(f"INSERT INTO customers VALUES ({marks})", map(_row, customers))  # noqa: S608 (marks only)
        database.commit()


def money(cents: int) -> str:
    """An amount in cents as a decimal text."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def _row(customer: Customer) -> tuple[Any, ...]:
    notes = [{"At": at, "Author": author, "Text": text} for at, author, text in customer.notes]
    return (
        customer.id, customer.name, customer.status, customer.email, int(customer.no_email), customer.phone,
        money(customer.balance), money(customer.credit_limit), customer.created_at, customer.updated_at,
        customer.street, customer.city, customer.post_code, customer.country.code, customer.favourite_sku,
        json.dumps([_contact(contact) for contact in customer.contacts]), json.dumps(notes),
    )  # fmt: skip


def _contact(contact: Contact) -> dict[str, Any]:
    """In the shape of the WSDL's type Contact, as the PHP scripts give it to SoapServer."""
    made: dict[str, Any] = {}
    if contact.person is not None:
        names = zip(("GivenName", "FamilyName", "Role"), contact.person, strict=True)
        made["Person"] = {name: value for name, value in names if value is not None}
    else:
        made["Department"] = contact.department
    made["Reach"] = {"Email": contact.email} if contact.email is not None else {"Phone": contact.phone}
    if contact.preferred is not None:
        made["Preferred"] = contact.preferred
    return made
