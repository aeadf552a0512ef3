"""Reads what a WSDL 1.1 says of services, ports, bindings and messages from its raw documents.

Types are another matter: see `complex_types`. A reference that leads nowhere leaves out the operation that needs it;
only a port without a binding makes the whole WSDL unusable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lxml import etree

from adapters.errors import ConfigError, ConfigProblem
from adapters.soap import overloads
from adapters.soap.addressing import action_of
from adapters.soap.resolver import WSDL, Documents, line_of
from adapters.soap.xsd import CannotExpress, place

_SOAP: dict[str, Literal["1.1", "1.2"]] = {
    "{http://schemas.xmlsoap.org/wsdl/soap/}": "1.1",
    "{http://schemas.xmlsoap.org/wsdl/soap12/}": "1.2",
}
_MIME = "{http://schemas.xmlsoap.org/wsdl/mime/}"
_SECURITY = frozenset({"security", "wsse"})
"""Header parts that the gateway fills by itself, from an upstream's credentials."""


@dataclass(frozen=True, slots=True)
class Part:
    """A message part: a name and either a global element or a type, as "{namespace}local"."""

    name: str
    element: str | None
    type: str | None


@dataclass(frozen=True, slots=True)
class Header:
    """A header block that a binding names."""

    part: Part
    required: bool


