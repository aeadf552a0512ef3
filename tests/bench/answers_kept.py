"""What keeping answers brings and costs: a slow system asked each time, its answers kept by figway, and by nginx.

The system answers after 310 ms, a tenth of what legacy systems take, so that a round has calls enough. Behind figway
the route is governed as in `governed.py`; nginx only keeps: it knows no callers, rows or writes. "Stale" is an answer
past its time, told while the next is fetched. One worker each, 64 connections of wrk, rounds interleaved.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
ROUNDS = 3
ORIGIN = """
import asyncio
BODY = b'{"sku":"BRG-6204","name":"Deep groove ball bearing","on_hand":42}'
HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(BODY)

async def serve(reader, writer):
    try:
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            await asyncio.sleep(0.31)
            writer.write(HEAD + BODY)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", PORT)
    await server.serve_forever()

asyncio.run(main())
"""
NGINX = """
daemon off; master_process off; error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache keys_zone=kept:1m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{origin}; proxy_cache kept; proxy_cache_valid 200 {fresh}; proxy_cache_lock on;
      proxy_cache_use_stale updating error; proxy_cache_background_update on;
    }}
  }}
}}
"""
FRESHNESS = {
    "live": "",
    "kept": "freshness: {mode: cached, fresh: 1h}",
    "stale": "freshness: {mode: cached, fresh: 500ms, stale_while_revalidate: 1h}",
}


def _governed() -> ModuleType:
    spec = importlib.util.spec_from_file_location("governed", HERE / "governed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["governed"] = module
    spec.loader.exec_module(module)
    return module


governed: Any = _governed()


@contextmanager
def _running(command: list[str], port: int, **options: object) -> Iterator[int]:
    process = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        until = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(f"{command[0]} didn't start")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def _figway(folder: Path, name: str, how: str, origin: int | None) -> Iterator[Any]:
    """figway with the route of `governed.py`, over the slow system or, without one, from memory."""
    gateway, contract = governed.GATEWAY, governed.CONTRACT
    if origin is not None:
        upstream = f'shelf: {{kind: http, base_url: "http://127.0.0.1:{origin}", concurrency: 64}}'
        gateway = gateway.replace("shelf: {kind: lab}", upstream)
        contract = contract.replace("operation: item.get", "operation: GET /items/{sku}")
    contract = contract.replace("        group: items\n", f"        group: items\n        {FRESHNESS[how]}\n")
    files = {"gateway.yaml": gateway, "openapi/shelf.yaml": contract, "policies/access.cedar": governed.POLICY}
    for file, text in {**files, "policies/limits.yaml": governed.LIMITS}.items():
        path = folder / file
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "plugin"), "FIGWAY_LOG": "error"}
    figway, at = [sys.executable, "-m", "gateway"], ["--workspace", str(folder)]
    create = [*figway, "key", "create", "--principal", "bench", "--role", "reader", "--json", *at]
    key = re.search(r"figway_[A-Za-z0-9_-]+", subprocess.check_output(create, env=environment, text=True))
    assert key is not None
    port = governed._free_port()
    with governed._process([*figway, "serve", "--port", str(port), *at], port, env=environment) as pid:
        yield governed.Server(name, pid, port, f"Authorization: Bearer {key[0]}")


@contextmanager
def _nginx(folder: Path, name: str, fresh: str, origin: int) -> Iterator[Any]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise RuntimeError("nginx is missing: apt-get install nginx-light")
    folder.mkdir()
    port = governed._free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, origin=origin, fresh=fresh))
    with _running([program, "-c", str(configuration), "-p", str(folder)], port) as pid:
        yield governed.Server(name, pid, port)


def measure() -> list[dict[str, object]]:
    """The figures: CPU time per request in µs, p50 and p99 in ms."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origin = governed._free_port()
        stack.enter_context(_running([sys.executable, "-c", ORIGIN.replace("PORT", str(origin))], origin))
        memory = stack.enter_context(_figway(folder / "memory", "from memory", "live", None))
        hit = stack.enter_context(_figway(folder / "hit", "from memory, kept", "kept", None))
        live = stack.enter_context(_figway(folder / "live", "slow system", "live", origin))
        kept = stack.enter_context(_figway(folder / "kept", "slow system, kept", "kept", origin))
        stale = stack.enter_context(_figway(folder / "stale", "slow system, stale", "stale", origin))
        nginx = stack.enter_context(_nginx(folder / "nginx", "nginx, kept", "1h", origin))
        updating = stack.enter_context(_nginx(folder / "updating", "nginx, stale", "1s", origin))
        servers = [memory, hit, live, kept, stale, nginx, updating]
        for server in servers:
            server.load(1)
        for _ in range(ROUNDS):
            for server in servers:
                server.round()
    return [
        _row(hit, "CPU per request", "cpu", "µs", memory),
        *(_row(each, what, at, "ms", live) for each in (kept, stale) for what, at in (("p50", "p50"), ("p99", "p99"))),
        *(_row(each, "CPU per request", "cpu", "µs", other) for each, other in ((kept, nginx), (stale, updating))),
        *(_row(each, "p99", "p99", "ms", other) for each, other in ((kept, nginx), (stale, updating))),
    ]


def _row(server: Any, what: str, attribute: str, unit: str, versus: Any) -> dict[str, object]:
    own, other = getattr(server, attribute), getattr(versus, attribute)
    ratio = statistics.median(a / b for a, b in zip(own, other, strict=True))
    name = f"answers kept: {server.name}, {what}"
    return {"name": name, "value": statistics.median(own), "unit": unit, "versus": versus.name, "ratio": ratio}
