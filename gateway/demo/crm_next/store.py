"""The replacement's own store: customers as JSON with the columns that lists need, and every write by its key."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE customers (id TEXT PRIMARY KEY, city TEXT NOT NULL, status TEXT NOT NULL, name TEXT NOT NULL,
    body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX customers_city ON customers (city, id);
CREATE TABLE operations (key TEXT PRIMARY KEY, digest TEXT NOT NULL, customer_id TEXT NOT NULL, at TEXT NOT NULL,
    result TEXT NOT NULL) WITHOUT ROWID;
"""

Customer = dict[str, Any]


class KeyReused(Exception):
    """The idempotency key was used for another change."""


class Store:
    """One connection for all threads, one of them at a time."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA synchronous = OFF")
        self._lock = threading.Lock()

    def get(self, customer_id: str) -> Customer | None:
        """One customer."""
        with self._lock:
            return self._get(customer_id)

    def _get(self, customer_id: str) -> Customer | None:
        row = self._database.execute("SELECT body FROM customers WHERE id = ?", (customer_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def list(
        self, limit: int, after: str, city: str | None, status: str | None, name_starts_with: str | None
    ) -> tuple[list[Customer], str | None]:
        """A page in the order of ids, and the id behind which the next one starts."""
        sql = """SELECT body FROM customers WHERE id > :after AND (:city IS NULL OR city = :city)
                 AND (:status IS NULL OR status = :status)
                 AND (:prefix IS NULL OR lower(substr(name, 1, length(:prefix))) = lower(:prefix))
                 ORDER BY id LIMIT :limit"""
        given = {"after": after, "city": city, "status": status, "prefix": name_starts_with, "limit": limit + 1}
        with self._lock:
            found = [json.loads(body) for (body,) in self._database.execute(sql, given)]
        page = found[:limit]
        return page, (page[-1]["id"] if len(found) > limit else None)

    def update(self, customer_id: str, changes: Customer, key: str | None) -> Customer | None:
        """Changes one customer, once for a key; None where there is none. Raises KeyReused."""
        digest = hashlib.sha256(json.dumps([customer_id, changes], sort_keys=True).encode()).hexdigest()
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if key is not None and (before := self._operation(key)) is not None:
                if before["digest"] != digest:
                    raise KeyReused(key)
                result: Customer = before["result"]
                return result
            customer = self._get(customer_id)
            if customer is not None:
                customer |= {**changes, "updated_at": _now()}
                self._put(customer, key, digest)
            return customer

    def _put(self, customer: Customer, key: str | None, digest: str) -> None:
        body = json.dumps(customer)
        row = (customer["address"]["city"], customer["status"], customer["name"], body, customer["id"])
        self._database.execute("UPDATE customers SET city = ?, status = ?, name = ?, body = ? WHERE id = ?", row)
        if key is not None:
            operation = (key, digest, customer["id"], customer["updated_at"], body)
            self._database.execute("INSERT INTO operations VALUES (?, ?, ?, ?, ?)", operation)

    def operation(self, key: str) -> Customer | None:
        """What was done under an idempotency key: {key, customer_id, at, result}."""
        with self._lock:
            found = self._operation(key)
        return {name: value for name, value in found.items() if name != "digest"} if found else None

    def _operation(self, key: str) -> dict[str, Any] | None:
        row = self._database.execute(
            "SELECT digest, customer_id, at, result FROM operations WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        return {"key": key, "digest": row[0], "customer_id": row[1], "at": row[2], "result": json.loads(row[3])}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
