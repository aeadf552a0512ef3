"""What the schema accepts is rendered, judged by libxml2 against the WSDL's own XSD, and decodes to the same again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.contract import Workspace
from adapters.soap.compiler import form_of, reached
from adapters.soap.content import elements
from adapters.soap.decode import Decoder
from adapters.soap.form import Complex, Form, Message, OperationForm
from adapters.soap.notes import Notes
from adapters.soap.render import Renderer
from adapters.soap.resolver import Documents
from adapters.soap.schema import input_schema, output_schema

# A failure here is read by its difference, not by its size: shrinking takes minutes.
STABLE = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SERVICE = Path(__file__).parent / "service"

_Check = Callable[[Any], None]


def _checker(form: Form, message: Message, judge: etree.XMLSchema) -> _Check:
    renderer, decoder = Renderer(form, message), Decoder(form, message, UTC)
    validator = jsonschema_rs.validator_for(input_schema(form, message), validate_formats=True)
    answer = jsonschema_rs.validator_for(output_schema(form, message), validate_formats=True)

    def check(value: Any) -> None:
        validator.validate(value)
        parts = f"<Header>{renderer.headers(value)}</Header><Body>{renderer.body(value)}</Body>"
        envelope = etree.fromstring(f"<Envelope{renderer.namespaces}>{parts}</Envelope>".encode())
        header, body = envelope
        for node in (*header, *body):
            judge.assertValid(etree.fromstring(etree.tostring(node, encoding="utf-8")))
        notes = Notes()
        decoded = decoder.body(list(body), notes)
        assert decoded == value
        assert not notes.unknown
        assert not notes.missing
        answer.validate(decoded)

    return check


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
) -> None:
    files = {each.name: each.read_bytes() for each in SERVICE.iterdir()}
    schema = judge(_documents("orders.wsdl", files))
    operation = next(each for each in form.ports[0].operations if each.name == name)
    message = operation.output if answer else operation.input
    if message is None:
        return
    _run(form, message, schema, generator, _OWN)


def _run(form: Form, message: Message, schema: etree.XMLSchema, generator: ModuleType, examples: int) -> None:
    check = _checker(form, message, schema)
    strategy: st.SearchStrategy[Any] = generator.instances(output_schema(form, message))

    @settings(STABLE, max_examples=examples)
    @given(strategy)
    def run(value: Any) -> None:
        check(value)

    run()


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
    name: str, strange: ModuleType, judge: Callable[[Documents], etree.XMLSchema], generator: ModuleType, tmp_path: Path
) -> None:
    files = {"s.wsdl": strange.SERVICES[name].encode()}
    _every(files, "s.wsdl", judge, generator, tmp_path, _QUICK)


def _every(
    files: dict[str, bytes],
    path: str,
    judge: Callable[[Documents], etree.XMLSchema],
    generator: ModuleType,
    cache: Path,
    examples: int,
    most: int | None = None,
) -> None:
    """Every operation compiles, and so many instances of its messages pass; of `most` operations, where it is given."""
    form = form_of(path, Workspace(files, cache))
    schema = judge(_documents(path, files))
    for port in form.ports:
        assert not port.left_out
        for operation in _sample(port.operations, most):
            for message in (operation.input, operation.output):
                if message is not None and not _has_mixed(form, message):
                    _run(form, message, schema, generator, examples)


def _has_mixed(form: Form, message: Message) -> bool:
    """Whether a message holds mixed content with declared elements, which is XML text that no JSON Schema knows."""
    waiting, seen = [part.type for part in message.parts], set[str]()
    while waiting:
        key = waiting.pop()
        if key in seen or key.startswith("xsd:"):
            continue
        seen.add(key)
        found = form.types[key]
        if isinstance(found, Complex) and found.mixed and found.content and list(elements(found.content)):
            return True
        waiting.extend(reached(form.types, key))
    return False


def _corpus() -> list[Path]:
    folder = os.environ.get("FIGWAY_CORPUS")
    return sorted(Path(folder, "wsdl").glob("*.wsdl")) if folder else []


def _sample(operations: Sequence[OperationForm], most: int | None) -> Sequence[OperationForm]:
    """A spread of a big service's operations."""
    return operations[:: max(1, len(operations) // most)] if most else operations


_vendors = pytest.mark.skipif(not _corpus(), reason="FIGWAY_CORPUS isn't set: no vendor WSDLs to try")


@_vendors
@pytest.mark.parametrize("path", _corpus(), ids=lambda path: path.stem)
def test_vendor_services(
    path: Path, judge: Callable[[Documents], etree.XMLSchema], generator: ModuleType, tmp_path: Path
) -> None:
    _every({path.name: path.read_bytes()}, path.name, judge, generator, tmp_path, _QUICK, most=8)


@pytest.mark.slow
@_vendors
@pytest.mark.parametrize("path", _corpus(), ids=lambda path: path.stem)
def test_every_operation_of_vendor_services(
    path: Path, judge: Callable[[Documents], etree.XMLSchema], generator: ModuleType, tmp_path: Path
) -> None:
    _every({path.name: path.read_bytes()}, path.name, judge, generator, tmp_path, _SLOW)


@pytest.mark.slow
@pytest.mark.parametrize("name", STRANGE)
def test_strange_services_at_length(
    name: str, strange: ModuleType, judge: Callable[[Documents], etree.XMLSchema], generator: ModuleType, tmp_path: Path
) -> None:
    _every({"s.wsdl": strange.SERVICES[name].encode()}, "s.wsdl", judge, generator, tmp_path, _SLOW)
