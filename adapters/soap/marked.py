"""The attributes of an element, read and written, also where they are all that it has: it is null, and says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo

from lxml import etree

from adapters.contract import Json
from adapters.soap.compound import codec, encoder
from adapters.soap.form import NILLED, TYPE, Attribute, Complex, Element, Form
from adapters.soap.names import holds_names, named, prefixed
from adapters.soap.notes import Notes
from adapters.soap.readers import MARKS, Object, ReadNull, decoded
from adapters.soap.values import escape_attribute
from adapters.soap.writers import Content, at
from adapters.soap.xml_text import other_attributes, spelt_name

_XML = "http://www.w3.org/XML/1998/namespace"


def attributes_reader(form: Form, found: Complex, zone: tzinfo) -> ReadNull | None:
    """Reads the attributes of an element of type `found`; None where it has none."""
    known = {
        each.tag: (each.label, codec(form, each.type, zone).decode, holds_names(form, each.type))
        for each in found.attributes
    }
    if not known and not found.open:
        return None

    def read(node: etree._Element, notes: Notes) -> Object:
        value: Object = {}
        for tag, text in node.attrib.items():
            slot = known.get(str(tag))
            if slot is not None:
                label, decode, names = slot
                value[label] = decoded(label, decode, named(str(text), node) if names else str(text))
            elif str(tag)[1:].partition("}")[0] in MARKS:
                continue
            elif found.open:
                value["@" + spelt_name(str(tag))] = str(text)
            else:
                notes.unknown["@" + str(tag).rpartition("}")[2]] = None
        return value

    return read


def null_reader(form: Form, element: Element, zone: tzinfo) -> ReadNull | None:
    """Reads an element that is null: its attributes, or None where it has none."""
    found = form.type(element.type)
    if not isinstance(found, Complex) or not (found.attributes or found.open):
        return None

    def read_null(node: etree._Element, notes: Notes) -> Json:
        # Made when it is needed, which is seldom: a big service has many elements.
        read = attributes_reader(form, found, zone) if len(node.attrib) > 1 else None
        value = None if read is None else read(node, notes)
        return {NILLED: True, **value} if value else None

    return read_null


def attributes_writer(form: Form, found: Complex, name: Callable[[str, str], str]) -> Content:
    """Writes the attributes of a value of type `found`; `name` spells a local name and namespace with a prefix."""
    written = [(each.label, _writer(form, each, name, f"a{number}_")) for number, each in enumerate(found.attributes)]
    known = frozenset((TYPE, NILLED, *(label for label, _ in written)))

    def write(value: Mapping[str, Json], out: list[str]) -> None:
        for label, attribute in written:
            if label in value:
                out.append(at(label, attribute, value[label]))
        if found.open:
            out.append(other_attributes(value, known))

    return write


def _writer(form: Form, attribute: Attribute, name: Callable[[str, str], str], mark: str) -> Callable[[Json], str]:
    spelt = f"xml:{attribute.name}" if attribute.namespace == _XML else name(attribute.name, attribute.namespace)
    encode = encoder(form, attribute.type, attribute.fixed)
    if not holds_names(form, attribute.type):
        return lambda value: f' {spelt}="{escape_attribute(encode(value))}"'

    def write(value: Json) -> str:
        declared, text = prefixed(encode(value), mark)
        return f'{declared} {spelt}="{text}"'

    return write
