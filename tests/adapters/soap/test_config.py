"""What can be wrong in a configuration or a WSDL is said with file, line and a sentence; the form on disk is trusted
for exactly the files that it was made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.contract import Workspace
from adapters.errors import ConfigError
from adapters.secret import Reference
from adapters.soap import KIND
from adapters.soap.compiler import form_of

WSDL = "crm/orders.wsdl"


def _build(workspace: Workspace, **config: Any) -> Any:
    given = {"wsdl": WSDL, "port": "Orders11Port", **config}
    return KIND.build("orders", KIND.config.model_validate(given), workspace)


def _problem(workspace: Workspace, **config: Any) -> tuple[str, str, str | None, int | None]:
    with pytest.raises(ConfigError) as caught:
        _build(workspace, **config)
    (problem,) = caught.value.problems
    return problem.where, problem.message, problem.file, problem.line


def _edited(workspace: Workspace, edit: Callable[[bytes], bytes], name: str = WSDL) -> Workspace:
    return Workspace({**workspace.files, name: edit(workspace.files[name])}, workspace.cache)


def test_missing_wsdl(workspace: Workspace) -> None:
    where, message, file, _ = _problem(workspace, wsdl="crm/none.wsdl")
    assert (where, message, file) == ("/wsdl", "there is no WSDL 'crm/none.wsdl' in the workspace", None)


def test_not_xml(workspace: Workspace) -> None:
    broken = _edited(workspace, lambda data: data.replace(b"</wsdl:types>", b"</wsdl:type>"))
    where, message, file, line = _problem(broken)
    assert (where, file) == ("/wsdl", WSDL)
    assert "isn't well-formed XML" in message
    assert line == 1 + workspace.files[WSDL][: workspace.files[WSDL].index(b"</wsdl:types>")].count(b"\n")


def test_not_a_wsdl(workspace: Workspace) -> None:
    page = Workspace({WSDL: b"<html/>"}, workspace.cache)
    assert _problem(page) == ("/wsdl", f"'{WSDL}' is not a WSDL 1.1 document: its root is html", WSDL, 1)


def test_dtd(workspace: Workspace) -> None:
    page = Workspace({WSDL: b'<!DOCTYPE x [<!ENTITY a "b">]><x/>'}, workspace.cache)
    assert "document type declaration" in _problem(page)[1]


def test_missing_import(workspace: Workspace) -> None:
    files = {WSDL: workspace.files[WSDL]}
    where, message, file, line = _problem(Workspace(files, workspace.cache))
    assert (where, file, line) == ("/wsdl", WSDL, 7)
    assert message.startswith("'orders.xsd' is imported but isn't in the workspace")


def test_every_missing_import_at_once(workspace: Workspace) -> None:
    extra = b'<xs:import namespace="urn:x" schemaLocation="x.xsd"/><xs:include schemaLocation="y.xsd"/><xs:element'
    files = {WSDL: workspace.files[WSDL].replace(b"<xs:element", extra, 1)}
    with pytest.raises(ConfigError) as caught:
        _build(Workspace(files, workspace.cache))
    assert len(caught.value.problems) == 3


def test_an_import_by_address_is_found_beside_the_wsdl(workspace: Workspace) -> None:
    by_address = _edited(workspace, lambda data: data.replace(b'"orders.xsd"', b'"https://example.com/a/orders.xsd"'))
    assert "GetOrder" in _build(by_address).operations()


def test_an_undefined_type_leaves_out_what_needs_it(workspace: Workspace) -> None:
    adapter = _build(_edited(workspace, lambda data: data.replace(b"o:Line", b"o:Nothing")))
    assert list(adapter.operations()) == ["GetOrder", "PutOrder", "Notify"]
    assert "Nothing, which isn't defined" in adapter.left_out["ListOrders"]


def test_unknown_service_and_port(workspace: Workspace) -> None:
    line = 1 + workspace.files[WSDL][: workspace.files[WSDL].index(b"<wsdl:service")].count(b"\n")
    assert _problem(workspace, service="Nope") == (
        "/service",
        "the WSDL has no SOAP service 'Nope'; there is OrderService",
        WSDL,
        line,
    )
    assert _problem(workspace, port="Nope") == (
        "/port",
        "the WSDL has no SOAP port 'Nope'; there is Orders11Port, Orders12Port",
        WSDL,
        line,
    )


def test_no_usable_port(workspace: Workspace) -> None:
    def without(data: bytes) -> bytes:
        return data[: data.index(b"<wsdl:service")] + b"</wsdl:definitions>"

    where, message, file, line = _problem(_edited(workspace, without))
    assert (where, message, file, line) == ("/wsdl", "the WSDL has no service with a SOAP port", WSDL, 1)


def test_nothing_that_can_be_called(workspace: Workspace) -> None:
    untold = _edited(workspace, lambda data: data.replace(b'element="tns:', b'type="tns:'))
    where, message, file, _ = _problem(untold)
    assert (where, file) == ("/wsdl", WSDL)
    assert "no operation of port 'Orders11Port' can be called: GetOrder uses" in message


def test_soap_11_comes_first_without_a_choice(workspace: Workspace) -> None:
    assert _build(workspace, port=None)._port.name == "Orders11Port"
    assert _build(workspace, port="Orders12Port")._port.soap == "1.2"


def test_addresses(workspace: Workspace) -> None:
    assert _build(workspace)._address == "http://127.0.0.1:1/11"
    assert _problem(workspace, address="ftp://x/y")[:2] == ("/address", "the address isn't an http or https URL")
    bare = _edited(workspace, lambda data: data.replace(b"http://127.0.0.1:1/11", b""))
    assert _problem(bare)[0] == "/address"


@pytest.mark.parametrize(
    "config",
    [
        {"colour": "red"},
        {"time_zone": "Mars/Base"},
        {"auth": {}},
        {"auth": {"wsse": {"username": "u", "password": "literal"}}},
        {"auth": {"basic": {"username": "a:b", "password": Reference("x", "env:X")}}},
        {"faults": {"X": "explode"}},
        {"max_body": 0},
    ],
)
def test_refused_configuration(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KIND.config.model_validate({"wsdl": WSDL, **config})


def _cached(workspace: Workspace) -> Path:
    (file,) = workspace.cache.iterdir()
    return file


def test_the_form_is_stored_and_read_back(workspace: Workspace) -> None:
    first = form_of(WSDL, workspace)
    before = _cached(workspace).stat().st_mtime_ns
    assert form_of(WSDL, workspace) == first
    assert _cached(workspace).stat().st_mtime_ns == before


def test_a_changed_import_makes_a_new_form(workspace: Workspace) -> None:
    form_of(WSDL, workspace)
    changed = _edited(workspace, lambda data: data.replace(b'"CLOSED"', b'"LOST"'), "crm/orders.xsd")
    status = form_of(WSDL, changed).types["{urn:test:orders}Status"]
    assert getattr(status, "enumeration", None) == ("OPEN", "SHIPPED", "LOST")


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"version": 1, "documents": {}}\n{"ports": 7}', b"\xff\n\xff"])
def test_a_damaged_form_is_made_anew(damage: bytes, workspace: Workspace) -> None:
    first = form_of(WSDL, workspace)
    _cached(workspace).write_bytes(damage)
    assert form_of(WSDL, workspace) == first


def test_a_form_of_another_version_is_made_anew(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    form_of(WSDL, workspace)
    before = _cached(workspace).read_bytes()
    monkeypatch.setattr("adapters.soap.cache.FORM_VERSION", 10**6)
    form_of(WSDL, workspace)
    assert _cached(workspace).read_bytes() != before


def test_no_cache_folder_is_no_error(workspace: Workspace) -> None:
    assert form_of(WSDL, Workspace(workspace.files, Path("/proc/nowhere"))).ports