@dataclass(frozen=True, slots=True)
class LoadedMessage:
    """One direction of an operation: the body's parts, `use`, the rpc namespace, header blocks, and the names of the
    parts that travel as MIME attachments."""

    parts: tuple[Part, ...]
    use: str
    namespace: str
    headers: tuple[Header, ...] = ()
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedOperation:
    """One operation of a binding. `problem`: why its messages can't be told, in words that complete "it uses …"."""

    name: str
    wire: str
    """Its name in the WSDL, which overloaded operations share."""
    action: str
    rpc: bool
    input: LoadedMessage
    output: LoadedMessage | None
    faults: tuple[tuple[str, Part], ...]
    documentation: str
    addressed: str
    """The action of WS-Addressing."""
    place: str
    """`file:line` where the binding names it."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LoadedPort:
    """One SOAP port of a service."""

    service: str
    name: str
    soap: Literal["1.1", "1.2"]
    address: str
    operations: tuple[LoadedOperation, ...]


def load_ports(documents: Documents) -> tuple[LoadedPort, ...]:
    """All SOAP ports of the WSDL that `documents` walked, in its order; raises `ConfigError`."""
    return tuple(_Reader(documents).ports())


@dataclass(frozen=True, slots=True)
class _Node:
    """A node with the target namespace and the file of the document that it stands in."""

    node: etree._Element
    namespace: str
    path: str


@dataclass
class _Reader:
    documents: Documents
    _nodes: dict[tuple[str, str], _Node] = field(default_factory=dict)
    _abstracts: dict[etree._Element, dict[str, list[etree._Element]]] = field(default_factory=dict)
    """The operations of each portType by name."""

    def __post_init__(self) -> None:
        for path, root in self.documents.definitions:
            namespace = root.get("targetNamespace", "").strip()
            for kind in ("message", "portType", "binding"):
                for node in root.iterfind(WSDL + kind):
                    key = f"{{{namespace}}}{node.get('name', '').strip()}"
                    self._nodes.setdefault((kind, key), _Node(node, namespace, path))

    def ports(self) -> Iterator[LoadedPort]:
        for path, root in self.documents.definitions:
            for service in root.iterfind(WSDL + "service"):
                for port in service.iterfind(WSDL + "port"):
                    yield from self._port(service.get("name", ""), port, path)

    def _port(self, service: str, port: etree._Element, path: str) -> Iterator[LoadedPort]:
        binding = self._find("binding", port, "binding")
        if binding is None:
            raise _problem(f"port '{port.get('name')}' names a binding that isn't there", port, path)
        said = _soap_child(binding.node, "binding")
        if said is None:
            return  # An HTTP GET or POST binding.
        port_type = self._find("portType", binding.node, "type")
        if port_type is None:
            message = f"binding '{binding.node.get('name')}' names a portType that isn't there"
            raise _problem(message, binding.node, binding.path)
        address = _soap_child(port, "address")
        operations = tuple(self._operations(binding, port_type, said.get("style", "document")))
        location = "" if address is None else address.get("location", "").strip()
        version = _SOAP[str(said.tag).rpartition("}")[0] + "}"]
        yield LoadedPort(service, port.get("name", ""), version, location, operations)

    def _find(self, kind: str, node: etree._Element, attribute: str) -> _Node | None:
        """The `kind` that `attribute` of `node` names; by its local name alone where that leaves no doubt."""
        text = node.get(attribute, "").strip()
        prefix, _, name = text.rpartition(":")
        found = self._nodes.get((kind, f"{{{node.nsmap.get(prefix or None) or ''}}}{name}"))
        if found is not None or prefix:
            return found
        alike = [each for (one, key), each in self._nodes.items() if one == kind and key.endswith("}" + name)]
        return alike[0] if name and len(alike) == 1 else None

    def _operations(self, binding: _Node, port_type: _Node, style: str) -> Iterator[LoadedOperation]:
        nodes = list(binding.node.iterfind(WSDL + "operation"))
        count = Counter(node.get("name", "") for node in nodes)
        seen: Counter[str] = Counter()
        for node in nodes:
            name = node.get("name", "").strip()
            abstract = overloads.meant(self._named(port_type.node).get(name, []), node, overloaded=count[name] > 1)
            seen[name] += 1
            shown = name if seen[name] == 1 else overloads.name_of(name, node, seen[name])
            yield self._operation(shown, node, abstract, binding, style, port_type)

    def _named(self, port_type: etree._Element) -> dict[str, list[etree._Element]]:
        found = self._abstracts.get(port_type)
        if found is None:
            found = self._abstracts[port_type] = {}
            for each in port_type.iterfind(WSDL + "operation"):
                found.setdefault(each.get("name", "").strip(), []).append(each)
        return found

    def _operation(
        self,
        name: str,
        node: etree._Element,
        known: etree._Element | None,
        binding: _Node,
        style: str,
        port_type: _Node,
    ) -> LoadedOperation:
        soap = _soap_child(node, "operation")
        said = etree.Element("none") if soap is None else soap
        abstract = node if known is None else known
        problem, output = "", None
        input = LoadedMessage((), "literal", binding.namespace)
        try:
            if known is None:
                raise CannotExpress("an operation of the binding that isn't in the portType")
            input = self._message(known, node, "input", binding.namespace)
            if known.find(WSDL + "output") is not None:
                output = self._message(known, node, "output", binding.namespace)
        except CannotExpress as error:
            problem = str(error)
        text = abstract.findtext(WSDL + "documentation", "") or node.findtext(WSDL + "documentation", "")
        return LoadedOperation(
            name=name,
            wire=node.get("name", "").strip(),
            action=said.get("soapAction", ""),
            rpc=said.get("style", style) == "rpc",
            input=input,
            output=output,
            faults=tuple(self._faults(abstract)),
            documentation=" ".join(text.split()),
            addressed=action_of(
                abstract, said.get("soapAction", ""), port_type.namespace, port_type.node.get("name", "")
            ),
            place=place(binding.path, node),
            problem=problem,
        )

    def _message(self, abstract: etree._Element, node: etree._Element, direction: str, namespace: str) -> LoadedMessage:
        said = abstract.find(WSDL + direction)
        if said is None:
            raise CannotExpress("a message of the service's own accord: it has no input")
        message = self._find("message", said, "message")
        if message is None:
            raise CannotExpress(f"an {direction} message that isn't defined")
        bound = node.find(WSDL + direction)
        body = None if bound is None else _soap_child(bound, "body", deep=True)
        headers = [] if bound is None else list(_soap_headers(bound))
        attachments = [] if bound is None else [each.get("part", "") for each in bound.iter(_MIME + "content")]
        within = {each.get("part", "") for each in headers if self._find("message", each, "message") == message}
        parts = [_part(each) for each in message.node.iterfind(WSDL + "part")]
        named = None if body is None else body.get("parts")
        if named is not None:
            parts = [part for part in parts if part.name in named.split()]
        else:
            parts = [part for part in parts if part.name not in within]
        return LoadedMessage(
            parts=tuple(part for part in parts if part.name not in attachments),
            use="literal" if body is None else body.get("use", "literal"),
            namespace=namespace if body is None else body.get("namespace", namespace),
            headers=tuple(self._headers(headers)),
            attachments=tuple(dict.fromkeys(attachments)),
        )

    def _headers(self, nodes: list[etree._Element]) -> Iterator[Header]:
        for node in nodes:
            message = self._find("message", node, "message")
            parts = () if message is None else message.node.iterfind(WSDL + "part")
            found = next((each for each in parts if each.get("name") == node.get("part")), None)
            if found is None:
                raise CannotExpress(f"the SOAP header '{node.get('part')}', which isn't defined")
            if found.get("name", "").lower() not in _SECURITY:
                yield Header(_part(found), node.get(WSDL + "required") in ("true", "1"))

    def _faults(self, abstract: etree._Element) -> Iterator[tuple[str, Part]]:
        for node in abstract.iterfind(WSDL + "fault"):
            message = self._find("message", node, "message")
            for part in () if message is None else message.node.iterfind(WSDL + "part"):
                try:
                    yield node.get("name", "") or part.get("name", ""), _part(part)
                except CannotExpress:
                    continue  # Such a fault is still a fault: only its detail stays untyped.


def _part(node: etree._Element) -> Part:
    element, kind = node.get("element"), node.get("type")
    if element is None and kind is None:
        raise CannotExpress(f"part '{node.get('name')}', which names neither an element nor a type")
    return Part(
        node.get("name", "").strip(),
        None if element is None else _qname(element, node),
        None if kind is None or element is not None else _qname(kind, node),
    )


def _qname(text: str, node: etree._Element) -> str:
    prefix, _, name = text.strip().rpartition(":")
    namespace = node.nsmap.get(prefix or None)
    if prefix and namespace is None:
        raise CannotExpress(f"the undeclared prefix '{prefix}'")
    return f"{{{namespace or ''}}}{name}"


def _soap_child(node: etree._Element, name: str, *, deep: bool = False) -> etree._Element | None:
    """The child of `node` in one of SOAP's two namespaces."""
    steps = "//" if deep else "/"
    found = (node.find(f".{steps}{namespace}{name}") for namespace in _SOAP)
    return next((each for each in found if each is not None), None)


def _soap_headers(node: etree._Element) -> Iterator[etree._Element]:
    for namespace in _SOAP:
        yield from node.iter(namespace + "header")


def _problem(message: str, node: etree._Element, path: str) -> ConfigError:
    return ConfigError([ConfigProblem(f"the WSDL can't be used: {message}", "/wsdl", path, line_of(node))])
