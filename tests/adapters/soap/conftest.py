"""The test service: its WSDL, a real PHP server that serves it, adapters on it, and an independent XML Schema judge."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beside import beside
from lxml import etree

from adapters.contract import Context, Workspace
from adapters.secret import Reference
from adapters.soap import KIND, SoapAdapter
from adapters.soap.compiler import form_of
from adapters.soap.form import Form
from adapters.soap.resolver import XSD, Documents

HERE = Path(__file__).parent
SERVICE = HERE / "service"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The test service's files as a workspace, with a cache of its own."""
    files = {f"crm/{name}": (SERVICE / name).read_bytes() for name in ("orders.wsdl", "orders.xsd")}
    return Workspace(files, tmp_path / "cache")


@pytest.fixture(scope="session")
def form() -> Form:
    """The test service's form."""
    files = {f"crm/{name}": (SERVICE / name).read_bytes() for name in ("orders.wsdl", "orders.xsd")}
    return form_of("crm/orders.wsdl", Workspace(files, Path("/nonexistent/cache")))


@pytest.fixture(scope="session")
def judge() -> Callable[[Documents], etree.XMLSchema]:
    """Makes an XML Schema validator of libxml2 from the schemas that a WSDL embeds and imports."""
    return _judge


def _judge(documents: Documents) -> etree.XMLSchema:
    spaces = list(dict.fromkeys(source.namespace for source in documents.schemas))
    served: dict[str, bytes] = {}
    for number, source in enumerate(documents.schemas):
        copy = etree.fromstring(etree.tostring(source.root, encoding="utf-8"))
        for node in [node for node in copy if node.tag in (XSD + "import", XSD + "include", XSD + "redefine")]:
            copy.remove(node)
        for node in copy.iterfind(f".//{XSD}element[@ref='xs:schema']"):  # libxml2 knows no element of that name.
            node.getparent().replace(node, etree.Element(XSD + "any", processContents="skip"))
        for node in copy.iter(XSD + "any"):  # What an instance puts there has no declaration.
            node.set("processContents", "skip")
        others = (each for each in spaces if each != source.namespace and (each or copy.get("targetNamespace")))
        for other in others:
            copy.insert(0, _import(other, spaces))
        served[f"{number}.xsd"] = etree.tostring(copy, encoding="utf-8")
    for number, space in enumerate(spaces):
        target = f' targetNamespace="{space}"' if space else ""
        parts = [f"{index}.xsd" for index, source in enumerate(documents.schemas) if source.namespace == space]
        includes = "".join(f'<xs:include schemaLocation="{part}"/>' for part in parts)
        served[f"all{number}.xsd"] = f'<xs:schema xmlns:xs="{XSD[1:-1]}"{target}>{includes}</xs:schema>'.encode()
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Resolver(served))
    root = etree.fromstring(f'<xs:schema xmlns:xs="{XSD[1:-1]}" targetNamespace="urn:judge"/>'.encode(), parser)
    root.extend(_import(space, spaces) for space in spaces)
    return etree.XMLSchema(root)


def _import(space: str, spaces: list[str]) -> etree._Element:
    node = etree.Element(XSD + "import", schemaLocation=f"all{spaces.index(space)}.xsd")
    if space:
        node.set("namespace", space)
    return node


class _Resolver(etree.Resolver):
    def __init__(self, served: dict[str, bytes]) -> None:
        self._served = served

    def resolve(self, url: str, public_id: str, context: Any) -> Any:
        return self.resolve_string(self._served[url], context)


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    """`instances.py` beside this file."""
    return beside(__file__, "instances")


@pytest.fixture(scope="session")
def trips() -> ModuleType:
    """`trips.py` beside this file."""
    return beside(__file__, "trips")


@pytest.fixture(scope="session")
def strange() -> ModuleType:
    """`strange.py` beside this file."""
    return beside(__file__, "strange")


@pytest.fixture(scope="session")
def rpc() -> ModuleType:
    """`strange_rpc.py` beside this file."""
    return beside(__file__, "strange_rpc")


@pytest.fixture(scope="session")
def shapes() -> ModuleType:
    """`shapes.py` beside this file."""
    return beside(__file__, "shapes")


@pytest.fixture(scope="session")
def real() -> ModuleType:
    """`real.py` beside this file."""
    return beside(__file__, "real")


@pytest.fixture(scope="session")
def identity(real: ModuleType) -> tuple[str, str]:
    """A certificate that is its own authority, and its RSA key, both as PEM texts."""
    certificate, key = real.self_signed("figway", real.rsa_key())
    return certificate, key


