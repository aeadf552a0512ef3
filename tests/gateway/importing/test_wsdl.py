"""`figway import wsdl`, from nothing to routes that `figway check` finds sound, and what it makes of bad input."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway.cli.common import FINDING, USAGE
from gateway.routing.report import Report
from gateway.routing.source import parse

SOAP = Path(__file__).parents[2] / "adapters" / "soap"
CRM = Path(__file__).parents[3] / "openapi" / "sources" / "crm" / "crm.wsdl"
PAIR = "".join(f'<xs:element name="{name}"><xs:complexType/></xs:element>' for name in ("GetX", "GetXResponse"))


def contract(workspace: Any, name: str) -> dict[str, Any]:
    report = Report()
    document = parse(name, (workspace.folder / name).read_bytes(), report)
    assert document is not None
    return dict(document.data)


def test_a_service_becomes_routes(workspace: Any) -> None:
    told = workspace.imported("wsdl", str(CRM), "--upstream", "crm")
    assert [(each["operation_id"], each["method"], each["path"], each["effect"]) for each in told["routes"]] == [
        ("get_customer", "GET", "/customers/{customer_id}", "read"),
        ("list_customers", "GET", "/customers", "read"),
        ("update_customer", "PATCH", "/customers/{customer_id}", "write"),
    ]
    assert all(each["guess"] for each in told["routes"])
    assert workspace.figway("check") == (0, "The workspace is sound: 3 routes, 1 upstreams.\n")
    assert "# what this gateway talks to" in workspace.text("gateway.yaml")
    assert 'Action::"update_customer"' in workspace.text("policies/crm.cedar")
    assert "def test_get_customer(" in workspace.text("tests/test_crm.py")
    schemas = contract(workspace, "openapi/crm.yaml")["components"]["schemas"]
    assert schemas["CustomerStatus"]["enum"] == ["ACTIVE", "DORMANT", "CLOSED"]
    assert schemas["Address"]["properties"]["Street"]["description"].startswith("Street and house number")
    assert "NoSuchCustomer" not in schemas


def test_a_second_time_changes_nothing(workspace: Any) -> None:
    workspace.imported("wsdl", str(CRM), "--upstream", "crm")
    before = workspace.files()
    assert workspace.imported("wsdl", str(CRM), "--upstream", "crm")["files"] == {}
    assert workspace.files() == before


def test_a_dry_run_writes_nothing(workspace: Any) -> None:
    before = workspace.files()
    code, output = workspace.figway("import", "wsdl", str(CRM), "--upstream", "crm", "--dry-run")
    assert code == 0
    assert "+++ openapi/crm.yaml\n" in output
    assert "+      operationId: get_customer\n" in output
    assert workspace.files() == before


def test_globs_choose(workspace: Any) -> None:
    told = workspace.imported("wsdl", str(CRM), "--upstream", "crm", "--include", "*customer*", "--exclude", "list*")
    assert [each["operation_id"] for each in told["routes"]] == ["get_customer", "update_customer"]
    assert "ArrayOfCustomer" not in workspace.text("openapi/crm.yaml")


def test_two_upstreams_that_speak_of_the_same_things(workspace: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.wsdl"
    other.write_text(CRM.read_text().replace('name="Street"', 'name="Road"'))
    workspace.imported("wsdl", str(CRM), "--upstream", "crm")
    told = workspace.imported("wsdl", str(other), "--upstream", "old-crm")
    assert [each["path"] for each in told["routes"]][:2] == ["/old-crm/customers/{customer_id}", "/old-crm/customers"]
    assert len({each["operation_id"] for each in told["routes"]}) == 3
    assert workspace.figway("check")[0] == 0
    assert workspace.imported("wsdl", str(CRM), "--upstream", "crm")["files"] == {}
    assert workspace.imported("wsdl", str(other), "--upstream", "old-crm")["files"] == {}


@pytest.mark.parametrize("form", ["file", "folder", "zip"])
def test_a_wsdl_with_its_schemas(workspace: Any, tmp_path: Path, form: str) -> None:
    folder = SOAP / "service"
    source = folder / "orders.wsdl"
    if form != "file":
        source = tmp_path / "orders"
        source.mkdir()
        for name in ("orders.wsdl", "orders.xsd"):
            (source / name).write_bytes((folder / name).read_bytes())
    if form == "zip":
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.write(source / "orders.wsdl", "wsdl/orders.wsdl")
            archive.write(source / "orders.xsd", "wsdl/orders.xsd")
        source = tmp_path / "orders.zip"
        source.write_bytes(data.getvalue())
    told = workspace.imported("wsdl", str(source), "--upstream", "orders")
    assert [each["operation"] for each in told["routes"]] == ["GetOrder", "ListOrders", "PutOrder", "Notify"]
    assert workspace.figway("check")[0] == 0


BAD: dict[str, tuple[str, str]] = {
    "nothing there": ("", "can't be read"),
    "no XML": ("hello", "isn't well-formed"),
    "an entity bomb": (
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><definitions '
        'xmlns="http://schemas.xmlsoap.org/wsdl/">&b;</definitions>',
        "document type declaration",
    ),
    "a private address": (
        '<xs:import namespace="urn:u" schemaLocation="http://169.254.169.254/x.xsd"/>' + PAIR,
        "shop",
    ),
    "a file outside": ('<xs:include schemaLocation="../../../../etc/passwd"/>' + PAIR, "isn't in the workspace"),
    "a URL of a file": ('<xs:include schemaLocation="file:///etc/passwd"/>' + PAIR, "isn't in the workspace"),
    "a type that isn't there": ('<xs:element name="GetX" type="t:None"/><xs:element name="GetXResponse"/>', "None"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_what_can_t_be_imported_changes_nothing(
    workspace: Any, tmp_path: Path, service: Callable[..., Path], case: str
) -> None:
    text, sentence = BAD[case]
    source = tmp_path / "shop.wsdl"
    if text.startswith("<xs:"):
        source = service(text, ("GetX",))
    elif text:
        source.write_text(text)
    before = workspace.files()
    code, output = workspace.figway("import", "wsdl", str(source), "--upstream", "shop")
    if case == "a private address":  # nothing uses what it would hold, and nobody was asked
        assert code in (0, FINDING)
    else:
        assert code == FINDING, output
        assert workspace.files() == before
    assert sentence in output
    assert "Traceback" not in output


def test_a_zip_bomb_changes_nothing(workspace: Any, tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.wsdl", bytes(80 * 2**20))
    (tmp_path / "bomb.zip").write_bytes(data.getvalue())
    code, output = workspace.figway("import", "wsdl", str(tmp_path / "bomb.zip"), "--upstream", "shop")
    assert (code, "once unpacked" in output) == (FINDING, True)
    assert not (workspace.folder / "openapi" / "shop.yaml").exists()


def test_a_private_address_is_asked_only_when_it_is_named(workspace: Any, php: str) -> None:
    code, output = workspace.figway("import", "wsdl", f"{php}/11?wsdl", "--upstream", "orders")
    assert (code, "--allow-host" in output) == (FINDING, True)


def test_names_hold_no_code(workspace: Any, service: Callable[..., Path]) -> None:
    elements = (
        '<xs:element name="GetX"><xs:complexType><xs:sequence>'
        '<xs:element name="naïve-name.é" type="xs:string"/></xs:sequence>'
        '<xs:attribute name="x.y-z" type="xs:string"/></xs:complexType></xs:element>'
        '<xs:element name="GetXResponse"><xs:complexType><xs:sequence><xs:element name="日本" type="xs:string">'
        "<xs:annotation><xs:documentation>a: b # c\n- {{ '\" ]] %s {0} </xs:documentation></xs:annotation>"
        "</xs:element></xs:sequence></xs:complexType></xs:element>"
    )
    told = workspace.imported("wsdl", str(service(elements, ("GetX",))), "--upstream", "shop")
    assert [(each["method"], each["path"]) for each in told["routes"]] == [("POST", "/xes/get")]
    reply = contract(workspace, "openapi/shop.yaml")["paths"]["/xes/get"]["post"]["responses"]["200"]
    members = reply["content"]["application/json"]["schema"]["properties"]
    assert members["日本"]["description"] == "a: b # c - {{ '\" ]] %s {0}"


def test_each_of_several_services_is_an_upstream(workspace: Any, service: Callable[..., Path]) -> None:
    source = service(PAIR, ("GetX",))
    text = source.read_text()
    at = text.index("<w:service")
    twin = text[at:].removesuffix("</w:definitions>").replace('name="Shop"', 'name="Other"')
    ports = '<w:port name="Second" binding="t:B"><s:address location="http://127.0.0.1:2/"/></w:port></w:service>'
    source.write_text(text[:at] + twin.replace("</w:service>", ports) + text[at:])
    code, output = workspace.figway("import", "wsdl", str(source), "--upstream", "shop")
    assert (code, "several services (Other, Shop)" in output) == (FINDING, True)
    for name in ("Shop", "Other"):
        workspace.imported("wsdl", str(source), "--upstream", name.lower(), "--service", name)
    assert "service: Other, port: ShopPort" in workspace.text("gateway.yaml")
    again = ("--service", "Other", "--port", "Second")
    workspace.imported("wsdl", str(source), "--upstream", "second", *again)
    code, output = workspace.figway("import", "wsdl", str(source), "--upstream", "none", "--service", "None")
    assert (code, "no SOAP service 'None': there is Other, Shop" in output) == (FINDING, True)
    assert workspace.figway("check")[0] == 0


@pytest.mark.parametrize("name", ["../crm", "Crm", "a b", "", "x" * 64])
def test_names_that_no_upstream_can_have(workspace: Any, name: str) -> None:
    code, output = workspace.figway("import", "wsdl", str(CRM), "--upstream", name)
    assert (code, "is no name for an upstream" in output) == (USAGE, True)


def test_where_there_is_no_workspace(workspace: Any) -> None:
    (workspace.folder / "gateway.yaml").unlink()
    code, output = workspace.figway("import", "wsdl", str(CRM), "--upstream", "crm")
    assert (code, "'figway init' makes one" in output) == (FINDING, True)
    assert not (workspace.folder / ".figway").exists()


def test_an_upstream_that_is_another_kind_stays(workspace: Any) -> None:
    workspace.write("gateway.yaml", "upstreams:\n  crm: {kind: http, base_url: 'https://crm.example.com'}\n")
    before = workspace.files()
    code, output = workspace.figway("import", "wsdl", str(CRM), "--upstream", "crm")
    assert (code, "choose another --upstream" in output) == (FINDING, True)
    assert workspace.files() == before


def test_an_upstream_that_was_there_keeps_what_it_says(workspace: Any) -> None:
    workspace.write("gateway.yaml", "upstreams:\n  crm:\n    kind: soap\n    address: env:CRM_URL # ours\n")
    workspace.imported("wsdl", str(CRM), "--upstream", "crm")
    assert "    address: env:CRM_URL # ours\n" in workspace.text("gateway.yaml")
    assert "wsdl: openapi/sources/crm/crm.wsdl" in workspace.text("gateway.yaml")


@pytest.fixture(scope="session")
def corpus() -> Path:
    folder = os.environ.get("FIGWAY_CORPUS")
    if not folder:
        pytest.skip("FIGWAY_CORPUS names no folder with the public reference data")
    return Path(folder) / "wsdl"


@pytest.mark.slow
def test_real_vendors_wsdls_are_imported(workspace: Any, corpus: Path) -> None:
    counts = {}
    for source in sorted(corpus.glob("*.wsdl")):
        told = workspace.imported("wsdl", str(source), "--upstream", source.stem)
        assert [each for each in told["left_out"] if "by SOAP 1.2" not in each["why"]] == []
        counts[source.stem] = len(told["routes"])
        document = contract(workspace, f"openapi/{source.stem}.yaml")
        for schema in document["components"]["schemas"].values():
            jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]}, validate_formats=True)
    assert sum(counts.values()) == 192, counts
    code, output = workspace.figway("check", "--json")
    assert code == 0
    assert json.loads(output)["findings"] == []
