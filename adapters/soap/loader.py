"""Loads a WSDL with zeep: its services, ports, bindings and messages. The only module that imports zeep.

zeep reads through our resolver alone. What it drops (use, body parts, headers, documentation) comes from the raw
binding nodes. Types are not taken from zeep at all: see `complex_types`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, unquote

import zeep.exceptions
from lxml import etree
from zeep.settings import Settings
from zeep.wsdl import Document
from zeep.wsdl.bindings import Soap11Binding, Soap12Binding

from adapters.errors import ConfigError, ConfigProblem
from adapters.soap.resolver import WSDL, Documents

# zeep wants absolute addresses to resolve relative imports; this one can't be reached (RFC 2606).
_BASE = "https://workspace.invalid/"
_SOAP = {"1.1": "{http://schemas.xmlsoap.org/wsdl/soap/}", "1.2": "{http://schemas.xmlsoap.org/wsdl/soap12/}"}


@dataclass(frozen=True, slots=True)
class Part:
    """A message part: a name and either a global element or a type, as "{namespace}local"."""

    name: str
    element: str | None
    type: str | None


@dataclass(frozen=True, slots=True)
class LoadedMessage:
    """The body of one direction: its parts, `use`, the rpc namespace, and the header parts that it names."""

    parts: tuple[Part, ...]
    use: str
    namespace: str
    headers: tuple[str, ...]
    multipart: bool


@dataclass(frozen=True, slots=True)
class LoadedOperation:
    """One operation of a binding."""

    name: str
    action: str
    rpc: bool
    input: LoadedMessage
    output: LoadedMessage | None
    faults: tuple[tuple[str, Part], ...]
    documentation: str


@dataclass(frozen=True, slots=True)
class LoadedPort:
    """One SOAP port of a service."""

    service: str
    name: str
    soap: Literal["1.1", "1.2"]
    address: str
    operations: tuple[LoadedOperation, ...]


# What zeep raises on documents that break the rules, beside errors of its own.
_ZEEP_ERRORS = (
    zeep.exceptions.Error,
    etree.LxmlError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


def load_ports(documents: Documents) -> tuple[LoadedPort, ...]:
    """All SOAP ports of the WSDL that `documents` walked, in its order; raises `ConfigError`."""
    try:
        # zeep's annotation asks for the class where it uses an instance.
        document = Document(_address(documents.path), _Transport(documents), settings=_settings())  # type: ignore[arg-type]
        raw = _Raw(documents)
        return tuple(
            _port(service.name, port, raw)
            for service in document.services.values()
            for port in service.ports.values()
            if isinstance(port.binding, (Soap11Binding, Soap12Binding))
        )
    except _ZEEP_ERRORS as error:
        raise ConfigError([_problem(error, documents.path)]) from error


def _settings() -> Settings:
    # `forbid_external` would refuse our own made-up addresses; the transport is what keeps zeep offline.
    return Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=False, force_https=False)


def _address(path: str) -> str:
    return _BASE + quote(path)


class _Transport:
    """The one thing that zeep reads through."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def load(self, url: str) -> bytes:
        path: str | None = unquote(url.removeprefix(_BASE)) if url.startswith(_BASE) else None
        if path is None:
            path = self._documents.locate(url, self._documents.path, None)
        data = None if path is None else self._documents.read(path)
        if data is None:
            raise LookupError(f"'{unquote(url.removeprefix(_BASE))}' isn't in the workspace")
        return data