@pytest.fixture(scope="session")
def gsoap(real: ModuleType, identity: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Base URLs of two gSOAP servers: one for everybody, one that wants messages signed by `identity`."""
    with real.gsoap(tmp_path_factory.mktemp("gsoap"), *identity) as urls:
        yield urls


@pytest.fixture
async def documents(tmp_path: Path, identity: tuple[str, str]) -> AsyncIterator[Callable[..., SoapAdapter]]:
    """Builds adapters of documents.wsdl on a base URL, and closes them."""
    files = {"d.wsdl": (HERE / "documents" / "documents.wsdl").read_bytes(), "c.pem": identity[0].encode()}
    adapters: list[SoapAdapter] = []

    def build(url: str, soap: str = "1.1", **options: Any) -> SoapAdapter:
        given = {"wsdl": "d.wsdl", "port": f"Port{soap.replace('.', '')}", "address": url, **options}
        workspace = Workspace(files, tmp_path / "cache")
        adapters.append(KIND.build("docs", KIND.config.model_validate(given), workspace))  # type: ignore[arg-type]
        return adapters[-1]

    yield build
    for adapter in adapters:
        await adapter.close()


def _port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _php(**settings: str) -> Iterator[str]:
    """Runs the PHP server, with its workers in a process group of its own; yields its base URL."""
    if shutil.which("php") is None:
        pytest.fail("php is missing: install it with 'apt-get install php-cli php-soap php-xml'")
    port = _port()
    environment = {**os.environ, "PHP_CLI_SERVER_WORKERS": "6", **settings}
    server = subprocess.Popen(
        ["php", "-S", f"127.0.0.1:{port}", "server.php"],
        cwd=SERVICE,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("the PHP server didn't start")


@pytest.fixture(scope="session")
def php() -> Iterator[str]:
    """A PHP server that lets everybody in."""
    yield from _php()


@pytest.fixture(scope="session")
def guarded_php() -> Iterator[str]:
    """A PHP server that wants the user figway with the password "let me in"."""
    yield from _php(FIGWAY_PASSWORD="let me in")


@pytest.fixture(scope="session")
def noting_php(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A PHP server that wants the same, and the file in which it notes each order that is put."""
    journal = tmp_path_factory.mktemp("noted") / "orders"
    journal.touch()
    for url in _php(FIGWAY_PASSWORD="let me in", FIGWAY_JOURNAL=str(journal)):
        yield url, journal


@pytest.fixture(scope="session")
def users_php() -> Iterator[str]:
    """A PHP server that lets everybody in, and knows alice and bob by their passwords."""
    yield from _php(FIGWAY_USERS=json.dumps({"alice": "pw of alice", "bob": "pw of bob", "zoë & <co>": "pw"}))


@pytest.fixture
async def connect(workspace: Workspace) -> AsyncIterator[Callable[..., SoapAdapter]]:
    """Builds adapters on a base URL, and closes them."""
    adapters: list[SoapAdapter] = []

    def build(url: str, soap: str = "1.1", **options: Any) -> SoapAdapter:
        number = soap.replace(".", "")
        given = {"wsdl": "crm/orders.wsdl", "port": f"Orders{number}Port", "address": f"{url}/{number}", **options}
        adapter = KIND.build("orders", KIND.config.model_validate(given), workspace)
        assert isinstance(adapter, SoapAdapter)
        adapters.append(adapter)
        return adapter

    yield build
    for adapter in adapters:
        await adapter.close()


@pytest.fixture
def password() -> Reference:
    """The guarded server's password, as the workspace's loader would hand it on."""
    return Reference("let me in", "env:CRM_PASSWORD")


@pytest.fixture
def within() -> Callable[[float], Context]:
    """A context that ends in so many seconds."""
    return lambda seconds: Context(time.monotonic() + seconds)


@pytest.fixture
def order() -> dict[str, Any]:
    """A whole order, in the spelling that decoding gives back."""
    return {
        "@version": 1,
        "Id": 2**40,
        "Status": "OPEN",
        "Customer": {"Name": "Zoë & <Co>", "Nickname": None, "Phone": "+49 30 1"},
        "Lines": {"Line": [{"Sku": "AB-123", "Quantity": 1, "Price": "1.50", "Note": ["a", "b"]}]},
        "Total": "1.50",
        "Placed": "2026-01-01T00:00:00Z",
        "Tags": ["new", "blue"],
        "Signature": "c2lnbmVk",
    }
