"""WSDLs from folders, archives and addresses: what is read, and what is refused."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapters.contract import Workspace
from adapters.errors import ConfigError
from adapters.soap import bundle, collect
from adapters.soap.collect import Allowed
from adapters.soap.compiler import form_of

_SERVICE = Path(__file__).parent / "service"
_WSDL, _XSD = (_SERVICE / "orders.wsdl").read_bytes(), (_SERVICE / "orders.xsd").read_bytes()


def _zip(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def _names(files: Mapping[str, bytes], wsdl: str, cache: Path) -> tuple[str, ...]:
    return form_of(wsdl, Workspace(files, cache)).ports[0].names


def test_a_folder_and_an_archive_are_read_like_the_wsdl_in_them(tmp_path: Path) -> None:
    files = {"a/orders.wsdl": _WSDL, "a/orders.xsd": _XSD}
    names = _names(files, "a/orders.wsdl", tmp_path)
    assert _names(files, "a", tmp_path / "1") == names
    assert _names({"a.zip": _zip(files)}, "a.zip", tmp_path / "2") == names
    assert _names({"a.zip": _zip(files)}, "a.zip", tmp_path / "2") == names
    for stored in ("1", "2"):
        with pytest.raises(ConfigError):  # What was stored doesn't outlive what it was made from.
            _names({"a/x": b"", "a.zip": b"PK\x03\x04"}, "a" if stored == "1" else "a.zip", tmp_path / stored)
    with pytest.raises(ConfigError, match="several WSDLs"):
        _names({**files, "a/more.wsdl": _WSDL}, "a", tmp_path / "1")


def test_archives_that_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = _zip({"x.wsdl": bytes(80 * 2**20)})
    assert len(bomb) < 100_000
    outside = _zip({"../x.wsdl": _WSDL})
    for data, said in [
        (bomb, "once unpacked"),
        (outside, "outside of it"),
        (_zip({"/etc/x": b""}), "outside of it"),
        (_zip({"a": b"x"})[:-10], "can't be unpacked"),
        (b"PK\x03\x04", "can't be unpacked"),
        (_zip({f"{n}": b"" for n in range(2001)}), "more than 2000"),
    ]:
        with pytest.raises(ConfigError, match=said):
            bundle.unpacked(data, "a.zip")


class _Site:
    """A web server on a free port of 127.0.0.1 and what it was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                if self.path.startswith("/moved"):
                    self.send_response(302)
                    self.send_header("Location", "/svc?wsdl")
                    self.end_headers()
                    return
                page = site.pages.get(self.path)
                self.send_response(200 if page is not None else 404)
                self.end_headers()
                self.wfile.write(page or b"")

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"localhost:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[_Site]:
    server = _Site()
    yield server
    server.close()


def _allowed(site: _Site) -> Allowed:
    return Allowed(frozenset({site.host}), frozenset({site.host}))


def test_a_wsdl_is_collected_with_all_that_it_imports(site: _Site, tmp_path: Path) -> None:
    site.pages["/svc?wsdl"] = _WSDL.replace(b"orders.xsd", b"svc?xsd=xsd0")
    include = (
        b'><xs:include schemaLocation="/other/svc?xsd=1"/><xs:import namespace="urn:b" schemaLocation="../b.xsd"/>'
    )
    head, _, rest = _XSD.partition(b"<xs:schema")
    attributes, _, content = rest.partition(b">")
    site.pages["/svc?xsd=xsd0"] = head + b"<xs:schema" + attributes + include + content
    loop = (
        b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"%s><xs:import namespace="http://www.w3.org/XML/1998/'
        b'namespace" schemaLocation="http://nowhere.invalid/xml.xsd"/><xs:include schemaLocation="%s"/></xs:schema>'
    )
    site.pages["/other/svc?xsd=1"] = loop % (b"", b"svc?xsd=1")
    site.pages["/b.xsd"] = loop % (b' targetNamespace="urn:b"', b"b.xsd#top")
    found = collect.collect(f"{site.url}/svc?wsdl", _allowed(site))
    assert len(site.asked) == len(set(site.asked)) == len(found.files) == 4
    assert found.wsdl == "svc.wsdl"
    assert all("/" not in name and "?" not in name for name in found.files)
    kept = {f"openapi/sources/crm/{name}": data for name, data in found.files.items()}
    assert _names(kept, f"openapi/sources/crm/{found.wsdl}", tmp_path) == (
        "GetOrder",
        "ListOrders",
        "PutOrder",
        "Notify",
    )


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "http or https address"),
        ("ftp://localhost/x", "http or https address"),
        ("http://other.invalid/x.xsd", "isn't allowed"),
        ("http://127.0.0.1:1/x.xsd", "isn't allowed"),
        ("http://user:pw@localhost/x.xsd", "http or https address"),
        ("http://localhost:99999/x.xsd", "http or https address"),
        ("/moved", "HTTP 302"),
        ("/missing", "HTTP 404"),
        ("/big", "MiB together"),
        ("/page", "can't be used"),
    ],
)
def test_what_a_document_cannot_reach(site: _Site, location: str, said: str) -> None:
    site.pages["/svc?wsdl"] = _WSDL.replace(b"orders.xsd", location.encode())
    site.pages["/big"] = bytes(33 * 2**20)
    site.pages["/page"] = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    with pytest.raises(ConfigError) as caught:
        collect.collect(f"{site.url}/svc?wsdl", _allowed(site))
    (problem,) = caught.value.problems
    assert said in problem.message
    assert "pw" not in problem.message.replace("passwd", "")


def test_a_private_address_must_be_named(site: _Site) -> None:
    site.pages["/svc?wsdl"] = _WSDL
    with pytest.raises(ConfigError, match="private address"):
        collect.collect(f"{site.url}/svc?wsdl", Allowed(frozenset({site.host})))
    assert site.asked == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1", "0.0.0.0", "224.0.0.1"]
)
def test_addresses_that_are_not_public(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Callable[..., object] = lambda *_, **__: [(2, 1, 6, "", (address, 80))]  # noqa: E731
    monkeypatch.setattr(collect.socket, "getaddrinfo", answers)
    with pytest.raises(ConfigError, match="private address"):
        collect.collect("http://crm.example.com/?wsdl", Allowed(frozenset({"crm.example.com"})))


def test_chains_and_time_are_bounded(site: _Site) -> None:
    def schema(number: int) -> bytes:
        return (
            f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:{number}"><xs:import '
            f'namespace="urn:{number + 1}" schemaLocation="/{number + 1}"/></xs:schema>'
        ).encode()

    site.pages.update({f"/{number}": schema(number) for number in range(60)})
    with pytest.raises(ConfigError, match="too long a chain"):
        collect.collect(f"{site.url}/0", _allowed(site))
    assert len(site.asked) < 40
    hurried = Allowed(frozenset({site.host}), frozenset({site.host}), seconds=0.0)
    with pytest.raises(ConfigError, match="weren't there"):
        collect.collect(f"{site.url}/0", hurried)
