"""The control plane's calls in the audit: every one, denials too, and what changes something before its reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.admin.recording import Recorded, noted
from gateway.audit.arguments import Hasher
from gateway.audit.file import AuditError, AuditFile
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.sink import Segment
from gateway.audit.verify import records
from gateway.call import Principal


class Disk(AuditFile):
    """A file whose disk can be full."""

    full = False

    def append(self, segment: Segment) -> None:
        if self.full:
            raise AuditError("the audit can't be written: database or disk is full")
        super().append(segment)


class Places:
    """What stands behind: answers as it is told, and counts its calls."""

    def __init__(self) -> None:
        self.status, self.calls = 200, 0
        self.before_reply: Callable[[], None] = lambda: None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        note = noted(scope)
        note.principal = Principal("ann", "bot", tenant="acme", credential="key:k1")
        note.operation, note.route = "gateway:administer", "/-/admin/{name}"
        self.before_reply()
        if self.status == 0:
            raise asyncio.CancelledError
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk.claim(tmp_path / "audit")


@pytest.fixture
def log(disk: Disk, tmp_path: Path) -> Iterator[AuditLog]:
    keys = AuditKeys(lambda: ("k1", b"s" * 32), Hasher("h1", b"h" * 32))
    log = AuditLog(disk, keys, tmp_path / "audit")
    yield log
    with suppress(AuditError):
        log.close()


@pytest.fixture
def places() -> Places:
    return Places()


@pytest.fixture
def client(places: Places, log: AuditLog) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Recorded(places, lambda: log))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


def kept(tmp_path: Path) -> list[dict[str, Any]]:
    return list(records(tmp_path / "audit"))


async def test_a_change_is_on_the_disk_before_its_reply(client: httpx.AsyncClient, tmp_path: Path) -> None:
    response = await client.post("/-/admin/x")
    intent, record = kept(tmp_path)
    assert (intent["kind"], intent["id"], intent["method"], intent["route"]) == (
        *("intent", record["id"], "POST", "/-/admin/x"),
    )
    assert "status" not in intent
    assert record["kind"] == "control"
    assert response.headers["figway-lineage"] == record["id"]
    assert (record["principal"], record["agent"], record["tenant"]) == ("ann", "bot", "acme")
    assert (record["operation"], record["route"]) == ("gateway:administer", "/-/admin/{name}")
    assert (record["method"], record["status"], record["effect"]) == ("POST", 200, "write")
    assert (record["decision"], record["reply_bytes"]) == ("allow", 2)


@pytest.mark.parametrize(("status", "decision"), [(403, "deny"), (401, "")])
async def test_a_denial_is_on_the_disk_before_its_reply(
    client: httpx.AsyncClient, places: Places, tmp_path: Path, status: int, decision: str
) -> None:
    places.status = status
    for path in ("/-/audit", "/-/metrics"):
        await client.get(path)
    assert [(record["status"], record["decision"]) for record in kept(tmp_path)] == [(status, decision)] * 2


async def test_a_read_is_recorded_too_and_what_machines_poll_is_not(
    client: httpx.AsyncClient, log: AuditLog, tmp_path: Path
) -> None:
    for path in ("/-/live", "/-/ready", "/-/metrics", "/docs", "/openapi.json", "/-/nothing"):
        await client.get(path)
    log.close()
    assert len(kept(tmp_path)) == 3


async def test_while_the_audit_cant_be_written_nothing_is_changed(
    client: httpx.AsyncClient, disk: Disk, places: Places, tmp_path: Path
) -> None:
    disk.full = True
    for _ in range(2):
        response = await client.post("/-/admin/x")
        assert (response.status_code, places.calls) == (503, 0)
        assert response.json()["type"] == "urn:figway:problem:audit-unavailable"
    places.status = 403
    assert (await client.get("/-/audit")).status_code == 503, "no record, no reply"
    disk.full = False


async def test_a_disk_that_fills_up_during_a_change_is_told(
    client: httpx.AsyncClient, disk: Disk, places: Places, tmp_path: Path
) -> None:
    places.before_reply = lambda: setattr(disk, "full", True)
    response = await client.post("/-/admin/x")
    assert (response.status_code, places.calls) == (504, 1)
    assert response.json()["type"] == "urn:figway:problem:unknown-outcome"
    assert [record["kind"] for record in kept(tmp_path)] == ["intent"], "it was announced all the same"
    disk.full = False


async def test_a_call_that_ends_without_a_response_is_recorded(
    client: httpx.AsyncClient, places: Places, tmp_path: Path
) -> None:
    places.status = 0
    with pytest.raises(asyncio.CancelledError):
        await client.post("/-/admin/x")
    assert [record.get("status") for record in kept(tmp_path)] == [None, 499]
