"""`figway check`, `schema` and `doctor`, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from click.testing import CliRunner, Result

from gateway.cli import app

ROOT = Path(__file__).parents[3]
BROKEN = ROOT / "tests/gateway/routing/broken"


def figway(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A sound workspace whose upstream isn't there."""
    contract = (BROKEN / "28-unused-parameters/openapi/things.yaml").read_text()
    contract = "\n".join(line for line in contract.splitlines() if "colour" not in line)
    (tmp_path / "openapi").mkdir()
    (tmp_path / "openapi/things.yaml").write_text(contract)
    (tmp_path / "gateway.yaml").write_text('upstreams: {shop: {kind: http, base_url: "http://127.0.0.1:9"}}\n')
    return tmp_path


def test_a_sound_workspace_is_0(shop: Path) -> None:
    result = figway("check", "--workspace", str(shop))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 routes, 1 upstreams" in result.stdout


def test_a_broken_one_is_1_with_a_sentence_each() -> None:
    result = figway("check", "--workspace", str(BROKEN / "22-writing-get"))
    assert result.exit_code == 1
    assert (
        "openapi/things.yaml:15: paths./things/{thing_id}.get.x-gateway.effect: a GET must only read" in result.stderr
    )
    assert result.stdout == ""


_WSDL = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t"><w:types>
  <xs:schema targetNamespace="urn:t"><xs:element name="A" type="xs:int"/><xs:element name="B" type="t:Gone"/>
  </xs:schema></w:types><w:message name="A"><w:part name="p" element="t:A"/></w:message>
  <w:message name="B"><w:part name="p" element="t:B"/></w:message><w:portType name="P">
  <w:operation name="GetA"><w:input message="t:A"/></w:operation><w:operation name="GetB"><w:input message="t:B"/>
  </w:operation></w:portType><w:binding name="B" type="t:P">
  <s:binding transport="http://schemas.xmlsoap.org/soap/http"/><w:operation name="GetA"/><w:operation name="GetB"/>
  </w:binding><w:service name="S"><w:port name="P" binding="t:B"><s:address location="http://127.0.0.1:9/"/></w:port>
  </w:service></w:definitions>"""


def test_verbose_lists_what_cannot_be_called(shop: Path) -> None:
    (shop / "openapi/sources").mkdir()
    (shop / "openapi/sources/crm.wsdl").write_text(_WSDL)
    upstreams = (shop / "gateway.yaml").read_text()
    crm = "upstreams: {crm: {kind: soap, wsdl: openapi/sources/crm.wsdl}, "
    (shop / "gateway.yaml").write_text(upstreams.replace("upstreams: {", crm))
    result = figway("check", "--verbose", "--workspace", str(shop))
    assert (result.exit_code, result.stderr) == (0, "")
    reason = "simpleType {urn:t}Gone, which isn't defined (openapi/sources/crm.wsdl:8)"
    told = f"upstream crm: 1 of 2 operations can be called (50.0 %)\n  GetB: it uses {reason}\n"
    assert told in result.stdout
    found = json.loads(figway("check", "--verbose", "--json", "--workspace", str(shop)).stdout)
    assert found["left_out"] == [{"upstream": "crm", "operations": 1, "left_out": {"GetB": reason}}]


def test_findings_as_json() -> None:
    result = figway("check", "--json", "--workspace", str(BROKEN / "01-missing-wsdl"))
    assert result.exit_code == 1
    errors = [each for each in json.loads(result.stdout)["findings"] if each["level"] == "error"]
    assert [(each["file"], each["line"], each["key"]) for each in errors] == [
        ("gateway.yaml", 4, "upstreams.shop.wsdl")
    ]


def test_no_workspace_is_1(tmp_path: Path) -> None:
    result = figway("check", "--workspace", str(tmp_path))
    assert result.exit_code == 1
    assert "there is no gateway.yaml" in result.stderr


def test_live_tells_an_upstream_that_is_down(shop: Path) -> None:
    result = figway("check", "--live", "--json", "--workspace", str(shop))
    (upstream,) = json.loads(result.stdout)["upstreams"]
    assert (result.exit_code, upstream["upstream"], upstream["ok"]) == (1, "shop", False)


def test_it_is_a_program() -> None:
    command = [sys.executable, "-m", "gateway", "check", "--workspace", str(BROKEN / "22-writing-get")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "a GET must only read" in result.stderr


def test_an_unknown_option_is_2() -> None:
    assert figway("check", "--lvie").exit_code == 2


def test_schemas_are_json_schemas_that_fit_the_demo() -> None:
    schemas = json.loads(figway("schema").stdout)
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema)
    demo = yaml.safe_load((ROOT / "gateway.yaml").read_text())
    jsonschema_rs.Draft202012Validator(schemas["gateway"]).validate(demo)
    extensions = jsonschema_rs.Draft202012Validator(schemas["x-gateway"])
    for path in (ROOT / "openapi").glob("*.yaml"):
        for item in yaml.safe_load(path.read_text())["paths"].values():
            for operation in item.values():
                if isinstance(operation, dict):
                    extensions.validate(operation["x-gateway"])
    assert not extensions.is_valid({"effect": "reads"})
    assert json.loads(figway("schema", "gateway").stdout) == schemas["gateway"]


def test_every_key_of_the_schemas_is_described() -> None:
    for schema in json.loads(figway("schema").stdout).values():
        # A name with a dot is an adapter's own model.
        for model in (schema, *(each for name, each in schema["$defs"].items() if "." not in name)):
            assert [name for name, each in model.get("properties", {}).items() if "description" not in each] == []


def test_doctor_looks_at_the_machine_and_the_upstreams(shop: Path) -> None:
    result = figway("doctor", "--json", "--workspace", str(shop))
    checks = {each["what"]: each for each in json.loads(result.stdout)}
    assert {"Python", "SQLite", "import gateway", "import adapters", "ODBC drivers", "port", "state"} <= set(checks)
    assert checks["Python"]["state"] == checks["SQLite"]["state"] == checks["import gateway"]["state"] == "ok"
    assert checks["upstream shop"]["state"] == "bad"
    assert result.exit_code == 1
    assert "upstream shop" in figway("doctor", "--workspace", str(shop)).stdout


def test_errors_come_before_warnings_each_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(
        "upstreams:\n"
        '  a: {kind: http, base_url: "http://a.test", auth: {bearer: env:UNSET_A}}\n'
        "  b: {kind: nope}\n"
        '  c: {kind: http, base_url: "http://c.test", auth: {bearer: env:UNSET_C}, wrong: 1}\n'
    )
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/access.cedar").write_text("permit (principal);\n")
    result = figway("check", "--workspace", str(tmp_path))
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()] == [
        "gateway.yaml:3",
        "gateway.yaml:4",
        "policies/access.cedar:1",
        "warning",
        "warning",
        "figway",
    ]
