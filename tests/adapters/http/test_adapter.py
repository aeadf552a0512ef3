"""The adapter against a server: what goes out, what comes back, and what is refused before any call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.capabilities import SupportsLookup
from adapters.contract import Adapter, Context, Effect
from adapters.errors import (
    AdapterError,
    ConfigError,
    DoNotRetry,
    Invalid,
    NotFound,
    Retry,
    Unavailable,
    UnknownOutcome,
)
from adapters.http import KIND
from adapters.secret import Reference

TOKEN = Reference("s3cret", "env:TOKEN")
UNSET = Reference("", "env:TOKEN", missing=True)


async def test_a_read(adapter: Any, reply: Any, context: Context) -> None:
    next_, server = await adapter(reply("200 OK", b'{"id": "C 1", "balance": 12.5}', "Age: 60"))
    result = await next_.invoke("GET /v2/customers/{id}", {"id": "C 1", "fields": "id"}, context)
    assert result.value == {"id": "C 1", "balance": 12.5}
    assert timedelta(seconds=59) < datetime.now(UTC) - result.as_of < timedelta(seconds=70)
    source = result.sources[0]
    assert (source.system, source.object, source.key) == ("next", "GET /v2/customers/{id}", "C 1")
    assert source.as_of == result.as_of
    seen = server.seen[0]
    assert (seen.method, seen.target) == ("GET", "/api/v2/customers/C%201?fields=id")
    assert seen.headers["traceparent"] == context.traceparent
    assert "idempotency-key" not in seen.headers
    assert "content-type" not in seen.headers


async def test_a_write(adapter: Any, reply: Any, context: Context) -> None:
    next_, server = await adapter(reply("204 No Content", b"").replace(b"Content-Length: 0\r\n", b""))
    result = await next_.invoke("PATCH /c/{id}", {"id": 1, "name": "Ann", "header.X": "y"}, context)
    assert result.value is None
    seen = server.seen[0]
    assert (seen.body, seen.headers["content-type"]) == (b'{"name":"Ann","header.X":"y"}', "application/json")
    assert seen.headers["idempotency-key"] == "key-1"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"bearer": TOKEN}, "authorization", "Bearer s3cret"),
        ({"basic": {"username": "ann", "password": TOKEN}}, "authorization", "Basic YW5uOnMzY3JldA=="),
        ({"api_key": {"header": "X-Api-Key", "value": TOKEN}}, "x-api-key", "s3cret"),
    ],
)
async def test_credentials(adapter: Any, reply: Any, context: Context, auth: Any, header: str, value: str) -> None:
    next_, server = await adapter(reply("200 OK", b"1"), auth=auth)
    await next_.invoke("GET /", {}, context)
    assert server.seen[0].headers[header] == value
    with pytest.raises(Invalid):
        await next_.invoke("GET /", {"header": {header.title(): "forged"}}, context)
    assert len(server.seen) == 1


async def test_errors_pass_and_leak_nothing(adapter: Any, reply: Any, context: Context) -> None:
    body = b"Traceback: SELECT * FROM users /srv/app/secret"
    next_, _ = await adapter(reply("404 Not Found", body))
    with pytest.raises(NotFound) as caught:
        await next_.invoke("GET /c/{id}", {"id": "1"}, context)
    assert "SELECT" not in str(vars(caught.value))


async def test_a_binding_that_names_no_operation(adapter: Any, reply: Any, context: Context) -> None:
    next_, server = await adapter(reply("200 OK", b"1"))
    with pytest.raises(DoNotRetry):
        await next_.invoke("GetCustomer", {}, context)
    assert server.seen == []


def test_names_are_accepted_by_their_form(built: Any) -> None:
    next_: Adapter = built(base_url="https://crm.internal")
    assert next_.operations() == {}
    operation = built(base_url="https://crm.internal").accepts("POST /a/{b}")
    assert (operation.effect, operation.input["required"]) == (Effect.WRITE, ["b"])
    assert built(base_url="https://crm.internal").accepts("ListCustomers") is None


# ── look-up and probe ────────────────────────────────────────────────────────────────────────────────────────


async def test_look_up_tells_what_became_of_a_write(adapter: Any, reply: Any, context: Context) -> None:
    async def known(seen: Any) -> bytes:
        return reply("200 OK", b'{"id": 1}') if seen.target.endswith("/key%2F1") else reply("404 Not Found", b"")

    next_, server = await adapter(known, lookup="GET /by-key/{idempotency_key}")
    assert isinstance(next_, SupportsLookup)
    found = await next_.lookup("POST /c", "key/1", context)
    assert found is not None
    assert found.value == {"id": 1}
    assert await next_.lookup("POST /c", "other", context) is None
    assert server.seen[0].target == "/api/by-key/key%2F1"


def test_look_up_is_a_capability_only_when_configured(built: Any) -> None:
    assert not isinstance(built(base_url="https://crm.internal"), SupportsLookup)


@pytest.mark.parametrize(
    ("status", "ok"), [("200 OK", True), ("404 Not Found", True), ("401 No", False), ("503 Busy", False)]
)
async def test_a_probe(adapter: Any, reply: Any, context: Context, status: str, ok: bool) -> None:
    next_, server = await adapter(reply(status, b""), probe="/health")
    probe = await next_.probe(context)
    assert (probe.ok, probe.detail) == (ok, f"GET /health answers {status[:3]}")
    assert server.seen[0].target == "/api/health"


async def test_a_probe_of_what_is_down(built: Any, servers: Any, context: Context) -> None:
    probe = await built(base_url=f"http://127.0.0.1:{servers.free_port()}").probe(context)
    assert not probe.ok
    assert "127.0.0.1" not in probe.detail


# ── configuration ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"base_url": UNSET}, "base_url"),
        ({"base_url": "https://a.b", "auth": {"bearer": UNSET}}, "credential"),
        ({"base_url": "https://a.b", "auth": {"basic": {"username": "u", "password": UNSET}}}, "credential"),
        ({"base_url": "https://a.b", "tls": {"cert": "c.pem", "key": UNSET}}, "TLS key"),
        ({"base_url": "https://a.b", "tls": {"cert": UNSET, "key": TOKEN}}, "TLS key or certificate"),
        ({"base_url": "https://a.b", "tls": {"ca": UNSET}}, "certificate"),
    ],
)
async def test_what_the_environment_lacks_fails_only_when_used(
    built: Any, context: Context, config: Any, what: str
) -> None:
    next_ = built(files={"c.pem": b""}, **config)
    for attempt in (next_.open, lambda: next_.invoke("GET /", {}, context)):
        with pytest.raises(Unavailable) as caught:
            await attempt()
        assert what in caught.value.message
    assert not (await next_.probe(context)).ok


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"base_url": "crm.internal"},
        {"base_url": "ftp://crm.internal"},
        {"base_url": "https://"},
        {"base_url": "https://ann:pw@crm.internal"},
        {"base_url": "https://crm.internal/?x=1"},
        {"base_url": "https://crm.internal/a b"},
        {"base_url": "https://crm.internal:port"},
        {"base_url": 5},
        {"base_url": "https://a.b", "auth": {}},
        {"base_url": "https://a.b", "auth": {"bearer": "literal"}},
        {"base_url": "https://a.b", "auth": {"bearer": TOKEN, "api_key": {"header": "X", "value": TOKEN}}},
        {"base_url": "https://a.b", "auth": {"api_key": {"header": "a b", "value": TOKEN}}},
        {"base_url": "https://a.b", "auth": {"basic": {"username": "a:b", "password": TOKEN}}},
        {"base_url": "https://a.b", "lookup": "POST /x/{idempotency_key}"},
        {"base_url": "https://a.b", "lookup": "GET /x"},
        {"base_url": "https://a.b", "probe": "health"},
        {"base_url": "https://a.b", "tls": {"cert": "c.pem"}},
        {"base_url": "https://a.b", "unknown": 1},
    ],
)
def test_configurations_that_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KIND.config.model_validate(config)


def test_every_problem_is_told_at_once(built: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        built(
            base_url="https://a.b",
            auth={"bearer": Reference("two\nlines", "env:X")},
            tls={"ca": "no.pem", "cert": "no.pem", "key": TOKEN},
        )
    assert [problem.where for problem in caught.value.problems] == ["/tls/ca", "/tls/cert", "/auth"]
    with pytest.raises(ConfigError):
        built(files={"ca.pem": b"not PEM"}, base_url="https://a.b", tls={"ca": "ca.pem"})


def test_every_key_is_described() -> None:
    for name, field in KIND.config.model_fields.items():
        assert field.description, name


async def test_only_declared_errors_leave(adapter: Any, context: Context) -> None:
    next_, _ = await adapter(None)
    with pytest.raises(AdapterError):
        await next_.invoke("POST /c", {"a": 1}, context)


@pytest.mark.parametrize(
    ("operation", "effect", "error", "sends_key"),
    [
        ("POST /search", Effect.READ, Retry, False),
        ("POST /search", None, UnknownOutcome, True),
        ("GET /next-number", Effect.WRITE, UnknownOutcome, True),
        ("GET /next-number", None, Retry, False),
    ],
)
async def test_the_declared_effect_goes_before_the_method(
    operation: str, effect: Effect | None, error: type[AdapterError], sends_key: bool, adapter: Any, reply: Any,
    context: Context,
) -> None:  # fmt: skip
    next_, server = await adapter(reply("500 Internal Server Error", b"{}"))
    with pytest.raises(error):
        await next_.invoke(operation, {}, Context(context.deadline, idempotency_key="key-1", effect=effect))
    assert ("idempotency-key" in server.seen[0].headers) == sends_key
