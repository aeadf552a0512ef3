"""A gateway in front of the demo's estate and of hostile upstreams, with listeners that nobody may reach, and secrets
that nobody may tell."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

from gateway.demo.estate import Estate

_ROOT = Path(__file__).parents[3]
HEALTHY = "/inventory/"
SOAPS = 6
_TLS = ssl.create_default_context()  # made once: each takes as long as a hundred calls


@dataclass
class Lab:
    """What attacks have at hand. `seen` collects every byte that the gateway answered since the last check."""

    gateway: Any
    estate: Any
    samples: dict[str, str]
    environment: dict[str, str]
    hostile: Any
    canary: Any
    collector: Any
    issuer: Any
    issuing: ModuleType
    hostile_module: ModuleType
    watching: ModuleType
    keys: dict[str, str]
    ids: dict[str, str]
    ports: dict[str, int]
    canary_file: Path
    secrets: dict[str, bytes]
    seen: list[bytes] = field(default_factory=list)
    audit: list[bytes] = field(default_factory=list)
    audit_files: Any = None
    checker: Any = None
    rows: Any = None
    count: int = 0
    """The number of the attack that is made."""

    @property
    def drop(self) -> Path:
        """The folder through which the batch's files come."""
        return Path(self.environment["DROP_DIR"])

    def call(self, method: str, path: str, who: str | None = "agent", **options: Any) -> httpx.Response:
        """One call in somebody's name; what comes back is kept to be looked through."""
        headers = httpx.Headers(options.pop("headers", {}))
        if who is not None and "authorization" not in headers:
            headers["authorization"] = self.keys[who]
        with httpx.Client(
            base_url=self.gateway.url, timeout=20, verify=_TLS, transport=options.pop("transport", None)
        ) as client:
            response = client.request(method, path, headers=headers, **options)
        fields = b"\n".join(b"%b: %b" % each for each in response.headers.raw)
        self.seen.append(fields + b"\n\n" + response.content)
        return response

    def get(self, path: str, who: str | None = "agent", **options: Any) -> httpx.Response:
        return self.call("GET", path, who, **options)

    def post(self, path: str, body: Any = None, who: str | None = "agent", **options: Any) -> httpx.Response:
        if isinstance(body, bytes):
            options = {"content": body, **options}
            options["headers"] = {"content-type": "application/json", **options.get("headers", {})}
        elif body is not None:
            options["json"] = body
        return self.call("POST", path, who, **options)

    def token(self, **changes: Any) -> dict[str, str]:
        """The header of an issuer's token, good unless a change says otherwise."""
        claims = {"roles": ["platform"], "sub": "tess", **changes}
        return {"authorization": self.issuer.header(**claims).decode()}

    def raw(self, request: bytes, port: int | None = None, patience: float = 0.5, late: bytes = b"") -> bytes:
        """Bytes as they are; answers what came back until it ended or `patience` seconds were silent."""
        answer = b""
        address = ("127.0.0.1", port or self.gateway.port)
        with suppress(ConnectionError, TimeoutError), socket.create_connection(address, timeout=10) as connection:
            connection.sendall(request)
            if late:
                time.sleep(0.05)
                connection.sendall(late)
            connection.settimeout(patience)
            while chunk := connection.recv(65536):
                answer += chunk
        self.seen.append(answer)
        return answer

    def check(self, folder: Path) -> dict[str, Any]:
        """What `figway check` made of a workspace: exit code, text, growth of memory."""
        assert self.checker is not None
        self.checker.stdin.write(f"{folder}\n")
        self.checker.stdin.flush()
        return json.loads(self.checker.stdout.readline())

    def task(self, **changes: Any) -> dict[str, Any]:
        """The body of a follow-up task, good unless a change says otherwise."""
        good = {
            "customer_id": self.samples["customer_id"],
            "title": "Call",
            "due_date": "2027-01-15",
            "priority": "low",
        }
        return {**good, **changes}

    def poisoned(self, answer: bytes | Any, name: str, path: str = "/hostile/{}", **options: Any) -> httpx.Response:
        """What the gateway answers when the hostile upstream answers so; it must have been asked."""
        place = "soap" if path.startswith("/soap") else name
        # Two good calls first, so that the breaker doesn't spare the upstream.
        self.hostile.answers.pop(b"/in/" + place.encode(), None)
        self.hostile.answers.pop(b"/soap", None)
        for _ in range(2):
            self.get("/hostile/good")
        self.hostile.answers[b"/soap" if place == "soap" else b"/in/" + name.encode()] = (
            answer if callable(answer) else lambda: [answer]
        )
        before = self.hostile.asked(place)
        response = self.get(path.format(name, number=self.count % SOAPS), **options)
        assert self.hostile.asked(place) > before, response.text
        return response

    def audited(self) -> bytes:
        """What the audit has of this attack, once all that was called before is in it."""
        id = self.mark().encode()

        def arrived() -> bool:
            self.audit.append(self.audit_files.fresh())
            return any(id in each for each in self.audit[-3:])

        self.watching.until(arrived)
        return b"".join(self.audit)

    def mark(self) -> str:
        """Makes a good call, which must be served within its deadline; answers its id."""
        response = self.get(HEALTHY + self.samples["sku"])
        assert response.status_code == 200, response.text
        assert response.json()["sku"] == self.samples["sku"]
        return response.headers["figway-lineage"]


