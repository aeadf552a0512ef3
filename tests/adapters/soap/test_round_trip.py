"""What the schema accepts is rendered, judged by libxml2 against the WSDL's own XSD, and decodes to the same again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree

from adapters.contract import Workspace
from adapters.soap.compiler import form_of
from adapters.soap.form import Form
from adapters.soap.resolver import Documents

SERVICE = Path(__file__).parent / "service"


def _documents(path: str, files: dict[str, bytes]) -> Documents:
    documents = Documents(files, path)
    documents.walk()
    return documents


@pytest.mark.parametrize("name", ["GetOrder", "ListOrders", "PutOrder", "Notify"])
@pytest.mark.parametrize("answer", [False, True])
def test_own_service(
    name: str,
    answer: bool,
    form: Form,
    judge: Callable[[Documents], etree.XMLSchema],
    generator: ModuleType,
    trips: ModuleType,
) -> None:
    files = {each.name: each.read_bytes() for each in SERVICE.iterdir()}
    schema = judge(_documents("orders.wsdl", files))
    operation = next(each for each in form.ports[0].operations if each.name == name)
    message = operation.output if answer else operation.input
    if message is None:
        return
    trips.run(form, message, trips.accepted(schema), generator, _OWN)


_OWN = 12 if os.environ.get("FIGWAY_SLOW") else 6
_QUICK, _SLOW = 3, 25
"""Instances of each message, in the quick lane and in the slow one."""
STRANGE = [
    "bapi",
    "contracts",
    "crm_cloud",
    "data_set",
    "documents",
    "erp_suite",
    "facets",
    "market",
    "office",
    "people",
    "travel",
]


def test_all_strange_services_are_tried(strange: ModuleType) -> None:
    assert sorted(strange.SERVICES) == STRANGE


@pytest.mark.parametrize("name", STRANGE)
def test_strange_services(
    name: str,
    strange: ModuleType,
    judge: Callable[[Documents], etree.XMLSchema],
    generator: ModuleType,
    trips: ModuleType,
    tmp_path: Path,
) -> None:
    files = {"s.wsdl": strange.SERVICES[name].encode()}
    _every(files, "s.wsdl", judge, generator, trips, tmp_path, _QUICK)


def _every(
    files: dict[str, bytes],
    path: str,
    judge: Callable[[Documents], etree.XMLSchema],
    generator: ModuleType,
    trips: ModuleType,
    cache: Path,
    examples: int,
    most: int | None = None,
) -> int:
    """Every operation compiles, and so many instances of its messages pass; of `most` operations, where it is given."""
    form = form_of(path, Workspace(files, cache))
    assert not any(port.left_out for port in form.ports)
    count = trips.every(form, trips.accepted(judge(_documents(path, files))), generator, examples, most)
    assert count
    return count


def _corpus() -> list[Path]:
    folder = os.environ.get("FIGWAY_CORPUS")
    return sorted(Path(folder, "wsdl").glob("*.wsdl")) if folder else []


_vendors = pytest.mark.skipif(not _corpus(), reason="FIGWAY_CORPUS isn't set: no vendor WSDLs to try")


@_vendors
@pytest.mark.parametrize("path", _corpus(), ids=lambda path: path.stem)
def test_vendor_services(
    path: Path, judge: Callable[[Documents], etree.XMLSchema], generator: ModuleType, trips: ModuleType, tmp_path: Path
) -> None:
    _every({path.name: path.read_bytes()}, path.name, judge, generator, trips, tmp_path, _QUICK, most=8)


@pytest.mark.slow
@_vendors
@pytest.mark.parametrize("path", _corpus(), ids=lambda path: path.stem)
def test_every_operation_of_vendor_services(
    path: Path,
    judge: Callable[[Documents], etree.XMLSchema],
    generator: ModuleType,
    trips: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = _every({path.name: path.read_bytes()}, path.name, judge, generator, trips, tmp_path, _SLOW)
    with capsys.disabled():
        print(f"\n{path.name}: {count} messages, up to {_SLOW} instances each, judged by libxml2 and back the same")


@pytest.mark.slow
@pytest.mark.parametrize("name", STRANGE)
def test_strange_services_at_length(
    name: str,
    strange: ModuleType,
    judge: Callable[[Documents], etree.XMLSchema],
    generator: ModuleType,
    trips: ModuleType,
    tmp_path: Path,
) -> None:
    _every({"s.wsdl": strange.SERVICES[name].encode()}, "s.wsdl", judge, generator, trips, tmp_path, _SLOW)
