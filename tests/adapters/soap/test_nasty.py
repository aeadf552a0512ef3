"""WSDLs that use what others avoid: each works, or leaves out what it must with a reason and the place. Their first
comment says what is nasty in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree

from adapters.contract import Workspace
from adapters.soap.compiler import form_of
from adapters.soap.form import Form
from adapters.soap.resolver import Documents, SchemaSource, parse_document
from adapters.soap.stored import dump, load

HERE = Path(__file__).parent / "nasty"
NAMES = sorted(folder.name for folder in HERE.iterdir())
_QUICK, _SLOW = 2, 60
_LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "alike": {"DoApart": "'key' occurs with two types"},
    "ports": {"Tell": "has no input", "Gone": "isn't in the portType"},
}
"""Name → what is left out of its first port that leaves out anything, and words of the reason."""
_IDENTITY = ("key", "keyref", "unique")
"""What no JSON Schema can say, and servers seldom check."""


def _files(name: str) -> dict[str, bytes]:
    folder = HERE / name
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _wsdl(files: Mapping[str, bytes]) -> str:
    return "main.wsdl" if "main.wsdl" in files else "service.wsdl"


def _judged(files: dict[str, bytes], judge: Callable[[Documents], etree.XMLSchema]) -> etree.XMLSchema:
    documents = Documents(files, _wsdl(files))
    documents.walk()
    assert not documents.problems
    for path in files:
        if path.startswith("judge"):
            root = parse_document(files[path])
            documents.schemas.append(SchemaSource(path, root, root.get("targetNamespace", "")))
    for source in documents.schemas:
        for node in [each for each in source.root.iter() if etree.QName(each).localname in _IDENTITY]:
            node.getparent().remove(node)
    return judge(documents)


def _form(files: dict[str, bytes], cache: Path) -> Form:
    form = form_of(_wsdl(files), Workspace(files, cache))
    assert load(dump(form)) == form
    return form


def test_there_are_enough() -> None:
    assert len(NAMES) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_out_says_why_and_where(name: str, tmp_path: Path) -> None:
    form, expected = _form(_files(name), tmp_path), _LEFT_OUT.get(name, {})
    for port in form.ports:
        assert port.left_out.keys() <= expected.keys()
        for operation, reason in port.left_out.items():
            assert expected[operation] in reason
            assert ".wsdl:" in reason
    assert any(port.left_out.keys() == expected.keys() for port in form.ports)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"matrix"}))
@pytest.mark.parametrize("examples", [_QUICK, pytest.param(_SLOW, marks=pytest.mark.slow)])
def test_there_and_back(
    name: str,
    examples: int,
    judge: Callable[[Documents], etree.XMLSchema],
    generator: ModuleType,
    trips: ModuleType,
    tmp_path: Path,
) -> None:
    files = _files(name)
    trips.every(_form(files, tmp_path), trips.accepted(_judged(files, judge)), generator, examples)
