"""The one strict resolver: finds what a WSDL is made of, in the workspace's files and the offline catalogue only.

No network, no `file:` addresses, no path out of the workspace, no DTD and no entities. An import by `http:` address is
served from the catalogue by its namespace, or by a file of the same name beside the document that imports it.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from typing import cast
from urllib.parse import unquote, urlsplit

from lxml import etree

from adapters.errors import ConfigProblem
from adapters.soap.redefine import XSD as XSD
from adapters.soap.redefine import redefined

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"

# Standard schemas that documents import by address or by namespace alone.
CATALOGUE: Mapping[str, str] = {
    XML_NAMESPACE: "xml.xsd",
    "http://schemas.xmlsoap.org/soap/encoding/": "soap-encoding.xsd",
    "http://schemas.xmlsoap.org/soap/envelope/": "soap-envelope-1.1.xsd",
    "http://www.w3.org/2003/05/soap-envelope": "soap-envelope-1.2.xsd",
    "http://schemas.xmlsoap.org/wsdl/": "wsdl.xsd",
    "http://www.w3.org/2005/05/xmlmime": "xmlmime.xsd",
    "http://www.w3.org/2004/08/xop/include": "xop-include.xsd",
    "http://ws-i.org/profiles/basic/1.1/xsd": "swaref.xsd",
    "http://www.w3.org/2005/08/addressing": "ws-addressing.xsd",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing": "ws-addressing-2004.xsd",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd": "wss-secext.xsd",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd": "wss-utility.xsd",
    "http://www.w3.org/2000/09/xmldsig#": "xmldsig.xsd",
    "http://www.w3.org/1999/xlink": "xlink.xsd",
    "http://schemas.microsoft.com/2003/10/Serialization/": "ms-serialization.xsd",
    "http://schemas.microsoft.com/2003/10/Serialization/Arrays": "ms-arrays.xsd",
}
_CATALOGUE_PATH = "catalogue:"
_MOST_DOCUMENTS = 2000
_DEEPEST = 100
"""Documents that one WSDL may reach, and how far they may import each other in a chain."""


class Unreadable(Exception):
    """A document that can't be used: `message` says why, `line` where (1-based)."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def parse_document(data: bytes) -> etree._Element:
    """The root of an XML document without DTD; raises `Unreadable`."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"it isn't well-formed XML: {error.msg}", error.lineno) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("it has a document type declaration, which is refused", 1)
    return root


@dataclass(frozen=True, slots=True)
class SchemaSource:
    """One `xsd:schema` node with the namespace that it fills and the file that it stands in."""

    path: str
    root: etree._Element
    namespace: str


@dataclass
class Documents:
    """All documents that the WSDL at `path` reaches. Problems are collected, not raised."""

    files: Mapping[str, bytes]
    path: str
    definitions: list[tuple[str, etree._Element]] = field(default_factory=list)
    schemas: list[SchemaSource] = field(default_factory=list)
    problems: list[ConfigProblem] = field(default_factory=list)
    consulted: dict[str, str | None] = field(default_factory=dict)
    """Path → SHA-256 of each workspace file that was looked for; None: it wasn't there."""
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _missing: list[tuple[str, ConfigProblem]] = field(default_factory=list)
    """Namespace → what is wrong when no document fills it."""
    _depth: int = 0

    def walk(self) -> None:
        """Reads the WSDL and all that it imports and includes."""
        if self.read(self.path) is None:
            self._problem(f"there is no WSDL '{self.path}' in the workspace", None, None)
            return
        self._definitions(self.path)
        filled = {source.namespace for source in self.schemas}
        self.problems += [problem for namespace, problem in self._missing if namespace not in filled]

    def add_catalogue(self, namespace: str) -> None:
        """Adds the catalogue's schema of `namespace`."""
        path = _CATALOGUE_PATH + CATALOGUE[namespace]
        root = self._parse(path)
        if root is not None:
            self._schema(SchemaSource(path, root, namespace))

    def locate(self, location: str, base: str, namespace: str | None) -> str | None:
        """The path that `location`, written in document `base`, stands for; None when it isn't there."""
        scheme = urlsplit(location).scheme
        for key in (namespace, location, location.rstrip("/") + "/"):
            if key is not None and (scheme or not location) and key in CATALOGUE:
                return _CATALOGUE_PATH + CATALOGUE[key]
        beside = self._beside(location, base)
        standard = CATALOGUE.get(namespace or "")
        return _CATALOGUE_PATH + standard if beside is None and standard is not None else beside

    def _beside(self, location: str, base: str) -> str | None:
        """The path of the workspace's file that `location`, written in document `base`, stands for."""
        scheme = urlsplit(location).scheme
        if location.endswith("/2001/xml.xsd"):
            return _CATALOGUE_PATH + CATALOGUE[XML_NAMESPACE]
        if scheme in ("http", "https"):
            location = posixpath.basename(urlsplit(location).path)
        elif scheme or not location:
            return None
        folder = posixpath.dirname(base)
        path = posixpath.normpath(posixpath.join(folder, unquote(location)))
        return path if self.read(path) is not None else None

    def read(self, path: str) -> bytes | None:
        """The bytes of a workspace file or a catalogue entry; None when there is no such file."""
        if path.startswith(_CATALOGUE_PATH):
            name = path.removeprefix(_CATALOGUE_PATH)
            return package_files("adapters.soap").joinpath("catalogue", name).read_bytes()
        data = self.files.get(path)
        self.consulted[path] = None if data is None else hashlib.sha256(data).hexdigest()
        return data

    def _parse(self, path: str) -> etree._Element | None:
        data = self.read(path)
        if data is None:
            return None
        try:
            return parse_document(data)
        except Unreadable as error:
            self._problem(f"'{path}' can't be read: {error.message}", path, error.line)
            return None

    def _enter(self, path: str, namespace: str) -> bool:
        """Whether the document at `path` is to be read now: not yet seen, and within bounds."""
        if (path, namespace) in self._seen:
            return False
        self._seen.add((path, namespace))
        if len(self._seen) > _MOST_DOCUMENTS or self._depth >= _DEEPEST:
            self._problem("the WSDL imports too many documents, or in too long a chain", path, None)
            return False
        return True

    def _definitions(self, path: str) -> None:
        if not self._enter(path, ""):
            return
        root = self._parse(path)
        if root is None:
            return
        self._depth += 1
        if root.tag == XSD + "schema":
            self._schema(SchemaSource(path, root, root.get("targetNamespace", "")))
        elif root.tag == WSDL + "definitions":
            self._wsdl(path, root)
        else:
            self._problem(f"'{path}' is not a WSDL 1.1 document: its root is {root.tag}", path, line_of(root))
        self._depth -= 1

    def _wsdl(self, path: str, root: etree._Element) -> None:
        self.definitions.append((path, root))
        for node in root.iterfind(WSDL + "import"):
            found = self._target(node, path, node.get("location"))
            if found is not None:
                self._definitions(found)
        for schema in root.iterfind(f"{WSDL}types/{XSD}schema"):
            self._schema(SchemaSource(path, schema, schema.get("targetNamespace", "")))

    def _schema(self, source: SchemaSource) -> None:
        self.schemas.append(source)
        for node in list(source.root):
            if node.tag == XSD + "import":
                self._import(node, source)
            elif node.tag in (XSD + "include", XSD + "redefine"):
                self._follow(self._target(node, source.path, node.get("schemaLocation")), source.namespace)
            if node.tag == XSD + "redefine":
                alike = [each.root for each in self.schemas if each.namespace == source.namespace]
                redefined(node, source.root, (root for root in alike if root is not source.root))

    def _import(self, node: etree._Element, source: SchemaSource) -> None:
        namespace = node.get("namespace", "")
        location = node.get("schemaLocation")
        if namespace == XSD[1:-1] or (not location and namespace not in CATALOGUE):
            return
        self._follow(self._target(node, source.path, location or "", namespace), namespace)

    def _follow(self, path: str | None, namespace: str) -> None:
        """Reads the schema document at `path`; one without a namespace takes that of its includer."""
        if path is None or not self._enter(path, namespace):
            return
        root = self._parse(path)
        if root is None:
            return
        self._depth += 1
        if root.tag == XSD + "schema":
            self._schema(SchemaSource(path, root, root.get("targetNamespace", namespace)))
        elif root.tag == WSDL + "definitions":  # Some import the types of another WSDL.
            for schema in root.iterfind(f"{WSDL}types/{XSD}schema"):
                self._schema(SchemaSource(path, schema, schema.get("targetNamespace", "")))
        else:
            self._problem(f"'{path}' is not an XML Schema: its root is {root.tag}", path, line_of(root))
        self._depth -= 1

    def _target(
        self, node: etree._Element, path: str, location: str | None, namespace: str | None = None
    ) -> str | None:
        if location is None:
            self._problem(f"<{etree.QName(node).localname}> names no location", path, line_of(node))
            return None
        found = self.locate(location.strip(), path, namespace)
        if found is None:
            message = (
                f"'{location}' is imported but isn't in the workspace; copy it there and let the import name it by a "
                "path relative to this file"
            )
            problem = ConfigProblem(message, "/wsdl", path, line_of(node))
            if namespace is None:
                self.problems.append(problem)
            else:
                self._missing.append((namespace, problem))
        return found

    def _problem(self, message: str, path: str | None, line: int | None) -> None:
        self.problems.append(ConfigProblem(message, "/wsdl", path, line))


def line_of(node: etree._Element) -> int | None:
    """The line on which a node stands (1-based)."""
    return cast("int | None", node.sourceline)
