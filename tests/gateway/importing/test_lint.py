"""Imported contracts before judges of other makers, and thousands of operations within their bounds."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]
OPERATIONS, SECONDS, MEBIBYTES = 3000, 30, 500


SHOP = """
CREATE TABLE makers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country CHAR(2));
CREATE TABLE parts (sku VARCHAR(20) PRIMARY KEY, maker INTEGER REFERENCES makers (id), price DECIMAL(10,2), since DATE,
  note TEXT, "odd 'name" TEXT, "größe" INTEGER);
CREATE VIEW cheap AS SELECT sku, price FROM parts WHERE price < 5;
"""


def test_imported_contracts_are_clean(workspace: Any, linters: Any, tmp_path: Path, servers: ModuleType) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.executescript(SHOP)
    (tmp_path / "stock.csv").write_text("sku;on hand\nA1;3\nA2;4\n")
    soap = REPOSITORY / "tests" / "adapters" / "soap"
    sources = {
        "crm": ("wsdl", str(REPOSITORY / "openapi" / "sources" / "crm" / "crm.wsdl")),
        "orders": ("wsdl", str(soap / "service")),
        "documents": ("wsdl", str(soap / "documents" / "documents.wsdl")),
        "shop": ("odbc", servers.sqlite_dsn(tmp_path / "shop.db")),
        "stock": ("table", str(tmp_path / "stock.csv")),
    }
    for path in sorted((Path(os.environ.get("FIGWAY_CORPUS", "/nonexistent")) / "wsdl").glob("*.wsdl")):
        sources[path.stem] = ("wsdl", str(path))
    for name, (kind, source) in sources.items():
        workspace.imported(kind, source, "--upstream", name)
    contracts = sorted((workspace.folder / "openapi").glob("*.yaml"))
    assert len(contracts) == len(sources)
    assert linters.findings(*contracts) == ""


def test_thousands_of_operations_are_imported_in_time(workspace: Any, service: Callable[..., Path]) -> None:
    verbs = ("Get", "Create", "Update", "Delete", "Find")
    names = tuple(f"{verbs[number % 5]}Thing{number // 5:04}" for number in range(OPERATIONS))
    source = service("\n".join(map(_elements, names)), names, "\n".join(map(_type, range(OPERATIONS // 5))))
    command = [sys.executable, "-m", "gateway", "import", "wsdl", str(source), "--upstream", "big", "--json"]
    printed = workspace.folder / "printed.json"
    with printed.open("wb") as output:
        process = subprocess.Popen([*command, "--workspace", str(workspace.folder)], stdout=output)
        # This child's own figures: those of all children hold what others have used before.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    told = json.loads(printed.read_bytes())
    assert len(told["routes"]) == OPERATIONS
    assert told["left_out"] == []
    seconds = used.ru_utime + used.ru_stime
    print(f"{OPERATIONS} operations: {seconds:.1f} s of one core, {used.ru_maxrss >> 10} MiB")
    assert seconds < SECONDS
    assert used.ru_maxrss >> 10 < MEBIBYTES


def _elements(name: str) -> str:
    verb, noun = name[:-9], name[-9:]
    key = f'<xs:element name="{noun}Id" type="xs:string"/>'
    whole = f'<xs:element name="{noun}" type="t:{noun}"/>'
    given = {"Get": key, "Delete": key, "Create": whole, "Update": key + whole}.get(
        verb, '<xs:element name="Name" type="xs:string" minOccurs="0"/>'
    )
    many = whole.replace("/>", ' minOccurs="0" maxOccurs="unbounded"/>') if verb == "Find" else whole
    return "".join(
        f'<xs:element name="{each}"><xs:complexType><xs:sequence>{inner}</xs:sequence></xs:complexType></xs:element>'
        for each, inner in ((name, given), (f"{name}Response", many))
    )


def _type(number: int) -> str:
    return (
        f'<xs:complexType name="Thing{number:04}"><xs:sequence><xs:element name="Id" type="xs:string"/>'
        '<xs:element name="Amount" type="xs:decimal" minOccurs="0"/><xs:element name="At" type="xs:dateTime"/>'
        '<xs:element name="Kind"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="A"/>'
        '<xs:enumeration value="B"/></xs:restriction></xs:simpleType></xs:element></xs:sequence></xs:complexType>'
    )
