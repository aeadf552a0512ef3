"""What the benches of kept answers have in common: a slow system, and the caches that stand before it or figway.

nginx and Varnish only keep. They know no callers, so that every answer has to be for everybody: no rows, no masks, no
answers of one's own. They learn of no writes and no changes, tell nobody how old the data is that the system itself
calls new, and have no answer to a question that nobody has asked. Both have to be told to keep what was asked for
with credentials, which they rightly refuse else.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import governed
from governed import Server

ORIGIN = """
import asyncio
BODY = b'{"sku":"BRG-6204","name":"Deep groove ball bearing","on_hand":42}'
HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(BODY)

async def serve(reader, writer):
    try:
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            await asyncio.sleep(DELAY)
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
  proxy_cache_path {folder}/cache keys_zone=kept:8m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{origin}; proxy_cache kept; proxy_cache_valid 200 {fresh}; proxy_cache_lock on;
      proxy_cache_use_stale updating error; proxy_cache_background_update on;
      proxy_ignore_headers Cache-Control Vary;
    }}
  }}
}}
"""
VARNISH = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}
sub vcl_recv {{ return (hash); }}
sub vcl_backend_response {{
  set beresp.ttl = {fresh}; set beresp.grace = 1h; unset beresp.http.Vary; return (deliver);
}}
"""


@contextmanager
def listening(command: list[str], port: int) -> Iterator[int]:
    """A process, from when it listens until the block ends; its id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(f"{command[0]} didn't start")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def slow_system(seconds: float) -> Iterator[int]:
    """A system over HTTP that takes so long; its port."""
    port = governed.free_port()
    source = ORIGIN.replace("PORT", str(port)).replace("DELAY", str(seconds))
    with listening([sys.executable, "-c", source], port):
        yield port


@contextmanager
def nginx(folder: Path, name: str, fresh: str, origin: int) -> Iterator[Server]:
    """nginx's proxy_cache before what listens at `origin`."""
    folder.mkdir()
    port, configuration = governed.free_port(), folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, origin=origin, fresh=fresh))
    with listening([_program("nginx", "nginx-light"), "-c", str(configuration), "-p", str(folder)], port) as pid:
        yield Server(name, pid, port)


@contextmanager
def varnish(folder: Path, name: str, fresh: str, origin: int) -> Iterator[Server]:
    """Varnish before what listens at `origin`."""
    folder.mkdir()
    port, configuration = governed.free_port(), folder / "kept.vcl"
    configuration.write_text(VARNISH.format(origin=origin, fresh=fresh))
    command = [_program("varnishd", "varnish"), "-F", "-j", "none", "-f", str(configuration)]
    command += ["-n", str(folder / "work"), "-s", "malloc,64m", "-a", f"127.0.0.1:{port}"]
    with listening(command, port) as pid:
        yield Server(name, pid, port)


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise RuntimeError(f"{name} is missing: apt-get install {package}")
    return found


@contextmanager
def figway(folder: Path, name: str, files: Mapping[str, str], before: tuple[str, ...] = ()) -> Iterator[Server]:
    """figway with the policies and limits of `governed.py`; `before` is a command of it that is run first."""
    for file, text in {
        "policies/access.cedar": governed.POLICY,
        "policies/limits.yaml": governed.LIMITS,
        **files,
    }.items():
        path = folder / file
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "plugin"), "FIGWAY_LOG": "error"}
    command, at = [sys.executable, "-m", "gateway"], ["--workspace", str(folder)]
    if before:
        subprocess.run([*command, *before, *at], env=environment, check=True, stdout=subprocess.DEVNULL)
    create = [*command, "key", "create", "--principal", "bench", "--role", "reader", "--json", *at]
    key = re.search(r"figway_[A-Za-z0-9_-]+", subprocess.check_output(create, env=environment, text=True))
    assert key is not None
    port = governed.free_port()
    with governed.process([*command, "serve", "--port", str(port), *at], port, env=environment) as pid:
        yield Server(name, pid, port, f"Authorization: Bearer {key[0]}")


def rounds(servers: list[Server], number: int) -> None:
    """Warms all up and measures them in turn, so that a noisy machine is noisy for all."""
    for server in servers:
        server.load()
    for _ in range(number):
        for server in servers:
            server.round()


def row(title: str, server: Server, what: str, versus: Server) -> dict[str, object]:
    """A figure and its ratio: `what` is "cpu" (µs per request), "p50" or "p99" (ms)."""
    own, other = getattr(server, what), getattr(versus, what)
    ratio = statistics.median(a / b for a, b in zip(own, other, strict=True))
    name = f"{title}: {server.name}, {'CPU per request' if what == 'cpu' else what}"
    unit = "µs" if what == "cpu" else "ms"
    return {"name": name, "value": statistics.median(own), "unit": unit, "versus": versus.name, "ratio": ratio}
