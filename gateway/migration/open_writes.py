"""Writes that one side of a group hasn't seen, as people are told of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.migration.entries import FOR_PEOPLE, StoredEntry
from gateway.migration.outbox import Outbox


async def open_writes(outbox: Outbox, group: str) -> dict[str, Any]:
    """What is open of a group, as JSON; raises `StoreError`."""
    found, counts = await outbox.open_entries(group), await outbox.count(group)
    return {"group": group, "open": counts, "writes": [write_document(each) for each in found]}


def write_document(found: StoredEntry) -> dict[str, Any]:
    """What people are told of a write: never what is in its request."""
    return {
        "id": found.id,
        "entity": found.entity,
        "route": found.route,
        "state": found.state.value,
        "for_people": found.state in FOR_PEOPLE,
        "authority": found.authority,
        "snapshot": found.fence,
        "attempts": found.attempts,
        "problem": found.problem or None,
        "created": datetime.fromtimestamp(found.created, UTC).isoformat(timespec="milliseconds"),
    }
