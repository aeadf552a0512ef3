"""An index of raw XML Schema 1.0 (parts 1 and 2): components by kind and qualified name, and the reading of what stands
in their nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from adapters.soap.form import BUILTIN
from adapters.soap.redefine import OLD
from adapters.soap.resolver import CATALOGUE, XML_NAMESPACE, XSD, Documents, SchemaSource, line_of

ENCODINGS = ("http://schemas.xmlsoap.org/soap/encoding/", "http://www.w3.org/2003/05/soap-encoding")
"""The namespaces of SOAP encoding, 1.1 and 1.2, whose simple types are those of XML Schema with an id."""
_ENCODED = {"base64": "base64Binary", "Struct": "anyType"}
_NOT_SIMPLE = frozenset({"Array", "arrayCoordinate"})

_KINDS = ("element", "complexType", "simpleType", "group", "attributeGroup", "attribute")
_DOCUMENTATION_CHARACTERS = 2000


class CannotExpress(Exception):
    """A construct that the form has no words for. The text says which, completes "… uses", and ends with the place:
    file and line of what is nearest to it."""

    def __init__(self, construct: str, place: str = "") -> None:
        super().__init__(construct)
        self._construct, self._place = construct, place

    def at(self, place: str) -> CannotExpress:
        """The same, found at `place` where no nearer one is known."""
        return CannotExpress(self._construct, self._place or place)

    def __str__(self) -> str:
        return f"{self._construct} ({self._place})" if self._place else self._construct


def place(path: str, node: etree._Element) -> str:
    """`file:line` of a node, the line left out where it isn't known."""
    line = line_of(node)
    return path if line is None else f"{path}:{line}"


@dataclass(frozen=True, slots=True)
class Component:
    """A global component: its node and the schema that it stands in."""

    node: etree._Element
    source: SchemaSource


class Schemas:
    """The components of all schemas of a WSDL."""

    def __init__(self, sources: Iterable[SchemaSource]) -> None:
        self._components: dict[tuple[str, str], Component] = {}
        self.substitutes: dict[str, list[str]] = defaultdict(list)
        """Qualified name of a head element → those that may stand in for it directly."""
        self.derived: dict[str, list[str]] = defaultdict(list)
        """Key of a base type → keys of the named types derived from it directly."""
        for source in sources:
            for node in children(source.root):
                self._add(Component(node, source))

    def find(self, kind: str, name: str) -> Component | None:
        """The component of `kind` called `name` ("{namespace}local")."""
        return self._components.get((kind, name))

    def get(self, kind: str, name: str) -> Component:
        """Like `find`, but raises `CannotExpress` when there is none."""
        found = self.find(kind, name)
        if found is None:
            raise CannotExpress(f"{kind} {name}, which isn't defined")
        return found

    def type(self, name: str) -> Component:
        """The simple or complex type called `name`; raises `CannotExpress`."""
        return self.find("complexType", name) or self.get("simpleType", name)

    def descendants(self, table: Mapping[str, list[str]], key: str) -> Iterator[str]:
        """What stands below `key` in `substitutes` or `derived`, near and far, each once."""
        seen = {key}
        waiting = [key]
        while waiting:
            near = [each for each in table.get(waiting.pop(), ()) if each not in seen]
            seen.update(near)
            waiting.extend(near)
            yield from (each for each in near if not each.endswith(OLD))

    def _add(self, component: Component) -> None:
        kind = local(component.node)
        name = component.node.get("name")
        if kind not in _KINDS or name is None:
            return
        key = f"{{{component.source.namespace}}}{name}"
        if (kind, key) in self._components:
            return
        self._components[kind, key] = component
        head = component.node.get("substitutionGroup")
        if kind == "element" and head is not None:
            self.substitutes[qualified(head, component.node, component.source)].append(key)
        if kind == "complexType":
            for base in _bases(component):
                self.derived[base].append(key)


def schemas_of(documents: Documents) -> Schemas:
    """The index of `documents`, with the catalogue's schemas behind their own."""
    known = {source.namespace for source in documents.schemas}
    extra = Documents({}, "")
    for namespace in CATALOGUE:
        if namespace not in known:
            extra.add_catalogue(namespace)
    return Schemas([*documents.schemas, *extra.schemas])


def local(node: etree._Element) -> str:
    """The local name of a node."""
    return str(node.tag).rpartition("}")[2]


def children(node: etree._Element) -> Iterator[etree._Element]:
    """The child elements that belong to XML Schema, annotations left out."""
    for child in node:
        if isinstance(child.tag, str) and child.tag.startswith(XSD) and child.tag != XSD + "annotation":
            yield child


def child(node: etree._Element, *names: str) -> etree._Element | None:
    """The first child that has one of these local names."""
    return next((each for each in children(node) if local(each) in names), None)


def qualified(text: str, node: etree._Element, source: SchemaSource) -> str:
    """The QName `text` written at `node`, as "{namespace}local", or "xsd:local" for XML Schema's own."""
    prefix, _, name = text.strip().rpartition(":")
    namespace = XML_NAMESPACE if prefix == "xml" else node.nsmap.get(prefix or None)
    if namespace is None:
        if prefix:
            raise CannotExpress(f"the undeclared prefix '{prefix}'")
        # A schema included from another namespace speaks in that one (a "chameleon", part 1, section 4.2.1).
        namespace = "" if source.root.get("targetNamespace") else source.namespace
    return BUILTIN + name if f"{{{namespace}}}" == XSD else f"{{{namespace}}}{name}"


def type_key(text: str, node: etree._Element, source: SchemaSource) -> str:
    """The key of the type that the QName `text` names; SOAP encoding's simple types are XML Schema's."""
    return plain_type(qualified(text, node, source))


def plain_type(key: str) -> str:
    """`key`, or the built-in that a simple type of SOAP encoding stands for."""
    namespace, _, name = key[1:].rpartition("}")
    if namespace in ENCODINGS and name not in _NOT_SIMPLE:
        return BUILTIN + _ENCODED.get(name, name)
    return key


def documentation(node: etree._Element) -> str:
    """The node's annotation, white space collapsed and bounded; "" when it has none."""
    texts = [
        " ".join("".join(map(str, each.itertext())).split())
        for each in node.iterfind(f"{XSD}annotation/{XSD}documentation")
    ]
    return " ".join(text for text in texts if text)[:_DOCUMENTATION_CHARACTERS]


def occurs(node: etree._Element) -> tuple[int, int | None]:
    """minOccurs and maxOccurs; None is unbounded."""
    least, most = node.get("minOccurs", "1").strip(), node.get("maxOccurs", "1").strip()
    for text in (least, most):
        if text != "unbounded" and not (text.isascii() and text.isdigit()):
            raise CannotExpress(f"'{text[:40]}' as a number of occurrences")
    return int(least) if least != "unbounded" else 0, None if most == "unbounded" else int(most)


def flag(node: etree._Element, name: str) -> bool:
    """A boolean attribute, false when absent."""
    return node.get(name, "false").strip() in ("true", "1")


def _bases(component: Component) -> Iterator[str]:
    content = child(component.node, "complexContent", "simpleContent")
    derivation = None if content is None else child(content, "extension", "restriction")
    base = None if derivation is None else derivation.get("base")
    if derivation is not None and base is not None:
        yield type_key(base, derivation, component.source)
