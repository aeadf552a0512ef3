"""Webhooks: signed as Standard Webhooks has it, tried again, bounded, and never led elsewhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from adapters.secret import Reference
from gateway.approvals.webhook import MOST_WAITING, Receiver, Webhooks, signature
from gateway.routing.schema import Receiver as ReceiverModel

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Heard:
    """A real server that answers `answers` in turn, then 204."""

    def __init__(self, *answers: int) -> None:
        self.got: list[tuple[dict[str, str], bytes, str]] = []
        waiting = list(answers)
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got.append(({name.lower(): value for name, value in self.headers.items()}, body, self.path))
                status = waiting.pop(0) if waiting else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def heard(request: pytest.FixtureRequest) -> Iterator[Heard]:
    server = Heard(*getattr(request, "param", ()))
    yield server
    server.close()


async def told(webhooks: Webhooks, heard: Heard, count: int) -> None:
    """Runs the sender until so many messages have come."""
    task = asyncio.create_task(webhooks.run())
    try:
        async with asyncio.timeout(20):
            while len(heard.got) < count:  # noqa: ASYNC110 - the server is another thread's
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the Standard Webhooks specification.
    body = b'{"test": 2432232314}'
    assert signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


async def test_nothing_is_opened_while_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[None] = []
    monkeypatch.setattr("httpx.AsyncClient", lambda **_: opened.append(None))
    webhooks = Webhooks()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(webhooks.run(), 0.05)
    await webhooks.flush(1)
    assert opened == []


async def test_a_message_says_what_happened_and_proves_who_says_it(heard: Heard) -> None:
    webhooks = Webhooks()
    webhooks.follow([Receiver(heard.url, SECRET)])
    webhooks.tell("stage.flipped", {"group": "items"})
    await told(webhooks, heard, 1)
    headers, body, _ = heard.got[0]
    document = orjson.loads(body)
    assert (document["type"], document["data"]) == ("stage.flipped", {"group": "items"})
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"


@pytest.mark.parametrize("heard", [(500, 503)], indirect=True)
async def test_what_is_not_taken_is_sent_again_as_the_same_message(heard: Heard) -> None:
    webhooks = Webhooks(pauses=(0.01, 0.01, 0.01))
    webhooks.follow([Receiver(heard.url, "a long enough secret")])
    webhooks.tell("approval.asked", {"id": "1"})
    await told(webhooks, heard, 3)
    assert len({headers["webhook-id"] for headers, _, _ in heard.got}) == 1
    assert len({body for _, body, _ in heard.got}) == 1


@pytest.mark.parametrize("heard", [(302, 302, 302)], indirect=True)
async def test_a_redirect_is_not_followed(heard: Heard) -> None:
    webhooks = Webhooks(pauses=(0.01,))
    webhooks.follow([Receiver(heard.url, "a long enough secret")])
    webhooks.tell("approval.asked", {"id": "1"})
    await told(webhooks, heard, 2)
    assert {path for _, _, path in heard.got} == {"/hook"}


async def test_what_waits_is_bounded(heard: Heard) -> None:
    webhooks = Webhooks()
    webhooks.follow([Receiver(heard.url, "a long enough secret")])
    for number in range(MOST_WAITING + 5):
        webhooks.tell("stage.flipped", {"number": number})
    waiting = webhooks._waiting
    assert len(waiting) == MOST_WAITING
    assert orjson.loads(waiting[0].body)["data"] == {"number": 5}


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://hooks.example.com/figway", True),
        ("http://127.0.0.1:9000/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:9000/", True),
        ("http://hooks.example.com/x", False),
        ("http://127.0.0.1.example.com/x", False),
        ("http://localhost@example.com/x", False),
        ("https://user:password@example.com/x", False),
        ("file:///etc/passwd", False),
        ("ftp://example.com", False),
    ],
)
def test_only_https_or_this_host_is_told(url: str, good: bool) -> None:
    given = {"url": url, "secret": Reference("0123456789abcdef", "env:HOOK")}
    if good:
        assert ReceiverModel.model_validate(given).url == url
    else:
        with pytest.raises(ValidationError):
            ReceiverModel.model_validate(given)


def test_the_secret_is_a_reference() -> None:
    with pytest.raises(ValidationError):
        ReceiverModel.model_validate({"url": "https://example.com/", "secret": "a literal one"})