class _Raw:
    """The raw nodes of bindings and port types, by name."""

    def __init__(self, documents: Documents) -> None:
        self._nodes: dict[tuple[str, str], etree._Element] = {}
        for _, root in documents.definitions:
            namespace = root.get("targetNamespace", "")
            for kind in ("binding", "portType", "message"):
                for node in root.iterfind(WSDL + kind):
                    self._nodes[kind, f"{{{namespace}}}{node.get('name')}"] = node

    def operation(self, kind: str, owner: str, name: str) -> etree._Element | None:
        """The operation node in the binding or port type `owner`."""
        node = self._nodes.get((kind, owner))
        if node is None:
            return None
        return next((each for each in node.iterfind(WSDL + "operation") if each.get("name") == name), None)

    def namespace(self, owner: str) -> str:
        """The target namespace of the document that defines binding `owner`."""
        return etree.QName(owner).namespace or ""


def _port(service: str, port: Any, raw: _Raw) -> LoadedPort:
    soap: Literal["1.1", "1.2"] = "1.2" if isinstance(port.binding, Soap12Binding) else "1.1"
    operations = tuple(_operations(port.binding, soap, raw))
    return LoadedPort(service, port.name, soap, ((port.binding_options or {}).get("address") or "").strip(), operations)


def _operations(binding: Any, soap: str, raw: _Raw) -> Iterator[LoadedOperation]:
    for operation in binding.all().values():
        node = raw.operation("binding", binding.name.text, operation.name)
        abstract = operation.abstract
        if node is None or abstract.input_message is None:
            continue
        port_type = raw.operation("portType", binding.port_name.text, operation.name)
        text = "" if port_type is None else port_type.findtext(WSDL + "documentation", "")
        namespace = raw.namespace(binding.name.text)
        yield LoadedOperation(
            name=operation.name,
            action=operation.soapaction or "",
            rpc=operation.style == "rpc",
            input=_message(abstract.input_message, node.find(WSDL + "input"), soap, namespace),
            output=_message(abstract.output_message, node.find(WSDL + "output"), soap, namespace)
            if abstract.output_message is not None
            else None,
            faults=tuple(_faults(abstract)),
            documentation=" ".join(text.split()),
        )


def _message(abstract: Any, node: etree._Element | None, soap: str, namespace: str) -> LoadedMessage:
    parts = tuple(_part(name, part) for name, part in abstract.parts.items())
    body = None if node is None else node.find(_SOAP[soap] + "body")
    headers = () if node is None else tuple(node.iterfind(_SOAP[soap] + "header"))
    multipart = node is not None and body is None and len(node) > 0 and not headers
    header_parts = {
        each.get("part", "") for each in headers if _local(each.get("message", "")) == abstract.name.localname
    }
    named = None if body is None else body.get("parts")
    chosen = [part for part in parts if part.name not in header_parts]
    if named is not None:
        chosen = [part for part in parts if part.name in named.split()]
    return LoadedMessage(
        parts=tuple(chosen),
        use="literal" if body is None else body.get("use", "literal"),
        namespace=namespace if body is None else body.get("namespace", namespace),
        headers=tuple(each.get("part", "") for each in headers),
        multipart=multipart,
    )


def _part(name: str, part: Any) -> Part:
    if part.element is not None:
        return Part(name, part.element.qname.text, None)
    kind = part.type
    qname = getattr(kind, "qname", None) or getattr(kind, "_default_qname", None)
    return Part(name, None, None if qname is None else qname.text)


def _faults(abstract: Any) -> Iterator[tuple[str, Part]]:
    for name, message in abstract.fault_messages.items():
        for part_name, part in message.parts.items():
            yield name or part_name or "", _part(part_name, part)


def _local(text: str) -> str:
    return text.rpartition(":")[2]


def _problem(error: BaseException, path: str) -> ConfigProblem:
    text = " ".join(str(error).replace(_BASE, "").split())[:300]
    if not isinstance(error, (zeep.exceptions.Error, LookupError)):
        text = f"it breaks the rules of WSDL or XML Schema ({text or type(error).__name__})"
    file = getattr(error, "filename", None)
    named = unquote(str(file).removeprefix(_BASE)) if file else path
    return ConfigProblem(f"the WSDL can't be used: {text}", "/wsdl", named, getattr(error, "sourceline", None))
