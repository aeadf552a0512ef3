"""The reader `openapi`: what a modern API says of itself, as far as it takes to put it behind routes that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from adapters.errors import ConfigError
from adapters.http.template import template
from adapters.soap.collect import Allowed, fetched
from gateway.importing.model import CantImport, LeftOut, Request, placed
from gateway.importing.words import words
from gateway.routing.contracts import METHODS
from gateway.routing.paths import resolve
from gateway.routing.report import Report
from gateway.routing.source import parse

_MOST_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Modern:
    """One operation of the API."""

    method: str
    path: str
    operation_id: str
    path_names: tuple[str, ...]
    query: Mapping[str, bool]
    """Query parameter → whether it must be given."""
    body: Any
    """The schema of its JSON body; None: it takes none."""
    reply: Any
    """The schema of its JSON reply; None: it has none."""

    @property
    def name(self) -> str:
        """As the adapter of kind `http` names it."""
        return f"{self.method.upper()} {self.path}"


@dataclass(frozen=True, slots=True)
class Api:
    """A modern API. `root` is its document, in which `$ref`s are looked up."""

    content: bytes
    root: Mapping[str, Any]
    base_url: str
    operations: tuple[Modern, ...]
    left_out: tuple[LeftOut, ...]


def read_api(request: Request) -> Api:
    """The API that an OpenAPI 3 document describes; raises `CantImport`."""
    content = _content(request)
    report = Report()
    document = parse(Path(urlsplit(request.source).path).name or "openapi", content, report)
    if document is None:
        raise CantImport(str(report.sorted()[0]))
    root = document.data
    if not str(root.get("openapi", "")).startswith("3.") or not isinstance(root.get("paths"), dict):
        raise CantImport(f"{request.source} is no OpenAPI 3 document: it needs openapi: 3.… and paths")
    found = list(_operations(root))
    made = tuple(each for each in found if isinstance(each, Modern))
    return Api(
        content, root, _base_url(root, request), made, tuple(each for each in found if isinstance(each, LeftOut))
    )


def _content(request: Request) -> bytes:
    if urlsplit(request.source).scheme in ("http", "https"):
        host = (urlsplit(request.source).hostname or "").lower()
        private = frozenset(each.lower() for each in request.allowed_hosts)
        try:
            return fetched(request.source, Allowed(frozenset({host}) | private, private))
        except ConfigError as error:
            raise CantImport(f"{error.problems[0].message} (--allow-host)") from error
    path = placed(request.source)
    if path.exists() and not path.is_file():
        raise CantImport(f"{request.source} is no file: name an OpenAPI 3 document, or its URL")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CantImport(f"{request.source} can't be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise CantImport(f"{request.source} is larger than {_MOST_BYTES >> 20} MiB")
    return content


def _base_url(root: Mapping[str, Any], request: Request) -> str:
    """Where the API is, if its document says so; else a reference."""
    servers = root.get("servers")
    first = servers[0].get("url") if isinstance(servers, list) and servers and isinstance(servers[0], dict) else None
    if isinstance(first, str) and "{" not in first:
        url = urljoin(request.source, first) if urlsplit(request.source).scheme in ("http", "https") else first
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.netloc and not (parts.query or parts.fragment or parts.username):
            return url.rstrip("/")
    return f"env:{'_'.join(words(request.upstream)).upper()}_URL"


def _operations(root: Mapping[str, Any]) -> Iterator[Modern | LeftOut]:
    for path, item in root["paths"].items():
        for method in METHODS:
            operation = item.get(method) if isinstance(item, dict) else None
            if isinstance(operation, dict):
                yield _operation(root, path, method, item, operation)


def _operation(
    root: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any], operation: Mapping[str, Any]
) -> Modern | LeftOut:
    name = f"{method.upper()} {path}"
    compiled = template(name)
    if compiled is None:
        return LeftOut(name, "its path isn't one that can be called")
    query: dict[str, bool] = {}
    for each in [*_list(item.get("parameters")), *_list(operation.get("parameters"))]:
        parameter = _whole(each, root)
        where, needed = parameter.get("in"), parameter.get("required") is True
        if where == "query":
            query[str(parameter.get("name"))] = needed
        elif where in ("header", "cookie") and needed:
            return LeftOut(name, f"it needs the {where} '{parameter.get('name')}'")
    body = _json(_whole(operation.get("requestBody", {}), root))
    replies: dict[str, Any] = operation.get("responses") or {}
    success: Any = next((each for code, each in replies.items() if code.startswith("2")), {})
    return Modern(
        method=method,
        path=path,
        operation_id=str(operation.get("operationId", "")),
        path_names=compiled.names,
        query=query,
        body=body,
        reply=_json(_whole(success, root)),
    )


def _json(holder: Mapping[str, Any]) -> Any:
    content = holder.get("content")
    for kind, media in content.items() if isinstance(content, dict) else ():
        if "json" in kind and isinstance(media, dict):
            return media.get("schema", {})
    return None


def _whole(value: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(20):
        if not isinstance(value, dict):
            return {}
        if "$ref" not in value:
            return value
        value = resolve(value["$ref"], root)
    return {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
