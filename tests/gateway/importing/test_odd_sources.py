"""Sources that no import should hang or break on: each ends in a sentence, and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.import_ import kept_source

ONE = ("GetX",)
X = '<xs:element name="GetX"><xs:complexType/></xs:element>'
CHAIN = 3000


def refused(workspace: Any, *arguments: str) -> str:
    """What an import says that can't be made, and that changes no file."""
    before = workspace.files()
    code, output = workspace.figway("import", *arguments, "--upstream", "odd")
    assert code == 1, output
    assert workspace.files() == before
    return str(output)


@pytest.mark.parametrize("kind", ["wsdl", "odbc", "table", "openapi", "copybook"])
def test_a_name_that_no_file_can_have(workspace: Any, kind: str) -> None:
    name = "Driver=SQLite3;Database=" + "x" * 300
    refused(workspace, kind, name, *(["--data", name] if kind == "copybook" else []))


@pytest.mark.parametrize("kind", ["wsdl", "table", "openapi", "copybook"])
@pytest.mark.parametrize("what", ["pipe", "folder"])
def test_what_is_no_file(workspace: Any, tmp_path: Path, kind: str, what: str) -> None:
    source = tmp_path / "odd"
    os.mkfifo(source) if what == "pipe" else source.mkdir()
    (tmp_path / "data").write_text("x")
    data = ["--data", str(tmp_path / "data")] if kind == "copybook" else []
    assert ".wsdl" in refused(workspace, kind, str(source), *data) or kind != "wsdl" or what == "pipe"


@pytest.mark.parametrize(
    "source",
    [
        "https://crm.example.com/crm?wsdl&access_token=abc",
        "https://crm.example.com/crm?wsdl&api_key=abc",
        "https://crm.example.com/crm?client_secret=abc",
        "https://crm.example.com/crm.wsdl?sv=1&sig=abc",
        "https://crm.example.com/crm?subscription-key=abc",
        "https://anna:abc@crm.example.com/crm?wsdl",
        "Driver=PostgreSQL;sslpassword=abc",
    ],
)
def test_a_source_with_a_secret_is_not_remembered(tmp_path: Path, source: str) -> None:
    assert kept_source(source, tmp_path) == ""


@pytest.mark.parametrize("source", ["https://crm.example.com/crm?wsdl", "http://h/x.asmx?xsd=xsd0", "DSN=erp;UID=a"])
def test_a_source_without_one_is(tmp_path: Path, source: str) -> None:
    assert kept_source(source, tmp_path) == source


def test_a_long_chain_of_types_is_left_out(workspace: Any, service: Callable[..., Path]) -> None:
    types = "".join(
        f'<xs:complexType name="T{number}"><xs:sequence><xs:element name="Next" minOccurs="0" '
        f'type="t:T{(number + 1) % CHAIN}"/></xs:sequence></xs:complexType>'
        for number in range(CHAIN)
    )
    deep = '<xs:element name="GetDeep"><xs:complexType><xs:sequence><xs:element name="T" type="t:T0"/></xs:sequence>'
    deep += '</xs:complexType></xs:element><xs:element name="GetDeepResponse"><xs:complexType/></xs:element>'
    more = '<xs:element name="GetXResponse"><xs:complexType/></xs:element>'
    source = service(X + more + deep, (*ONE, "GetDeep"), types)
    told = workspace.imported("wsdl", str(source), "--upstream", "odd")
    assert [each["operation_id"] for each in told["routes"]] == ["get_x"]
    assert [each["what"] for each in told["left_out"]] == ["GetDeep"]
    assert "chain" in told["left_out"][0]["why"]
    assert workspace.figway("check")[0] == 0
