"""Format `xml`: the elements at one path are records. No DTD, no entity but the five, no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from lxml import etree

from adapters.contract import Json
from adapters.files.columns import Column, reading, with_nulls
from adapters.files.copy import CopiedRecords, Placed
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.options import XmlOptions
from adapters.files.read_only import ReadOnlyColumns
from adapters.files.undecodable import Undecodable

MOST_ELEMENTS = 1_000_000
"""Elements in one record."""

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_STEP = re.compile(r"@?(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*")


class XmlFormat(ReadOnlyColumns):
    """Documents of one shape; raises `ValueError` where a path isn't one."""

    def __init__(self, options: XmlOptions, key: str | None) -> None:
        self._key = key
        self._columns = with_nulls(options.columns, options.nulls)
        self.fields: Mapping[str, FieldType] = {
            name: each.field for name, each in self._columns.items() if each.compares
        }
        if not options.record.startswith("/"):
            raise ValueError("record must be a path from the root, such as /orders/order")
        self._record = _steps(options.record[1:], options.namespaces)
        if any(step.startswith("@") for step in self._record):
            raise ValueError("record must lead to an element, not to an attribute")
        self._found = [
            _Found(name, _steps(str(each.source or name), options.namespaces), each, reading(each))
            for name, each in self._columns.items()
        ]

    def whole(self, size: int) -> bool:
        return size > 0

    def reader(self, file: BinaryIO, size: int) -> XmlReader:
        return XmlReader(self._record, self._found, self.fields, size, self._key)


class _Found(NamedTuple):
    name: str
    path: tuple[str, ...]
    column: Column
    read: Callable[[str], Json]


class XmlReader(CopiedRecords):
    """One document."""

    def __init__(
        self,
        record: tuple[str, ...],
        found: list[_Found],
        fields: Mapping[str, FieldType],
        size: int,
        key: str | None,
    ) -> None:
        super().__init__()
        self.fields: Mapping[str, FieldType] = fields
        self._record = record
        self._found = found
        self._size = size
        self._key = key

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        return self.copied(self._placed(file), self._size)

    def _placed(self, file: BinaryIO) -> Iterator[Placed]:
        file.seek(0)
        try:
            for element in _elements(file, self._record):
                yield self._one(element)
        except etree.XMLSyntaxError as error:
            raise Undecodable(
                f"it isn't well-formed XML, or larger than a reader allows (line {error.lineno})"
            ) from None

    def _one(self, element: etree._Element) -> Placed:
        place = f"the record in line {element.sourceline}"
        try:
            return Placed(place, {each.name: _value(element, each) for each in self._found})
        except Undecodable as error:
            return Placed(place, error, self._key_of(element))

    def _key_of(self, element: etree._Element) -> Json:
        try:
            return next(_value(element, each) for each in self._found if each.name == self._key)
        except (Undecodable, StopIteration):
            return None


def _elements(file: BinaryIO, record: tuple[str, ...]) -> Iterator[etree._Element]:
    """The records; each is gone from memory when the next is asked for."""
    events = etree.iterparse(
        file, ("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    depth = inside = 0
    matched = 0
    for event, element in events:
        if event == "start":
            if not depth and element.getroottree().docinfo.doctype:
                raise Undecodable("the document has a DTD, which isn't read")
            if matched == depth < len(record) and element.tag == record[depth]:
                matched += 1
            depth += 1
            inside = inside + 1 if matched == len(record) else 0
            if inside > MOST_ELEMENTS:
                raise Undecodable(f"a record has more than {MOST_ELEMENTS} elements")
            continue
        depth -= 1
        if matched == len(record) and depth >= len(record):
            continue
        if matched == len(record) == depth + 1:
            yield element
            inside = 0
        matched = min(matched, depth)
        element.clear()
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]


def _value(element: etree._Element, found: _Found) -> Json:
    try:
        matches = _matches([element], found.path)
        if found.column.type == "json":
            return [match if isinstance(match, str) else _structure(match) for match in matches]
        if len(matches) > 1:
            raise ValueError(f"stands {len(matches)} times in the record; declare it as json")
        if not matches:
            return None
        text = matches[0] if isinstance(matches[0], str) else _text(matches[0])
        return None if text is None else found.read(text)
    except ValueError as error:
        raise Undecodable(f"{found.name} {error}") from None


def _matches(elements: list[etree._Element], path: tuple[str, ...]) -> list[Any]:
    for number, step in enumerate(path):
        if step.startswith("@"):
            assert number == len(path) - 1
            return [element.attrib[step[1:]] for element in elements if step[1:] in element.attrib]
        elements = [child for element in elements for child in element if child.tag == step]
    return elements


def _text(element: etree._Element) -> str | None:
    if len(element):
        raise ValueError("holds elements; declare it as json")
    return None if element.get(_NIL) in ("true", "1") else element.text or ""


def _structure(element: etree._Element) -> Json:
    """A text, or an object of attributes (`@name`), own text (`#text`) and lists of children."""
    if not len(element) and not element.attrib:
        return element.text or ""
    found: dict[str, Any] = {"@" + _local(str(name)): value for name, value in element.attrib.items()}
    if len(found) != len(element.attrib):
        raise ValueError("has two attributes that differ by their namespace only")
    texts = [text for text in (element.text, *(child.tail for child in element)) if text and not text.isspace()]
    if texts and len(element):
        raise ValueError("has text between elements, which has no place here")
    if texts:
        found["#text"] = element.text
    tags: dict[str, str] = {}
    for child in element:
        name = _local(str(child.tag))
        if tags.setdefault(name, str(child.tag)) != child.tag:
            raise ValueError("has two elements that differ by their namespace only")
        found.setdefault(name, []).append(_structure(child))
    return found


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _steps(path: str, namespaces: Mapping[str, str]) -> tuple[str, ...]:
    """Names in lxml's spelling, `@` in front of an attribute; raises `ValueError`."""
    if path == ".":
        return ()
    steps = []
    for number, step in enumerate(parts := path.split("/")):
        if not _STEP.fullmatch(step) or (step.startswith("@") and number < len(parts) - 1):
            raise ValueError(f"'{path}' is no path such as customer/name, customer/@id or .")
        mark, name = ("@", step[1:]) if step.startswith("@") else ("", step)
        prefix, colon, local = name.rpartition(":")
        if colon and prefix not in namespaces:
            raise ValueError(f"'{path}' has a prefix that namespaces doesn't name: {prefix}")
        steps.append(mark + (f"{{{namespaces[prefix]}}}{local}" if colon else local))
    return tuple(steps)
