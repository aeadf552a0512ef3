"""Announces a write: its record is on the disk before its upstream hears of it; no effect is without a record."""

from __future__ import annotations

from gateway.audit.arguments import Keeps
from gateway.audit.log import AuditLog
from gateway.audit.record import intent_of
from gateway.audit.sink import AuditError
from gateway.call import Call
from gateway.errors import AuditUnavailable
from gateway.pipeline import Stage
from gateway.routing.model import Route


def intent(audit: AuditLog, route: Route, keeps: Keeps) -> Stage:
    """A filter for right before the upstream of a route that writes; raises `AuditUnavailable`."""
    path, effect = route.path, route.effect.value

    async def before(call: Call) -> None:
        try:
            await audit.append_durable(intent_of(call, route=path, effect=effect, keeps=keeps))
        except AuditError as error:
            raise AuditUnavailable(
                "Writes are refused while the audit log can't be written.", retry_after=5, note=str(error)
            ) from error

    return Stage(before)
