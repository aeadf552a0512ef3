"""zeep, a codec of its own, reads what we write. Where it can't, this says why; libxml2 accepts all of it."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from lxml import etree
from zeep.settings import Settings
from zeep.wsdl import Document

from adapters.contract import Workspace
from adapters.soap.compiler import form_of
from adapters.soap.plan import Operations
from adapters.soap.resolver import Documents
from adapters.soap.values import BadValue

_BASE = "https://workspace.invalid/"
_BEYOND_ZEEP = {
    "contracts": "it has no catalogue",
    "data_set": "it parses what a wildcard holds as a schema",
    "documents": "it knows no substitution groups",
    "facets": "it reads a union by its first member",
    "travel": "it reads a choice that may be absent as one that may not",
}
_NASTY_BEYOND_ZEEP = {
    "alike": "it makes two branches of a choice that share an element out of it",
    "chains": "it knows no redefinition",
    "groups": "it makes a text of an optional group that repeats",
    "heads": "it knows no substitution groups",
    "names": "it finds no operation with a dot in its name",
    "occurs": "it ends a repeated group by the first element that it doesn't know",
    "recursion": "it makes a text of a choice",
    "simple": "it can't read a restriction of an unnamed list",
}
_QUICK, _SLOW = 2, 20


class _Transport:
    def __init__(self, files: dict[str, bytes], path: str) -> None:
        self._documents, self._path = Documents(files, path), path

    def load(self, url: str) -> bytes:
        path = url.removeprefix(_BASE) if url.startswith(_BASE) else self._documents.locate(url, self._path, None)
        data = None if path is None else self._documents.read(path)
        assert data is not None, url
        return data


def _accepts(
    files: dict[str, bytes], path: str, cache: Path, generator: ModuleType, trips: ModuleType, examples: int, most: int
) -> int:
    """How many requests zeep read, of `most` operations."""
    document: Any = Document(_BASE + path, _Transport(files, path), settings=Settings(forbid_external=False))  # type: ignore[arg-type]
    form = form_of(path, Workspace(files, cache))
    port = form.ports[0]
    theirs = document.services[port.service].ports[port.name].binding
    operations = Operations(form, port, UTC)
    count = 0

    def one(name: str) -> None:
        plan = operations.plan(name)
        reader = theirs.get(name).input
        schema = plan.operation.input
        if trips.has_mixed(form, plan.form.input):
            schema = generator.without_elements(schema)

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(generator.instances(schema))
        def run(value: Any) -> None:
            nonlocal count
            try:
                envelope = plan.envelope(value, "")
            except BadValue:  # What the schema can't say, such as a decimal's digits.
                return
            reader.deserialize(etree.fromstring(envelope))
            count += 1

        run()

    names = [name for name in operations if "." not in name]  # Overloaded ones share a name there.
    for name in names[:: max(1, len(names) // most)]:
        one(name)
    return count


@pytest.mark.parametrize("examples", [_QUICK, pytest.param(_SLOW, marks=pytest.mark.slow)])
def test_zeep_reads_requests(
    examples: int, strange: ModuleType, rpc: ModuleType, generator: ModuleType, trips: ModuleType, tmp_path: Path
) -> None:
    services = {**strange.SERVICES, **rpc.ENCODED}
    assert services.keys() >= _BEYOND_ZEEP.keys()
    for name in services.keys() - _BEYOND_ZEEP.keys():
        files = {"s.wsdl": services[name].encode()}
        assert _accepts(files, "s.wsdl", tmp_path / name, generator, trips, examples, 20)


@pytest.mark.parametrize("examples", [_QUICK, pytest.param(_SLOW, marks=pytest.mark.slow)])
def test_zeep_reads_requests_to_vendors(
    examples: int, generator: ModuleType, trips: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = os.environ.get("FIGWAY_CORPUS")
    if not folder:
        pytest.skip("FIGWAY_CORPUS isn't set: no vendor WSDLs to try")
    for path in sorted(Path(folder, "wsdl").glob("*.wsdl")):
        files = {path.name: path.read_bytes()}
        most = 4 if examples == _QUICK else 1000
        count = _accepts(files, path.name, tmp_path, generator, trips, examples, most)
        assert count
        if examples == _SLOW:
            with capsys.disabled():
                print(f"\n{path.name}: zeep read {count} requests")


@pytest.mark.slow
def test_zeep_reads_nasty_requests(generator: ModuleType, trips: ModuleType, tmp_path: Path) -> None:
    folders = {folder.name: folder for folder in sorted((Path(__file__).parent / "nasty").iterdir())}
    assert folders.keys() >= _NASTY_BEYOND_ZEEP.keys()
    for name in folders.keys() - _NASTY_BEYOND_ZEEP.keys():
        files = {path.name: path.read_bytes() for path in folders[name].glob("*.*")}
        assert _accepts(files, "service.wsdl", tmp_path / name, generator, trips, _SLOW, 20)
