"""What a span says of an upstream's call, by the semantic conventions of its kind."""

from __future__ import annotations

import time

import pytest

from gateway.call import Call, UpstreamCall
from gateway.telemetry.spans import description, spans_of

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("kind", "operation", "name", "told"),
    [
        ("soap", "GetCustomer", "u/GetCustomer", {"rpc.system": "soap", "rpc.method": "GetCustomer"}),
        ("odbc", "stock.get", "stock.get", {"db.collection.name": "stock", "db.operation.name": "get"}),
        ("odbc", "low_stock", "low_stock", {"db.query.summary": "low_stock"}),
        ("files", "invoices.list", "invoices.list", {"file.dataset": "invoices", "file.operation": "list"}),
        ("http", "GET /v2/c/{id}", "GET /v2/c/{id}", {"http.request.method": "GET", "url.template": "/v2/c/{id}"}),
        ("lab", "item.get", "item.get", {"peer.service": "u"}),
    ],
)
def test_each_kind_has_its_conventions(kind: str, operation: str, name: str, told: dict[str, str]) -> None:
    found, attributes = description(kind, "u", operation)
    assert found == name
    assert attributes.items() >= told.items()


def test_a_call_with_no_route_and_a_long_path_is_bounded() -> None:
    call = Call("id", "", 1, "GET", "/" + "x" * 5_000, 0.0, TRACE, {})
    (span,) = spans_of(call, 404, "no-such-route", 0.1, lambda _: ("", {}))
    assert span.name == "GET"
    assert len(str(span.attributes["url.path"])) == 1024
    assert span.attributes["error.type"] == "no-such-route"
    assert span.error == ""
    assert span.end - span.start == 100_000_000


def test_an_upstream_s_span_lies_within_the_call_s() -> None:
    call = Call("id", "op", 1, "GET", "/", 0.0, TRACE, {})
    call.upstream_calls = [UpstreamCall("u", "op", 0.2, "ok", (), time.perf_counter() - 0.3, "b" * 16)]
    server, upstream = spans_of(call, 200, None, 0.5, lambda _: ("op", {}))
    assert server.start < upstream.start < upstream.end < server.end
    assert (upstream.parent, upstream.trace) == (server.id, server.trace)


def test_a_call_that_wasn_t_sampled_when_it_called_has_no_span_below() -> None:
    call = Call("id", "op", 1, "GET", "/", 0.0, TRACE, {})
    call.upstream_calls = [UpstreamCall("u", "op", 0.2, "ok")]
    assert len(spans_of(call, 200, None, 0.5, lambda _: ("op", {}))) == 1
