"""A WSDL of very many operations: compiled once, then read from disk, each operation when it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from types import ModuleType

import pytest

from adapters.contract import Workspace
from adapters.soap.compiler import form_of
from adapters.soap.plan import Operations
from adapters.soap.stored import dump, load

_OPERATIONS = 3_000 if os.environ.get("FIGWAY_SLOW") else 300
# Each start is a process of its own: the second must not profit from what the first has in memory.
_START = """
import sys, time
from pathlib import Path
from adapters.contract import Workspace
from adapters.soap import KIND, SoapAdapter
workspace = Workspace({"big.wsdl": Path(sys.argv[1]).read_bytes()}, Path(sys.argv[2]))
start = time.process_time()
adapter = KIND.build("big", KIND.config(wsdl="big.wsdl"), workspace)
operations = adapter.operations()
assert len(operations) == int(sys.argv[3])
assert operations["DoE7"].input["properties"]["filter"]["$ref"] == "#/$defs/T7"
seconds = time.process_time() - start
# Not by getrusage: its peak begins with what the process had that started this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 1024)
"""


def _many(strange: ModuleType, count: int) -> str:
    """A WSDL of so many operations, whose types refer to each other."""
    types = "".join(
        f'<xs:complexType name="T{n}"><xs:sequence><xs:element name="id" type="xs:long"/>'
        f'<xs:element name="amount" type="xs:decimal" nillable="true"/><xs:element name="kind" type="t:K{n % 50}"/>'
        f'<xs:element name="next" type="t:T{(n * 7 + 1) % count}" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>'
        f'<xs:attribute name="version" type="xs:int"/></xs:complexType>'
        f'<xs:element name="E{n}"><xs:complexType><xs:sequence><xs:element name="id" type="xs:long"/>'
        f'<xs:element name="filter" type="t:T{n}" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>'
        for n in range(count)
    )
    kinds = "".join(
        f'<xs:simpleType name="K{n}"><xs:restriction base="xs:string"><xs:enumeration value="A"/>'
        f'<xs:enumeration value="B{n}"/></xs:restriction></xs:simpleType>'
        for n in range(50)
    )
    text: str = strange.service(strange.schema(types + kinds), *(f"E{n}" for n in range(count)))
    return text


def _start(wsdl: Path, cache: Path) -> tuple[float, float]:
    """Seconds of processor time and megabytes of a start."""
    command = [sys.executable, "-c", _START, str(wsdl), str(cache), str(_OPERATIONS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def test_very_many_operations(tmp_path: Path, strange: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    wsdl, cache = tmp_path / "big.wsdl", tmp_path / "cache"
    wsdl.write_text(_many(strange, _OPERATIONS))
    first, second = _start(wsdl, cache), _start(wsdl, cache)
    with capsys.disabled():
        print(f"\n{_OPERATIONS} operations: compiled in {first[0]:.1f} s and {first[1]:.0f} MB, ", end="")
        print(f"started again in {second[0]:.2f} s and {second[1]:.0f} MB")
    assert first[1] < 500
    assert second[1] < 500


def test_a_start_reads_only_what_is_asked_for(tmp_path: Path, strange: ModuleType) -> None:
    workspace = _workspace(tmp_path, {"s.wsdl": _many(strange, 50)})
    form_of("s.wsdl", workspace)
    form = form_of("s.wsdl", workspace)
    adapter_operations = Operations(form, form.ports[0], UTC)
    assert len(adapter_operations) == 50
    assert form.types._read == {}  # type: ignore[attr-defined]
    assert adapter_operations["DoE7"].name == "DoE7"
    assert "{urn:t}E7#element" in form.types._read  # type: ignore[attr-defined]


def _workspace(tmp_path: Path, files: Mapping[str, str]) -> Workspace:
    return Workspace({name: text.encode() for name, text in files.items()}, tmp_path / "cache")


def test_stored_forms_are_what_was_compiled(tmp_path: Path, strange: ModuleType) -> None:
    for text in strange.SERVICES.values():
        form = form_of("s.wsdl", _workspace(tmp_path, {"s.wsdl": text}))
        assert load(dump(form)) == form
        assert form_of("s.wsdl", _workspace(tmp_path, {"s.wsdl": text})) == form


def test_a_stored_form_is_made_anew_when_a_document_changes_or_it_is_damaged(tmp_path: Path) -> None:
    xsd = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:i"><xs:element name="E"'
    wsdl = (
        '<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"'
        ' xmlns:i="urn:i" xmlns:t="urn:t" targetNamespace="urn:t"><w:types><xs:schema'
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import namespace="urn:i" schemaLocation="i.xsd"/></xs:schema>'
        '</w:types><w:message name="M"><w:part name="p" element="i:E"/></w:message><w:portType name="P">'
        '<w:operation name="Op"><w:input message="t:M"/></w:operation></w:portType><w:binding name="B" type="t:P">'
        '<s:binding transport="http://schemas.xmlsoap.org/soap/http"/><w:operation name="Op"><w:input>'
        '<s:body use="literal"/></w:input></w:operation></w:binding><w:service name="S">'
        '<w:port name="P" binding="t:B"><s:address location="http://x"/></w:port></w:service></w:definitions>'
    )

    def kind(name: str) -> str:
        files = {"s.wsdl": wsdl, "i.xsd": f'{xsd} type="xs:{name}"/></xs:schema>'}
        return form_of("s.wsdl", _workspace(tmp_path, files)).ports[0].operations[0].input.parts[0].type

    assert [kind("int"), kind("string"), kind("string")] == ["xsd:int", "xsd:string", "xsd:string"]
    (stored,) = (tmp_path / "cache").iterdir()
    whole = stored.read_bytes()
    for damaged in (b"", b"{}", whole[:-20], whole.replace(b"xsd:string", b"xsd:strong"), b"\xff" * 100):
        stored.write_bytes(damaged)
        assert kind("string") == "xsd:string"
        assert stored.read_bytes() == whole
