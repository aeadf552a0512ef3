"""Routes that answer bytes: content of a SOAP reply goes to the caller as it is, and no gateway holds it meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from adapters.blob import CHUNK, Blob
from gateway.call import Call, Reply
from gateway.content import check_whole
from gateway.errors import Forbidden
from gateway.ingress import streaming
from gateway.ingress.response import Response
from gateway.routing.load import compile_workspace, read_workspace
from gateway.routing.model import InvalidWorkspace

WSDL = Path(__file__).parents[2] / "adapters" / "soap" / "documents" / "documents.wsdl"
GATEWAY = """
upstreams:
  docs: {{kind: soap, wsdl: openapi/sources/d.wsdl, port: Port11, address: "{url}", max_body: 134217728, deadline: 20s}}
defaults: {{deadline: 20s, max_reply: 64KiB}}
"""
ROUTE = """openapi: 3.1.0
info: {title: Files, version: "1"}
paths:
  /files/{name}:
    get:
      operationId: get_file
      tags: [files]
      parameters:
        - {name: name, in: path, required: true, schema: {type: string}}
        - {name: size, in: query, schema: {type: integer, default: 5}}
      responses:
        "200":
          description: The file.
          content: {application/pdf: {}}
      x-gateway:
        effect: read
        legacy: {upstream: docs, operation: Get, input: {Name: path.name, Size: query.size}, output: Document.Content}
"""
POLICY = """
permit (principal in Role::"writer", action, resource);
"""
PIECE = bytes(range(256)) * 1024
ANSWER = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><d:GetResponse'
    ' xmlns:d="urn:test:documents"><d:Document>{}</d:Document></d:GetResponse></e:Body></e:Envelope>'
)
INCLUDE = '<d:Content><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:c"/></d:Content>'
BESIDE = b"\r\n--b\r\nContent-ID: <c>\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: binary\r\n\r\n"


class _Documents(BaseHTTPRequestHandler):
    """Answers Get by MTOM, with content of the size that is asked for; by name also otherwise."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"])).decode()
        name, size = (asked.partition(f"{each}>")[2].partition("<")[0] for each in ("Name", "Size"))
        if name != "beside":
            given = {"within": "<d:Content>aGVsbG8=</d:Content>", "broken": "<d:Content>a</d:Content>"}.get(name, "")
            self._head("text/xml", len(ANSWER.format(given)))
            self.wfile.write(ANSWER.format(given).encode())
            return
        head, count = b"--b\r\nContent-Type: application/xop+xml\r\n\r\n" + ANSWER.format(INCLUDE).encode(), int(size)
        length = len(head) + len(BESIDE) + count + len(b"\r\n--b--\r\n")
        self._head('multipart/related; boundary=b; type="application/xop+xml"', length)
        self.wfile.write(head + BESIDE)
        for at in range(0, count, len(PIECE)):
            self.wfile.write(PIECE[: min(len(PIECE), count - at)])
        self.wfile.write(b"\r\n--b--\r\n")

    def _head(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Documents)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def _files(url: str, contract: str = ROUTE) -> dict[str, str]:
    return {
        "gateway.yaml": GATEWAY.format(url=url),
        "openapi/files.yaml": contract,
        "openapi/sources/d.wsdl": WSDL.read_text(),
        "policies/access.cedar": POLICY,
    }


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, upstream: str) -> Iterator[Any]:
    with running.serving(running.write_workspace(tmp_path_factory.mktemp("content"), _files(upstream))) as gateway:
        yield gateway


def _held(pid: int) -> int:
    """The memory of a process and its children that no file stands behind, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))
    return own + sum(_held(int(each)) for each in children)


class _Watch(threading.Thread):
    """Looks at a process's memory again and again; `most` is what was seen."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.most, self._pid, self._done = 0, pid, threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.002):
            self.most = max(self.most, _held(self._pid))

    def end(self) -> int:
        self._done.set()
        self.join()
        return self.most


def test_content_is_what_it_was(gateway: Any) -> None:
    with gateway.client() as client:
        for name, size, body in [("beside", 0, b""), ("beside", 70_001, PIECE[:70_001]), ("within", 5, b"hello")]:
            response = client.get(f"/files/{name}", params={"size": size})
            assert (response.status_code, response.content) == (200, body)
            # As the contract says it, whatever the legacy system calls it.
            assert response.headers["content-type"] == "application/pdf"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["content-length"] == str(len(body))
            assert response.headers["figway-served-by"] == "legacy"
            head = client.head(f"/files/{name}", params={"size": size})
            assert (head.content, head.headers["content-length"]) == (b"", str(len(body)))
        assert client.get("/files/beside", headers={"accept": "application/pdf"}).status_code == 200


