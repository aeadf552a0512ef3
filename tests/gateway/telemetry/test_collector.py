"""What a collector really gets over OTLP/HTTP: spans, log lines and metrics, and no secret among them."""

from __future__ import annotations

import time
from typing import Any

import pytest

SECRET = "planted-s3cret"
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


def attributes(thing: Any) -> dict[str, Any]:
    """A span's or point's attributes as plain values."""
    return {each.key: each.value.string_value or each.value.int_value for each in thing.attributes}


def spans_of(collector: Any, trace: str) -> list[Any]:
    return [span for span in collector.spans() if span.trace_id.hex() == trace]


def traceparent(trace: str = CALLER, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{trace}-00f067aa0ba902b7-{flags}"}


@pytest.fixture(scope="module")
def client(gateway: Any) -> Any:
    with gateway.client() as client:
        yield client


def test_a_call_is_a_server_span_with_its_upstream_s_below(client: Any, watched: Any) -> None:
    reply = client.get("/items/A", headers=traceparent())
    watched.wait(lambda: len(spans_of(watched, CALLER)) == 2)
    server, upstream = sorted(spans_of(watched, CALLER), key=lambda span: span.kind)
    assert (server.kind, upstream.kind) == (2, 3)
    assert server.parent_span_id.hex() == "00f067aa0ba902b7"
    assert server.span_id.hex() == reply.headers["traceparent"][36:52]
    assert upstream.parent_span_id == server.span_id
    assert server.name == "GET /items/{sku}"
    told = attributes(server)
    assert told["http.route"] == "/items/{sku}"
    assert (told["http.response.status_code"], told["http.request.method"]) == (200, "GET")
    assert (told["figway.operation"], told["figway.snapshot"]) == ("get_item", 1)
    assert told["figway.lineage"] == reply.headers["figway-lineage"]
    assert attributes(upstream)["peer.service"] == "lab"
    # When each began and how long it took are read from two clocks, at moments that may lie apart.
    assert server.start_time_unix_nano <= upstream.start_time_unix_nano + 1_000_000_000
    assert upstream.end_time_unix_nano <= server.end_time_unix_nano + 1_000_000_000
    assert abs(server.end_time_unix_nano / 1e9 - time.time()) < 60


def test_what_a_caller_doesn_t_sample_isn_t_exported(client: Any, watched: Any) -> None:
    quiet, loud = "a" * 32, "b" * 32
    assert client.get("/items/A", headers=traceparent(quiet, "00")).headers["traceparent"].endswith("-00")
    client.get("/items/A", headers=traceparent(loud))
    watched.wait(lambda: bool(spans_of(watched, loud)))
    assert spans_of(watched, quiet) == []


def test_a_failure_says_so_in_both_spans(client: Any, watched: Any) -> None:
    trace = "c" * 32
    assert client.get("/closed/A", headers=traceparent(trace)).status_code == 503
    watched.wait(lambda: len(spans_of(watched, trace)) == 2)
    server, upstream = sorted(spans_of(watched, trace), key=lambda span: span.kind)
    assert (server.status.code, attributes(server)["error.type"]) == (2, "upstream-unavailable")
    assert (upstream.status.code, attributes(upstream)["error.type"]) == (2, "Unavailable")


def test_log_lines_carry_the_trace_of_their_call(client: Any, watched: Any) -> None:
    trace = "d" * 32
    reply = client.get("/fail/BadReply", headers=traceparent(trace))
    assert reply.status_code == 502
    watched.wait(lambda: any(line.trace_id.hex() == trace for line in watched.lines()))
    (line, *_) = [line for line in watched.lines() if line.trace_id.hex() == trace]
    assert line.span_id.hex() == reply.headers["traceparent"][36:52]
    assert reply.headers["figway-lineage"] in line.body.string_value


def test_metrics_are_sent_too(client: Any, watched: Any) -> None:
    client.get("/items/A")
    watched.wait(lambda: watched.metrics().keys() >= {"http.server.request.duration", "figway_workers"})
    metrics = watched.metrics()
    points = metrics["http.server.request.duration"].histogram.data_points
    assert all(sum(point.bucket_counts) == point.count for point in points)
    assert {"/items/{sku}"} <= {attributes(point)["http_route"] for point in points}
    assert metrics["figway_workers"].gauge.data_points[0].as_double == 1


def test_no_secret_of_a_caller_leaves_in_any_signal(client: Any, watched: Any, gateway: Any) -> None:
    trace = "e" * 32
    headers = {**traceparent(trace), "x-secret": SECRET, "cookie": SECRET, "user-agent": SECRET}
    client.get("/items/A", params={"q": SECRET}, headers=headers)
    client.post("/items", json={"sku": "S", "note": SECRET}, headers=headers)
    client.post("/items", json={"unknown": SECRET}, headers=headers)
    client.get("/items/A", headers={**headers, "authorization": f"Bearer {SECRET}"})
    watched.wait(lambda: len([span for span in spans_of(watched, trace) if span.kind == 2]) == 4)
    time.sleep(0.5)
    assert not any(SECRET.encode() in each for each in watched.raw)
    assert SECRET not in gateway.logged()
    key = client.headers["authorization"].removeprefix("Bearer ")
    assert not any(key.encode() in each for each in watched.raw)


def test_a_collector_that_hangs_holds_nobody_up(
    collector: Any, running: Any, lab_workspace: Any, tmp_path: Any
) -> None:
    collector.hanging.set()
    extra = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_TRACES_SAMPLER": "always_on",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    with running.serving(lab_workspace(tmp_path, running), extra=extra) as gateway, gateway.client() as client:
        client.get("/items/A")
        collector.wait(lambda: bool(collector.raw))
        for _ in range(100):
            assert client.get("/items/A").status_code == 200
        assert gateway.stop() == 0
