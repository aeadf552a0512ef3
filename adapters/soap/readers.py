"""The small readers that decoding is put together from, and the errors they name."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, TypeAlias

from lxml import etree

from adapters.contract import Json
from adapters.soap.compound import codec
from adapters.soap.form import TEXT, TYPE, Complex, Form
from adapters.soap.names import named
from adapters.soap.notes import Notes
from adapters.soap.repetition import Place, split
from adapters.soap.scalars import BASE64
from adapters.soap.values import BadValue, Decode
from adapters.soap.xml_text import XSI, inner_xml, spelt_name
from adapters.soap.xsd import ENCODINGS

NIL = f"{{{XSI}}}nil"
XSI_TYPE = f"{{{XSI}}}type"
TRUE = ("true", "1")

MARKS = frozenset(
    {
        "http://www.w3.org/2001/XMLSchema-instance",
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope",
        *ENCODINGS,
    }
)
"""Namespaces of attributes that say how a value is written, not what it is."""

Object: TypeAlias = dict[str, Any]
Read: TypeAlias = Callable[[etree._Element, Notes], Json]
ReadNull: TypeAlias = Callable[[etree._Element, Notes], Any]
"""Reads attributes, which may be all that an element has."""
ReadChildren: TypeAlias = Callable[[Iterable[etree._Element], Notes], Object]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A repeated group: its property, where its elements stand, and how one repetition is read."""

    key: str
    places: Mapping[str, Place]
    read: ReadChildren


def repetitions(value: Object, groups: list[Repeated], nodes: list[etree._Element], notes: Notes) -> None:
    """Reads those of `nodes` that belong to `groups`."""
    for group in groups:
        own = [node for node in nodes if node.tag in group.places]
        if own:
            read_each(value.setdefault(group.key, []), group.key, split(own, group.places), group.read, notes)


def read_each(
    items: list[Json], key: str, parts: Iterable[list[etree._Element]], read: ReadChildren, notes: Notes
) -> None:
    """Appends the objects that `parts` hold to `items`, the property `key`; nothing for what holds nothing known."""
    for part in parts:
        try:
            item = read(part, notes)
        except BadValue as error:
            error.path[:0] = [key, len(items)]
            raise
        if item:
            items.append(item)


def within(name: str, read: Read, node: etree._Element, notes: Notes) -> Json:
    """The value of one occurrence of the property `name`."""
    try:
        return read(node, notes) if node.get(NIL) not in TRUE else None
    except BadValue as error:
        error.path.insert(0, name)
        raise


def scalar(decode: Decode) -> Read:
    """Reads an element that holds text."""

    def read(node: etree._Element, notes: Notes) -> Json:
        return decode(node.text or "") if not len(node) else attached(node, decode, notes)

    return read


def name_reader(decode: Decode) -> Read:
    """Reads an element that holds qualified names."""
    return lambda node, notes: scalar(lambda text: decode(named(text, node)))(node, notes)


def attached(node: etree._Element, decode: Decode, notes: Notes) -> Json:
    """What an xop:Include stands for; raises `BadValue`, as no other element may stand in a place for text."""
    if decode is not BASE64.decode:
        raise BadValue("holds elements where its WSDL says text")
    return notes.attached.content(node)


def encoded_text(node: etree._Element, notes: Notes) -> Json:
    """Text in SOAP encoding; SOAP::Lite sends it as base64, and says so, where it isn't ASCII."""
    if len(node):
        raise BadValue("holds elements where its WSDL says text")
    text = node.text or ""
    if not (node.get(XSI_TYPE) or "").endswith((":base64Binary", ":base64")):
        return text
    try:
        return binascii.a2b_base64(text).decode()
    except ValueError:
        raise BadValue("isn't the text that its type says") from None


def within_text(node: etree._Element, decode: Decode, notes: Notes) -> Json:
    """The text of an element that has attributes, too."""
    try:
        return decode(node.text or "") if not len(node) else attached(node, decode, notes)
    except BadValue as error:
        error.path.insert(0, TEXT)
        raise


def defaulted(read: Read, default: str) -> Read:
    """An empty element has its default (XML Schema part 1, section 3.3.1)."""

    def read_defaulted(node: etree._Element, notes: Notes) -> Json:
        if not node.text and not len(node):
            node.text = default
        return read(node, notes)

    return read_defaulted


def decoded(name: str, decode: Decode, text: str) -> Json:
    """The value of the property `name`."""
    try:
        return decode(text)
    except BadValue as error:
        error.path.insert(0, name)
        raise


def nothing(nodes: Iterable[etree._Element], notes: Notes) -> Object:
    """Reads an element that holds nothing."""
    notes.unknown.update((local(child), None) for child in nodes)
    return {}


def anything(node: etree._Element, notes: Notes) -> Json:
    """XML text; with its type, where the reply says which."""
    said = node.get(XSI_TYPE)
    if said is None:
        return inner_xml(node)
    return {TYPE: spelt_name(qualified(said, node)), TEXT: inner_xml(node)}


def defaults_of(found: Complex, form: Form, zone: tzinfo) -> Object:
    """What attributes mean that are absent (XML Schema part 1, section 3.2.1); a default not of its type is none."""
    values: Object = {}
    for each in found.attributes:
        if each.default is not None and not each.required:
            with suppress(BadValue):
                values[each.label] = codec(form, each.type, zone).decode(each.default)
    return values


def local(node: etree._Element) -> str:
    """The local name of a node."""
    return str(node.tag).rpartition("}")[2]


def qualified(text: str, node: etree._Element) -> str:
    """The QName `text` written at `node`, as "{namespace}local"."""
    prefix, _, name = text.strip().rpartition(":")
    return f"{{{node.nsmap.get(prefix or None) or ''}}}{name}"