def test_much_content_is_never_held(gateway: Any) -> None:
    """And isn't bound by `max_reply`, which is for what is."""
    size, digest, count = 80_000_000, hashlib.sha256(), 0
    with gateway.client() as client:
        client.get("/files/beside", params={"size": 300_000})
        before, watch = _held(gateway.process.pid), _Watch(gateway.process.pid)
        watch.start()
        with client.stream("GET", "/files/beside", params={"size": size}) as response:
            assert response.headers["content-length"] == str(size)
            for piece in response.iter_raw():
                digest.update(piece)
                count += len(piece)
    expected = hashlib.sha256()
    for at in range(0, size, len(PIECE)):
        expected.update(PIECE[: min(len(PIECE), size - at)])
    assert (count, digest.digest()) == (size, expected.digest())
    assert watch.end() - before < 30_000_000


@pytest.mark.parametrize(
    ("name", "status", "slug"), [("absent", 404, "not-found"), ("broken", 502, "bad-upstream-reply")]
)
def test_where_there_is_none(name: str, status: int, slug: str, gateway: Any) -> None:
    with gateway.client() as client:
        response = client.get(f"/files/{name}")
    assert (response.status_code, response.json()["type"]) == (status, f"urn:figway:problem:{slug}")


def test_who_may_see_a_part_sees_none() -> None:
    """`figway check` refuses such policies, as a route of bytes has no fields; nothing slips through if it can't."""
    call = Call("1", "x", 1, "GET", "/x", 0.0, "", {})
    check_whole(call)
    for narrows, redacts in ((True, False), (False, True)):
        call.grant = SimpleNamespace(narrows=narrows, redacts=redacts)
        with pytest.raises(Forbidden):
            check_whole(call)


async def test_who_reads_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_PATIENCE", 0.01)
    broken: list[bool] = []

    async def stuck(_: Any) -> None:
        await asyncio.Event().wait()

    call = Call("1", "x", 1, "GET", "/x", 0.0, "", {})
    response = Response(call, Reply(200, content=Blob(b"abc", media_type="text/plain")))
    exchange: Any = SimpleNamespace(break_off=lambda: broken.append(True), disconnected=False)
    sending = streaming.sent(response, exchange, stuck)
    assert sending is not None
    await sending
    assert broken == [True]
    with pytest.raises(streaming.Broken):
        await streaming.sent(response, None, stuck)  # type: ignore[misc]


async def test_nothing_is_read_for_who_has_left() -> None:
    exchange: Any = SimpleNamespace(disconnected=False)
    told: list[int] = []

    async def send(message: Any) -> None:
        told.append(len(message.get("body", b"")))
        exchange.disconnected = len(told) == 3

    call = Call("1", "x", 1, "GET", "/x", 0.0, "", {})
    response = Response(call, Reply(200, content=Blob(bytes(CHUNK * 9), media_type="text/plain")))
    sending = streaming.sent(response, exchange, send)
    assert sending is not None
    await sending
    assert told == [0, CHUNK, CHUNK]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("output: Document.Content", "output: Document.Name", "'Document.Name' isn't content"),
        (", output: Document.Content", "", "what 'Get' answers isn't content"),
        ("    get:", "    post:", "is a GET that reads"),
        ("effect: read", "effect: write", "is a GET that reads"),
        (
            "        effect: read",
            "        cost: {estimate: 1, measured: Size}\n        effect: read",
            "measure its cost",
        ),
        ("        effect: read", "        replacement: {missing: fail}\n        effect: read", "has one side"),
        ("application/pdf", "application/*", "only JSON bodies are supported, or bytes of one media type"),
        ("{application/pdf: {}}", "{application/pdf: {}, image/png: {}}", "or bytes of one media type"),
    ],
)
def test_what_cannot_be_is_told(old: str, new: str, sentence: str, tmp_path: Path, running: ModuleType) -> None:
    assert old in ROUTE
    folder = running.write_workspace(tmp_path, _files("http://127.0.0.1:1/", ROUTE.replace(old, new)))
    with pytest.raises(InvalidWorkspace) as caught:
        compile_workspace(read_workspace(folder), cache=tmp_path / "cache", environment={}, strict_secrets=False)
    assert [each for each in caught.value.findings if sentence in each.message and each.line]


def test_figway_call_writes_it_out(gateway: Any, running: ModuleType) -> None:
    done = running.figway("call", "--workspace", str(gateway.folder), "get_file", "name=within")
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr
