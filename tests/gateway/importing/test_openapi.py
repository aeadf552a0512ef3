"""`figway import openapi`: a modern API behind routes that exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.common import FINDING
from gateway.routing.report import Report
from gateway.routing.source import parse

CONTRACT = """\
openapi: 3.1.0
info: {title: Shop, version: "1"}
# the shop's routes
paths:
  /customers/{customer_id}:
    get:
      operationId: get_customer
      tags: [customers]
      parameters: [{name: customer_id, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: One.
          content: {application/json: {schema: {$ref: "#/components/schemas/Customer"}}}
      x-gateway:
        effect: read # it only reads
        legacy: {upstream: old, operation: "GET /c/{id}", input: {id: path.customer_id}}
    put:
      operationId: replace_customer
      tags: [customers]
      parameters: [{name: customer_id, in: path, required: true, schema: {type: string}}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Changes"}}}}
      responses:
        "200":
          description: One.
          content: {application/json: {schema: {$ref: "#/components/schemas/Customer"}}}
      x-gateway:
        effect: idempotent_write
        legacy: {upstream: old, operation: "PUT /c/{id}", input: {id: path.customer_id, body: body}}
  /orders:
    get:
      operationId: find_orders
      tags: [orders]
      parameters: [{name: status, in: query, schema: {type: string}}]
      responses:
        "200": {description: Some., content: {application/json: {schema: {type: array, items: {type: object}}}}}
      x-gateway: {effect: read, legacy: {upstream: old, operation: GET /o, input: {status: query.status}}}
components:
  schemas:
    Changes:
      type: object
      properties: {full_name: {type: string}, address: {type: object, properties: {post_code: {type: string}}}}
    Customer:
      type: object
      required: [id, full_name, address]
      properties:
        id: {type: string}
        full_name: {type: string}
        status: {type: string, enum: [OPEN, CLOSED]}
        address: {type: object, properties: {post_code: {type: string}, lines: {type: array, items: {type: string}}}}
        contacts: {type: array, items: {type: object, properties: {e_mail: {type: string}}}}
        nickname: {type: string}
"""
CUSTOMER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "fullName": {"type": "string"},
        "status": {"type": "string", "enum": ["OPEN"]},
        "address": {"$ref": "#/components/schemas/Address"},
        "contacts": {"type": "array", "items": {"type": "object", "properties": {"eMail": {"type": "string"}}}},
    },
}
CHANGES: dict[str, Any] = {
    "type": "object",
    "properties": {"fullName": {"type": "string"}, "address": {"$ref": "#/components/schemas/Address"}},
}


def answers(schema: Any) -> dict[str, Any]:
    return {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}


def api(**paths: Any) -> dict[str, Any]:
    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "string"}}
    whole = {"application/json": {"schema": CHANGES}}
    made: dict[str, Any] = {
        "/v2/customers/{number}": {
            "parameters": [number],
            "get": {"operationId": "readCustomer", "responses": answers(CUSTOMER)},
            "patch": {"operationId": "patch", "requestBody": {"content": whole}, "responses": answers(CUSTOMER)},
        },
        "/v2/orders": {
            "get": {"parameters": [{"name": "state", "in": "query"}], "responses": answers({"type": "array"})}
        },
        "/v2/products": {"get": {"responses": answers({})}},
        "/v2/odd path": {"get": {"responses": answers({})}},
    }
    address = {"type": "object", "properties": {"postCode": {"type": "string"}, "lines": {"type": "array"}}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Next", "version": "2"},
        "servers": [{"url": "https://next.example.com/"}],
        "paths": {**made, **paths},
        "components": {"schemas": {"Address": address}},
    }


@pytest.fixture
def shop(workspace: Any) -> Any:
    """A workspace with three routes that an old system serves."""
    workspace.write("gateway.yaml", "upstreams:\n  old: {kind: http, base_url: 'https://old.example.com'}\n")
    workspace.write("openapi/shop.yaml", CONTRACT)
    return workspace


def imported(shop: Any, tmp_path: Path, document: Any, *more: str, code: int = 0) -> dict[str, Any]:
    source = tmp_path / "next.json"
    source.write_text(json.dumps(document))
    told: dict[str, Any] = shop.imported("openapi", str(source), "--upstream", "next", *more, code=code)
    return told


def bindings(shop: Any) -> dict[str, Any]:
    document = parse("shop.yaml", shop.text("openapi/shop.yaml").encode(), Report())
    assert document is not None
    operations = [each for item in document.data["paths"].values() for each in item.values()]
    return {each["operationId"]: each["x-gateway"].get("replacement") for each in operations}


def test_routes_get_the_replacement_that_fits(shop: Any, tmp_path: Path) -> None:
    told = imported(shop, tmp_path, api())
    assert told["replacements"] == {
        "get_customer": "GET /v2/customers/{number}",
        "replace_customer": "PATCH /v2/customers/{number}",
    }
    assert told["unmatched"] == {"find_orders": "GET /v2/orders has no parameter like 'status'"}
    assert told["unused"] == ["GET /v2/orders", "GET /v2/products"]
    assert [each["what"] for each in told["left_out"]] == ["GET /v2/odd path"]
    made = bindings(shop)
    output = "{id: id, full_name: fullName, status: status, address: address.{post_code: postCode, lines: lines}, "
    output += "contacts: contacts[].{e_mail: eMail}}"
    assert made["get_customer"] == {
        "upstream": "next",
        "operation": "GET /v2/customers/{number}",
        "input": {"number": "path.customer_id"},
        "output": output,
    }
    assert made["replace_customer"]["input"] == {
        "number": "path.customer_id",
        "fullName": "body.full_name",
        "address": "body.address.{postCode: post_code}",
    }
    assert "        effect: read # it only reads\n" in shop.text("openapi/shop.yaml")
    assert "# the shop's routes\n" in shop.text("openapi/shop.yaml")
    assert 'next: {kind: http, base_url: "https://next.example.com"}' in shop.text("gateway.yaml")
    assert shop.figway("check")[0] == 0


def test_a_second_time_changes_nothing_and_people_s_bindings_stay(shop: Any, tmp_path: Path) -> None:
    imported(shop, tmp_path, api())
    assert imported(shop, tmp_path, api())["files"] == {}
    text = shop.text("openapi/shop.yaml")
    assert "address.{post_code: postCode, lines: lines}" in text
    shop.write(
        "openapi/shop.yaml",
        text.replace("address.{post_code: postCode, lines: lines}", "address.{post_code: postCode}"),
    )
    assert imported(shop, tmp_path, api())["files"] == {}
    changed = api()
    changed["paths"]["/v2/customers/{number}"]["get"]["responses"] = answers(
        {**CUSTOMER, "properties": {**CUSTOMER["properties"], "nickname": {"type": "string"}}}
    )
    told = imported(shop, tmp_path, changed)
    assert [each["grade"] for each in told["drift"]] == ["additive"]
    assert told["kept"] == ["openapi/shop.yaml: paths./customers/{customer_id}.get.x-gateway.replacement.output: "
                            "changed here and at the source"]  # fmt: skip


def test_drift_of_an_api_is_graded(shop: Any, tmp_path: Path) -> None:
    imported(shop, tmp_path, api())
    assert shop.figway("check", "--drift")[0] == 0
    document = api()
    del document["paths"]["/v2/customers/{number}"]["patch"]
    (tmp_path / "next.json").write_text(json.dumps(document))
    code, output = shop.figway("check", "--drift")
    assert (code, "breaking: patch: it is gone at the source" in output) == (FINDING, True)


REASONS = {
    "a member that isn't there": ({**CUSTOMER, "properties": {"id": {"type": "string"}}}, "no 'full_name'"),
    "another type": (
        {**CUSTOMER, "properties": {**CUSTOMER["properties"], "fullName": {"type": "integer"}}},
        "'full_name' is integer there, and string here",
    ),
    "other values": (
        {**CUSTOMER, "properties": {**CUSTOMER["properties"], "status": {"type": "string", "enum": ["open"]}}},
        "'status' has other values there: open",
    ),
    "nothing said": (None, "doesn't say what it answers"),
}


@pytest.mark.parametrize("case", list(REASONS))
def test_what_doesn_t_match_is_told(shop: Any, tmp_path: Path, case: str) -> None:
    schema, reason = REASONS[case]
    document = api()
    document["paths"]["/v2/customers/{number}"]["get"]["responses"] = (
        {"200": {"description": ""}} if schema is None else answers(schema)
    )
    told = imported(shop, tmp_path, document)
    assert reason in told["unmatched"]["get_customer"]
    assert bindings(shop)["get_customer"] is None


def test_two_that_could_are_no_match(shop: Any, tmp_path: Path) -> None:
    document = api()
    document["paths"]["/v1/customer/{id}"] = {"get": {"responses": answers(CUSTOMER)}}
    assert "several could take it over" in imported(shop, tmp_path, document)["unmatched"]["get_customer"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1", "no OpenAPI 3 document"),
        ("{", "can't be read"),
        ("[" * 200, "deep"),
        ('{"openapi": "2.0"}', "OpenAPI 3"),
    ],
    ids=["another document", "no YAML", "deep", "old"],
)
def test_what_is_no_api_changes_nothing(shop: Any, tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "next.yaml").write_text(text)
    before = shop.files()
    code, output = shop.figway("import", "openapi", str(tmp_path / "next.yaml"), "--upstream", "next")
    assert (code, sentence in output) == (FINDING, True), output
    assert shop.files() == before
