"""Audit records as CloudEvents 1.0 in the JSON format, one a line (https://github.com/cloudevents/spec, v1.0.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SOURCE = "urn:figway:audit"
TYPE = "org.figway.audit"


def cloudevent(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as an event's data. `source` and `id` together name it; `subject` is what was called.

    A call and the intent that went before it share their id, so an event of another kind than a call says its kind.
    """
    kind = record.get("kind") or "call"
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": record["id"] if kind == "call" else f"{record['id']}/{kind}",
        "source": SOURCE,
        "type": f"{TYPE}.{kind}",
        "time": record["time"],
        "datacontenttype": "application/json",
        "data": dict(record),
    }
    subject = record.get("operation") or record.get("route")
    if subject:
        event["subject"] = subject
    if record.get("traceparent"):
        # The extension "Distributed Tracing".
        event["traceparent"] = record["traceparent"]
    return event