class _Estate:
    """The demo's estate, its loop on a thread."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.estate = Estate(folder, every=3600)
        self._run(self.estate.start())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def close(self) -> None:
        self._run(self.estate.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def world(folder: Path, running: ModuleType, modules: Any) -> Iterator[Lab]:
    """All of it, up."""
    with ExitStack() as stack:
        estate = _Estate(folder / "estate")
        stack.callback(estate.close)
        hostile, canary, collector = (modules.hostile.Listener() for _ in range(3))
        for each in (hostile, canary, collector):
            stack.callback(each.close)
        issuer = stack.enter_context(modules.issuing.issuer_server())
        canary_file = folder / "canary.txt"
        canary_file.write_text("canary-file-text-5d1f\n")
        with sqlite3.connect(folder / "estate" / "erp.db") as erp:
            erp.execute("CREATE TABLE canary (secret TEXT)")
            erp.execute("INSERT INTO canary VALUES ('canary-table-text-77b2')")
        erp.close()
        place = folder / "workspace"
        modules.workspace.write(place, running, issuer.url)
        keys, ids = modules.workspace.make_keys(place)
        environment = {
            **estate.estate.environment(),
            "HOSTILE_URL": hostile.url, "HOSTILE_SOAP": f"{hostile.url}/soap", "HOSTILE_TOKEN": "hostile-token-91ac",
            "CLIENT_SECRET": "s3cret", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_TRACES_SAMPLER": "always_on", "OTEL_BLRP_SCHEDULE_DELAY": "200",
            "FIGWAY_PLANTED": "planted-environment-0e3b",
        }  # fmt: skip
        gateway = stack.enter_context(running.serving(place, extra=environment))
        (folder / "proxies").mkdir()
        os.chmod(folder / "proxies", 0o777)
        ports = stack.enter_context(modules.proxies.proxies(folder / "proxies", gateway.port))
        secrets = {name: environment[name].encode() for name in ("CRM_PASSWORD", "CRM_NEXT_TOKEN", "HOSTILE_TOKEN")}
        secrets |= {f"key of {name}": text.removeprefix("Bearer ").encode() for name, text in keys.items()}
        secrets |= {
            "file": b"canary-file-text-5d1f",
            "table": b"canary-table-text-77b2",
            "env": b"planted-environment-0e3b",
        }
        secrets |= {"pepper": _pepper(place)}
        checker = stack.enter_context(_checker(running))
        yield Lab(
            gateway, estate, estate.estate.facts()["samples"], environment, hostile, canary, collector, issuer,
            modules.issuing, modules.hostile, modules.watching, keys, ids, {"direct": gateway.port, **ports},
            canary_file, secrets, checker=checker,
        )  # fmt: skip


@contextmanager
def _checker(running: ModuleType) -> Iterator[Any]:
    """checking.py, which has measured a good workspace already."""
    command = [sys.executable, str(Path(__file__).with_name("checking.py"))]
    environment = {**running.environment(), "FIGWAY_PLANTED": "planted-environment-0e3b"}
    environment["PYTHONPATH"] += os.pathsep + str(_ROOT)
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{_ROOT}\n")
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        assert first["code"] == 0, first
        yield process
        process.stdin.close()


def _pepper(workspace: Path) -> bytes:
    """The pepper's secret, as its file spells it."""
    path = next((workspace / ".figway" / "keys").glob("pepper*"))
    document = json.loads(path.read_text())
    texts = [text for text in _texts(document) if len(text) > 30]
    return max(texts, key=len).encode()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
