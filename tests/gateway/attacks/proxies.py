"""HAProxy and nginx in front of a gateway, as operators have them."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HAPROXY = """
global
  maxconn 1000
defaults
  mode http
  timeout connect 2s
  timeout client 8s
  timeout server 8s
  timeout http-request 5s
frontend front
  bind 127.0.0.1:{port}
  default_backend gateway
backend gateway
  http-reuse always
  server gateway 127.0.0.1:{upstream}
"""
_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream gateway {{ server 127.0.0.1:{upstream}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port}; client_body_timeout 8s;
    location / {{ proxy_pass http://gateway; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_request_buffering off; proxy_read_timeout 8s; }}
  }}
}}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def proxies(folder: Path, upstream: int) -> Iterator[dict[str, int]]:
    """Both in front of the gateway at port `upstream`; answers their ports by name."""
    ports = {"haproxy": _free_port(), "nginx": _free_port()}
    (folder / "haproxy.cfg").write_text(_HAPROXY.format(port=ports["haproxy"], upstream=upstream))
    (folder / "nginx.conf").write_text(_NGINX.format(port=ports["nginx"], upstream=upstream, folder=folder))
    commands = (
        ["/usr/sbin/haproxy", "-db", "-q", "-f", str(folder / "haproxy.cfg")],
        ["/usr/sbin/nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)],
    )
    log = (folder / "proxies.log").open("wb")
    started = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
    try:
        for port in ports.values():
            _until_up(port, started, folder)
        yield ports
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(20)
        log.close()


def _until_up(port: int, started: list[subprocess.Popen[bytes]], folder: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert all(each.poll() is None for each in started), (folder / "proxies.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("a proxy didn't come up")
