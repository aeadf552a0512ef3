"""The ingress alone, over connections that tests play: what needs a moment that real sockets seldom give."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.contract import Effect
from gateway.call import Call, Reply, UpstreamCall
from gateway.ingress.http import Endpoint, HttpIngress
from gateway.ingress.response import Response
from gateway.pipeline import Handler
from gateway.routing.table import Table

BODY = {"type": "http.request", "body": b'{"a": 1}', "more_body": False}


class Played:
    """An ingress with one route, `POST /it`, and what its audit and its caller got."""

    def __init__(self, handler: Handler, effect: Effect = Effect.READ) -> None:
        self.serving = SimpleNamespace(table=Table[Endpoint](), version=1, calls=0, writes=0)
        self.serving.table.add(
            "POST", "/it", Endpoint("it", "/it", effect.value, effect is not Effect.READ, handler, 5.0, 100, 100, True)
        )
        self.records: list[Any] = []
        self.sent: list[MutableMapping[str, Any]] = []
        self.sending = asyncio.Event()
        audit = SimpleNamespace(
            healthy=True, crowded=False, refuses_reads=False, append=self.records.append, append_durable=self._durable
        )
        self.ingress = HttpIngress(lambda: self.serving, audit)  # type: ignore[arg-type]
        self._messages = [BODY]

    async def _durable(self, record: Any) -> None:
        self.records.append(record)

    async def receive(self) -> MutableMapping[str, Any]:
        if self._messages:
            return self._messages.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    async def never_sent(self, _: MutableMapping[str, Any]) -> None:
        self.sending.set()
        await asyncio.Event().wait()

    async def call(self, send: Any = None) -> None:
        scope = {"method": "POST", "path": "/it", "raw_path": b"/it", "query_string": b"", "http_version": "1.1"}
        await self.ingress({**scope, "headers": [(b"host", b"x")]}, self.receive, send or self.send)


async def test_a_body_is_left_to_who_reads_it_however_late() -> None:
    async def handler(call: Call) -> Reply:
        assert call.read_body is not None
        await asyncio.sleep(0.2)  # longer than it takes until the caller is watched
        return Reply(200, encoded=await call.read_body())

    played = Played(handler)
    async with asyncio.timeout(3):
        await played.call()
    assert played.sent[1]["body"] == BODY["body"]


async def test_an_answer_that_nobody_reads_is_no_call_in_flight() -> None:
    async def handler(_: Call) -> Reply:
        return Reply(200, {})

    played = Played(handler)
    task = asyncio.create_task(played.call(played.never_sent))
    await played.sending.wait()
    assert played.serving.calls == 0
    assert len(played.records) == 1
    task.cancel()


@pytest.mark.parametrize(("effect", "status"), [(Effect.READ, 500), (Effect.WRITE, 504)])
async def test_a_call_that_the_gateway_cuts_off_is_audited_for_what_may_have_happened(
    effect: Effect, status: int
) -> None:
    async def handler(call: Call) -> Reply:
        call.upstream_calls.append(UpstreamCall("lab", "put", 0.0, "cancelled"))
        played.sending.set()
        await asyncio.Event().wait()
        raise AssertionError

    played = Played(handler, effect)
    task = asyncio.create_task(played.call())
    await played.sending.wait()
    task.cancel()
    await task
    assert [json.loads(record)["status"] for record in played.records] == [status]
    assert played.sent[0]["status"] == status, "the caller is told the same"


def test_a_warning_stays_one_header_field() -> None:
    call = Call("id", "it", 1, "GET", "/it", 0.0, "", {})
    response = Response(call, Reply(200, {}, warnings=("a\r\nset-cookie: b=c\x00é",)))
    assert dict(response.headers)[b"figway-warning"] == b"a  set-cookie: b=c ?"


@pytest.mark.parametrize(("status", "length"), [(204, None), (205, b"0"), (200, b"4")])
def test_what_has_no_content_sends_none(status: int, length: bytes | None) -> None:
    call = Call("id", "it", 1, "DELETE", "/it", 0.0, "", {})
    response = Response(call, Reply(status, None))
    assert response.body == (b"null" if status == 200 else b"")
    assert dict(response.headers).get(b"content-length") == length
