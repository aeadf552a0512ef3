"""OpenAPI 3.1 contracts (https://spec.openapis.org/oas/v3.1.1.html), read and checked: what is exposed, and where.

Only what the gateway carries out is accepted; what it would pass over in silence is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.routing.lint_words import check_words
from gateway.routing.report import Document, Place, Report
from gateway.routing.schema import OPERATION_ID
from gateway.routing.source import parse
from gateway.routing.toolsets_schema import CALL, DESCRIBE, SEARCH

METHODS = ("get", "put", "post", "delete", "patch")
_DOCUMENT = {"openapi", "info", "servers", "paths", "components", "tags", "externalDocs", "jsonSchemaDialect"}
_DOCUMENT |= {"security"}
_COMPONENTS = {"schemas", "responses", "parameters", "examples", "requestBodies", "headers", "securitySchemes"}
_PATH_ITEM = {"summary", "description", "parameters", "servers", *METHODS}
_OPERATION = {"tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody"}
_OPERATION |= {"responses", "deprecated", "security"}
_OWN = re.compile(r"/(-|docs|mcp|openapi\.json|redoc|\.well-known)(/|$)")
_SEGMENT = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}|[^{}/?#]+")


@dataclass(frozen=True, slots=True)
class Exposed:
    """One operation of a contract, before it is compiled."""

    document: Document
    place: Place
    path: str
    method: str
    operation_id: str
    data: Mapping[str, Any]
    item: Mapping[str, Any]
    """The path item around it."""

    @property
    def template_names(self) -> tuple[str, ...]:
        """The parameters of the path's template."""
        return tuple(re.findall(r"\{([^{}]*)\}", self.path))


def contract_files(files: Mapping[str, bytes]) -> list[str]:
    """The workspace's contracts: the YAML and JSON files right under `openapi/`."""
    return sorted(name for name in files if re.fullmatch(r"openapi/[^/]+\.(ya?ml|json)", name))


def read_contracts(files: Mapping[str, bytes], report: Report) -> list[Document]:
    """Every contract that can be read."""
    documents = [parse(name, files[name], report) for name in contract_files(files)]
    kept = [document for document in documents if document is not None]
    for document in kept:
        _check_document(document, report)
    check_words(kept, report)
    return kept


def exposed(documents: list[Document], report: Report) -> list[Exposed]:
    """The operations of all contracts; those that share an operationId or a route are findings."""
    found = [each for document in documents for each in _of_document(document, report)]
    _check_twice(found, report)
    return found


def _check_document(document: Document, report: Report) -> None:
    version = document.data.get("openapi")
    if not isinstance(version, str) or not re.fullmatch(r"3\.1\.\d+", version):
        report.add(document, ("openapi",), "a contract is OpenAPI 3.1: say openapi: 3.1.0")
    info = document.data.get("info")
    if not isinstance(info, dict) or not {"title", "version"} <= set(info):
        report.add(document, ("info",), "info with title and version is missing: OpenAPI requires it")
    _known(document, (), document.data, _DOCUMENT, report)
    components = document.data.get("components", {})
    if isinstance(components, dict):
        _known(document, ("components",), components, _COMPONENTS, report)
    else:
        report.add(document, ("components",), "components must be a mapping")


def _known(document: Document, place: Place, value: Mapping[str, Any], keys: set[str], report: Report) -> None:
    for key in value:
        if key not in keys and not key.startswith("x-"):
            report.add(document, (*place, key), f"unknown key: here may stand {', '.join(sorted(keys))}")


def _of_document(document: Document, report: Report) -> Iterator[Exposed]:
    paths = document.data.get("paths", {})
    if not isinstance(paths, dict):
        report.add(document, ("paths",), "paths must be a mapping of path templates")
        return
    for path, item in paths.items():
        place = ("paths", path)
        if path.startswith("x-"):
            continue
        if not isinstance(item, dict):
            report.add(document, place, "a path must be a mapping of methods to operations")
            continue
        _known(document, place, item, _PATH_ITEM, report)
        _check_template(document, place, path, report)
        for method in METHODS:
            if method in item:
                operation = _operation(document, (*place, method), path, method, item, report)
                if operation is not None:
                    yield operation


def _check_template(document: Document, place: Place, path: str, report: Report) -> None:
    if not path.startswith("/"):
        report.add(document, place, "a path starts with '/'")
        return
    if _OWN.match(path):
        report.add(document, place, "the gateway keeps /-/, /docs, /mcp, /openapi.json and /.well-known/ for itself")
    segments = path[1:].split("/")
    if path != "/" and not all(_SEGMENT.fullmatch(segment) for segment in segments):
        report.add(document, place, "each segment of a path is a plain text or one {parameter}, and none is empty")
    names = [segment for segment in segments if segment.startswith("{")]
    if len(names) != len(set(names)):
        report.add(document, place, "a parameter stands twice in the path: give each a name of its own")


def _operation(
    document: Document, place: Place, path: str, method: str, item: Mapping[str, Any], report: Report
) -> Exposed | None:
    data = item[method]
    if not isinstance(data, dict):
        report.add(document, place, "an operation must be a mapping")
        return None
    _known(document, place, data, _OPERATION, report)
    for key in data:
        if key.startswith("x-g") and key != "x-gateway":
            report.add(document, (*place, key), "unknown key: did you mean x-gateway?")
    operation_id = data.get("operationId")
    if not isinstance(operation_id, str) or not re.fullmatch(OPERATION_ID, operation_id):
        sentence = "an operation needs an operationId of a-z, 0-9 and _ (at most 64): it is the tool's name for agents"
        report.add(document, (*place, "operationId"), sentence)
        return None
    if operation_id in (SEARCH, DESCRIBE, CALL):
        sentence = f"'{operation_id}' is how agents come to tools where there are many: choose another operationId"
        report.add(document, (*place, "operationId"), sentence)
        return None
    return Exposed(document, place, path, method.upper(), operation_id, data, item)


def _check_twice(operations: list[Exposed], report: Report) -> None:
    names: dict[str, Exposed] = {}
    routes: dict[tuple[str, str], Exposed] = {}
    for each in operations:
        first = names.setdefault(each.operation_id, each)
        if first is not each:
            sentence = f"the operationId '{each.operation_id}' is taken by {_where(first)}: choose another"
            report.add(each.document, (*each.place, "operationId"), sentence)
        shape = re.sub(r"\{[^{}]*\}", "{}", each.path)
        same = routes.setdefault((each.method, shape), each)
        if same is not each:
            sentence = f"{each.method} {each.path} is the same route as {same.path} in {_where(same)}: remove one"
            report.add(each.document, each.place, sentence)


def _where(operation: Exposed) -> str:
    return f"{operation.document.file}:{operation.document.line(operation.place)}"
