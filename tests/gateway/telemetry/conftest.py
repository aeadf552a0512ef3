"""A collector on a socket that decodes what is really sent, and a gateway that sends to it."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
permit (principal in Role::"writer", action, resource);
permit (principal in Role::"scraper", action == Action::"gateway:read_metrics", resource);
"""
FORMS = {"/v1/traces": ExportTraceServiceRequest, "/v1/logs": ExportLogsServiceRequest}
FORMS["/v1/metrics"] = ExportMetricsServiceRequest


class Collector(ThreadingHTTPServer):
    """Keeps every request as bytes and decoded; `hanging` ones are never answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.raw: list[bytes] = []
        self.received: dict[str, list[Any]] = {path: [] for path in FORMS}
        self.hanging = threading.Event()
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Any]:
        """All spans so far."""
        batches = [part for each in self.received["/v1/traces"] for part in each.resource_spans]
        return [span for batch in batches for scope in batch.scope_spans for span in scope.spans]

    def lines(self) -> list[Any]:
        """All log records so far."""
        batches = [part for each in self.received["/v1/logs"] for part in each.resource_logs]
        return [line for batch in batches for scope in batch.scope_logs for line in scope.log_records]

    def metrics(self) -> dict[str, Any]:
        """The metrics sent last, by name."""
        batches = [part for each in self.received["/v1/metrics"][-1:] for part in each.resource_metrics]
        return {each.name: each for batch in batches for scope in batch.scope_metrics for each in scope.metrics}

    def wait(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "the collector didn't get it"
            time.sleep(0.05)


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        if self.server.hanging.is_set():
            self.server.raw.append(body)
            self.server.ended.wait()
            return
        message = FORMS[self.path]()
        message.ParseFromString(body)
        self.server.received[self.path].append(message)
        self.server.raw.append(body)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def collecting() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of a test's own."""
    with collecting() as server:
        yield server


@pytest.fixture(scope="package")
def watched() -> Iterator[Collector]:
    """The collector of `gateway`."""
    with collecting() as server:
        yield server


def workspace(folder: Path, running: ModuleType) -> Path:
    """The lab's workspace, one of whose callers may scrape."""
    contract = Path(__file__).parents[1].joinpath("ingress", "lab.yaml").read_text()
    gateway = "upstreams:\n  lab: {kind: lab}\n  faulty: {kind: lab}\n  closed: {kind: lab, down: true}\n"
    files = {"gateway.yaml": gateway, "openapi/lab.yaml": contract, "policies/access.cedar": POLICY}
    found: Path = running.write_workspace(folder, files)
    return found


@pytest.fixture(scope="session")
def lab_workspace() -> Callable[[Path, ModuleType], Path]:
    """`workspace(folder, running)`."""
    return workspace


@pytest.fixture(scope="package")
def gateway(watched: Collector, running: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gateway of two workers that exports every trace, quickly."""
    extra = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": watched.url,
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
    }
    folder = workspace(tmp_path_factory.mktemp("watched"), running)
    with running.serving(folder, "--workers", "2", extra=extra) as gateway:
        yield gateway


@pytest.fixture(scope="package")
def scraper(gateway: Any, running: ModuleType) -> str:
    """The credential of one who may scrape."""
    key: str = running.create_key(gateway.folder, "scraper", principal="prometheus")
    return key
