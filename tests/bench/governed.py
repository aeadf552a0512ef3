"""What governance costs: CPU time per request and latency of a governed route, a bare FastAPI route and raw ASGI.

One worker each, 64 connections of wrk, rounds interleaved so that a noisy machine is noisy for all. The governed route
has an API key, a policy, limits, validation both ways, an audit record on disk, metrics, and spans that a collector
gets: of every twentieth call, or of every call. Its adapter answers from memory.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS, SECONDS, CONNECTIONS = 5, 3, 64
_TICK = os.sysconf("SC_CLK_TCK")

GATEWAY = """
upstreams:
  shelf: {kind: lab}
identity: {api_keys: true}
"""
CONTRACT = """
openapi: 3.1.0
info: {title: Shelf, version: "1"}
paths:
  /items/{sku}:
    get:
      operationId: get_item
      summary: One item
      parameters:
        - {name: sku, in: path, required: true, schema: {type: string, pattern: "^[A-Z0-9-]{1,20}$"}}
      responses:
        "200":
          description: The item.
          content:
            application/json:
              schema:
                type: object
                required: [sku, name, on_hand]
                properties:
                  sku: {type: string}
                  name: {type: string}
                  on_hand: {type: integer, minimum: 0}
      x-gateway:
        effect: read
        group: items
        legacy:
          upstream: shelf
          operation: item.get
          input: {sku: path.sku}
          output: "{sku: sku, name: name, on_hand: on_hand}"
"""
POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
"""

LIMITS = """
rules:
  - {match: {principal: "*"}, rate: 1000000/s, burst: 1000000}
"""

RAW = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b'{"sku":"BRG-6204","name":"Deep groove ball bearing","on_hand":42}'
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
"""
BARE = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/items/{sku}")
async def get_item(sku: str):
    return {"sku": sku, "name": "Deep groove ball bearing", "on_hand": 42}
"""


@dataclass
class Server:
    """A server under load and what was measured of it."""

    name: str
    pid: int
    port: int
    header: str = "x-none: 1"
    path: str = "/items/BRG-6204"
    connections: int = CONNECTIONS
    seconds: int = SECONDS
    script: Path | None = None
    """A script of wrk, where not all requests are the same."""
    cpu: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def load(self, seconds: int = 0) -> tuple[int, float, float]:
        """Requests answered, p50 and p99 in ms; for so many seconds, 0: as long as a round."""
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds or self.seconds}s", "--timeout", "20s"]
        command += ["--latency", "-H", self.header, f"http://127.0.0.1:{self.port}{self.path}"]
        if self.script is not None:
            command += ["--script", str(self.script)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in text:
            raise RuntimeError(f"{self.name} answered errors:\n{text}")
        requests = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
        return requests, _milliseconds(text, "50%"), _milliseconds(text, "99%")

    def round(self) -> None:
        """One measured round."""
        before = _cpu_seconds(self.pid)
        requests, p50, p99 = self.load()
        self.cpu.append((_cpu_seconds(self.pid) - before) / requests * 1e6)
        self.p50.append(p50)
        self.p99.append(p99)


def _milliseconds(text: str, percentile: str) -> float:
    number, unit = re.search(rf"{percentile}\s+([0-9.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and those that it has started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / _TICK + sum(_cpu_seconds(int(each)) for each in children)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], port: int, **options: object) -> Iterator[int]:
    process = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        _wait(process, port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return
        except OSError:
            pass
        else:
            return
        time.sleep(0.1)
    raise RuntimeError("the server didn't start")


@contextmanager
def _asgi(name: str, source: str, folder: Path) -> Iterator[Server]:
    (folder / f"{name}.py").write_text(source)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--port", str(port), "--no-access-log"]
    with process([*command, "--log-level", "warning"], port, cwd=folder) as pid:
        yield Server(name, pid, port)


class _Sink(BaseHTTPRequestHandler):
    """A collector that takes everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def _collector() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def _governed(folder: Path, name: str, collector: str, ratio: float) -> Iterator[Server]:
    figway = [sys.executable, "-m", "gateway"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "plugin"), "FIGWAY_LOG": "warning"}
    environment |= {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector}/v1/traces",
        "OTEL_TRACES_SAMPLER_ARG": f"{ratio}",
    }
    files = {"gateway.yaml": GATEWAY, "openapi/shelf.yaml": CONTRACT, "policies/access.cedar": POLICY}
    for file, text in {**files, "policies/limits.yaml": LIMITS}.items():
        path = folder / file
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    create = [*figway, "key", "create", "--principal", "bench", "--role", "reader", "--json", "--workspace", folder]
    key = re.search(r"figway_[A-Za-z0-9_-]+", subprocess.check_output(create, env=environment, text=True))
    assert key is not None
    port = free_port()
    with process([*figway, "serve", "--port", str(port), "--workspace", str(folder)], port, env=environment) as pid:
        yield Server(name, pid, port, f"Authorization: Bearer {key[0]}")


def measure() -> list[dict[str, object]]:
    """The figures: CPU time per request in µs, p50 and p99 in ms, and their ratios to the bare FastAPI route."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        collector = stack.enter_context(_collector())
        servers = [
            stack.enter_context(_governed(folder / "five", "governed, 5 % of spans", collector, 0.05)),
            stack.enter_context(_governed(folder / "all", "governed, every span", collector, 1.0)),
            stack.enter_context(_asgi("bare_fastapi", BARE, folder)),
            stack.enter_context(_asgi("raw_asgi", RAW, folder)),
        ]
        for server in servers:
            server.load(1)
        for _ in range(ROUNDS):
            for server in servers:
                server.round()
    governed, traced, bare, raw = servers
    return [
        *(_figure(each, "CPU per request", "cpu", "µs", bare) for each in servers),
        *(_figure(each, "CPU per request", "cpu", "µs", raw) for each in (governed, traced)),
        *(_figure(each, "p50, 64 connections", "p50", "ms", bare) for each in servers),
        *(_figure(each, "p99, 64 connections", "p99", "ms", bare) for each in servers),
    ]


def _figure(server: Server, what: str, attribute: str, unit: str, versus: Server) -> dict[str, object]:
    own, other = getattr(server, attribute), getattr(versus, attribute)
    ratios = [a / b for a, b in zip(own, other, strict=True)]
    return {
        "name": f"{server.name.replace('_', ' ')}: {what}",
        "value": statistics.median(own),
        "unit": unit,
        "versus": versus.name.replace("_", " "),
        "ratio": statistics.median(ratios),
    }
