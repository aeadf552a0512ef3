"""A gateway over two small HTTP systems that note what they are asked: legacy knows everything, the new one a part."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

Answer = Callable[[str, Mapping[str, str], Mapping[str, str]], tuple[int, Any]]
"""(path, query, headers) → status and JSON body; a third member holds header fields."""


@dataclass
class System:
    """One HTTP system. `answer` may be changed while it runs; `asked` is what it was asked: (path, query, headers)."""

    answer: Answer
    url: str = ""
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)


@contextmanager
def running_system(answer: Answer) -> Iterator[System]:
    system = System(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: ",".join(values) for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            if parts.path != "/":  # the gateway's own look at how it is
                system.asked.append((parts.path, query, headers))
            status, body, *more = system.answer(parts.path, query, headers)
            raw = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (more[0] if more else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            with suppress(OSError):  # a caller that has left
                self.wfile.write(raw)

        def do_PATCH(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: tests look at `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    system.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield system
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def system() -> Callable[[Answer], AbstractContextManager[System]]:
    """`with system(answer) as each`: an HTTP system on a free port."""
    return running_system


GATEWAY = """
upstreams:
  old: {{kind: http, base_url: "{old}", {old_more}}}
  new: {{kind: http, base_url: "{new}", {new_more}}}
"""
HEAD = 'openapi: 3.1.0\ninfo: {title: Parts, version: "1"}\npaths:\n'


@dataclass
class Both:
    """The gateway in front of both systems."""

    gateway: Any
    old: System
    new: System
    folder: Path


@pytest.fixture(scope="module")
def both(running: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[Both]]:
    """`with both(answers, paths, groups) as each`: the paths of a contract, and the groups of its migration.yaml."""

    @contextmanager
    def both(
        answers: tuple[Answer, Answer],
        paths: str,
        groups: str,
        *,
        more: tuple[str, str] = ("", ""),
        files: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Iterator[Both]:
        folder = tmp_path_factory.mktemp("parts")
        with running_system(answers[0]) as old, running_system(answers[1]) as new:
            gateway = GATEWAY.format(old=old.url, new=new.url, old_more=more[0], new_more=more[1])
            written = {
                "gateway.yaml": gateway,
                "openapi/parts.yaml": HEAD + paths,
                "policies/migration.yaml": groups,
                **(files or {}),
            }
            running.write_workspace(folder, written)
            with running.serving(folder, extra=extra) as served:
                yield Both(served, old, new, folder)

    return both
