"""The demo's own mappings, followed offline to the WSDL's elements, the database's columns, the copybook's items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.odbc.elements import element as column
from adapters.odbc.headers import read_query
from adapters.odbc.model import Model
from gateway.lineage.answer import told
from gateway.lineage.snapshots import Mappings
from gateway.routing.load import compile_workspace, read_workspace

CRM = "{urn:halden-supply:crm:customers:2}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Mappings:
    """The mappings of the demo's workspace; no system behind it runs."""
    files = read_workspace(Path(__file__).parents[3])
    cache = tmp_path_factory.mktemp("cache")
    loaded = compile_workspace(files, cache=cache, environment={}, strict_secrets=False)
    return Mappings.of(loaded.compiled, loaded.adapters)


def explained(demo: Mappings, operation: str) -> dict[str, Any]:
    record = {
        "id": "01JD3ZQ8S0C9V5E2K7T4M6X1AB",
        "time": "2026-11-21T14:00:00.000000Z",
        "seconds": 0.5,
        "status": 200,
        "operation": operation,
        "route": "/",
        "snapshot": 1,
        "served_by": "legacy",
        "upstream_calls": [],
    }
    return told(record, demo.compiled, demo.origins, demo.element)


def elements(answer: dict[str, Any], pointer: str) -> list[str]:
    (field,) = [each for each in answer["fields"] if each["pointer"] == pointer]
    return [each["element"] for each in field["from"]]


def test_soap_names_the_path_of_elements(demo: Mappings) -> None:
    answer = explained(demo, "get_customer")
    path = "".join(f"/{CRM}{name}" for name in ("Contacts", "Contact", "Person", "GivenName"))
    assert elements(answer, "/contacts/*/person/given_name") == [f"{CRM}GetCustomerResponse/{CRM}Customer{path}"]


def test_odbc_names_the_column(demo: Mappings) -> None:
    assert elements(explained(demo, "get_inventory"), "/on_hand") == ["stock.on_hand"]
    assert elements(explained(demo, "list_inventory"), "/items/*/on_hand") == ["stock.on_hand"]


def test_files_name_the_item_and_its_place(demo: Mappings) -> None:
    answer = explained(demo, "get_invoice")
    assert elements(answer, "/status") == ["invoices.invoice_status (INVOICE-STATUS at byte 11, 1 bytes)"]
    assert elements(answer, "/customer_id") == ["invoices.customer_id (CUSTOMER-ID at byte 12, 10 bytes)"]


def test_every_field_of_every_route_is_told_with_a_name_of_its_upstream_s(demo: Mappings) -> None:
    for route in demo.compiled.routes:
        answer = explained(demo, route.operation_id)
        assert answer["fields"] or route.reply is None, route.operation_id
        assert all(each["where"].startswith("openapi/") for each in answer["mappings"])
        for field in answer["fields"]:
            for origin in (*field["from"], *field["when"]):
                assert origin["mappings"], (route.operation_id, field)
            assert all(each["element"] for each in field["from"]), (route.operation_id, field)


def test_a_composite_reaches_through_its_steps(demo: Mappings) -> None:
    names = [route.operation_id for route in demo.compiled.routes if route.compose is not None]
    answer = explained(demo, names[0])
    upstreams = {origin["upstream"] for field in answer["fields"] for origin in field["from"]}
    assert upstreams >= {"crm", "erp", "billing"}


SQL = """-- result: many
SELECT s.sku, p.name AS title, s.on_hand - s.reserved AS free, count(*) AS n
FROM warehouse.stock s JOIN products p ON p.id = s.product_id GROUP BY s.sku, p.name
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sku", "warehouse.stock.sku"),
        ("title", "products.name"),
        ("free", "low.free"),
        ("n", "low.n"),
        ("missing", "low.missing"),
    ],
)
def test_a_named_query_s_column_is_the_table_s_where_that_is_plain(name: str, expected: str) -> None:
    model = Model({}, {"low": read_query("queries/low.sql", SQL.encode())}, {})
    assert column(model, "low", ["items", "*", name]) == expected


@pytest.mark.parametrize(
    ("upstream", "operation", "pointer"),
    [
        ("crm", "GetCustomer", "/Customer/Nonsense"),
        ("crm", "Nonsense", "/Customer"),
        ("erp", "stock.get", "/nonsense"),
        ("erp", "nonsense.get", "/sku"),
        ("billing", "invoices.get", "/nonsense"),
        ("nobody", "x", "/y"),
    ],
)
def test_what_isn_t_there_has_no_name(demo: Mappings, upstream: str, operation: str, pointer: str) -> None:
    assert demo.element(upstream, operation, pointer) is None


def test_http_has_the_pointer_itself(demo: Mappings) -> None:
    name = "GET /v2/customers/{id}"
    assert demo.element("crm_next", name, "/name") == f"{name}#/name"
