"""Callers of routes that are going to go are told so in each answer: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), and
by `Link` (RFC 8288) where they are to go instead."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from email.utils import format_datetime

from gateway.call import Call
from gateway.pipeline import Stage
from gateway.routing.groups import Group


def sunset(group: Group) -> Stage | None:
    """What adds the fields to every answer of the group's routes; None: they aren't going to go."""
    fields = []
    if group.deprecated is not None:
        fields.append((b"deprecation", f"@{int(_begin(group.deprecated).timestamp())}".encode()))
    if group.sunset is not None:
        fields.append((b"sunset", format_datetime(_begin(group.sunset), usegmt=True).encode()))
    for address, relation in ((group.successor, "successor-version"), (group.docs, "deprecation")):
        if address is not None:
            fields.append((b"link", f'<{address}>; rel="{relation}"'.encode()))
    if not fields:
        return None

    def before(call: Call) -> None:
        call.reply_headers.extend(fields)

    return Stage(before)


def _begin(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
