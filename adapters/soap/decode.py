"""Decodes the content of soap:Body into JSON: closures over the form, dispatching on element names.

The order of elements doesn't matter, so a server that reorders them loses nothing. What the WSDL doesn't name is left
out and told as a warning; a value that isn't of its type, or a second occurrence of what may occur once, raises
`BadValue`. Absent stays absent; `xsi:nil` is null; an absent repeated element is [], except within a choice or
an optional group. In SOAP encoding references are filled first, and namespaces of elements don't matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import tzinfo
from typing import TypeAlias

from lxml import etree

from adapters.contract import Json
from adapters.soap.arrays import placed
from adapters.soap.compound import codec
from adapters.soap.content import always_arrays, members, required_names, wild
from adapters.soap.encoded import resolved
from adapters.soap.form import ANY_TYPE, HEADERS, TEXT, TYPE, WILD, Complex, Element, Form, Group, Message, Simple
from adapters.soap.marked import attributes_reader, null_reader
from adapters.soap.names import holds_names, named
from adapters.soap.notes import Notes
from adapters.soap.readers import (
    NIL,
    TRUE,
    XSI_TYPE,
    Object,
    Read,
    ReadChildren,
    ReadNull,
    Repeated,
    anything,
    attached,
    defaulted,
    defaults_of,
    encoded_text,
    local,
    name_reader,
    nothing,
    qualified,
    read_each,
    repetitions,
    scalar,
    within,
    within_text,
)
from adapters.soap.repetition import places, repeated_groups
from adapters.soap.schema import type_names
from adapters.soap.values import BadValue, Decode
from adapters.soap.xml_text import inner_xml, outer_xml

_Slot: TypeAlias = tuple[str, Decode | None, Read, bool, ReadNull | None]
"""Where a child element's value goes, how its text is decoded (None: `Read` reads it), whether it is repeated, and what
reads it when it is null and may have attributes."""


class Decoder:
    """Decodes one message shape. Safe for use by several threads once made."""

    def __init__(self, form: Form, message: Message, zone: tzinfo) -> None:
        self._form = form
        self._zone = zone
        self._types: dict[str, Read] = {}
        self._message = message
        self._parts = {part.tag: (part, self._type(part.type)) for part in message.parts}
        self._headers = {part.tag: (part, self._type(part.type)) for part in message.headers}

    def body(self, nodes: list[etree._Element], notes: Notes) -> Json:
        """The value of soap:Body's child elements, with the header blocks that the WSDL names; raises `BadValue`."""
        if self._message.encoded:
            nodes = resolved(nodes)
        try:
            value = self._unwrapped(nodes, notes) if self._message.unwrapped else self._listed(nodes, notes)
            blocks = self._blocks(nodes, notes) if self._headers else {}
        except RecursionError:
            raise BadValue("is nested too deep") from None
        return {**value, HEADERS: blocks} if blocks else value

    def _listed(self, nodes: list[etree._Element], notes: Notes) -> Object:
        value: Object = {}
        for node in nodes:
            part, read = self._parts.get(node.tag, (None, None))
            if part is None or read is None:
                raise BadValue(f"has <{local(node)}> where its WSDL says {self._expected()}")
            value[part.label] = within(part.label, read, node, notes)
        return value

    def _unwrapped(self, nodes: list[etree._Element], notes: Notes) -> Json:
        ((part, read),) = self._parts.values()
        if len(nodes) == 0:
            raise BadValue(f"has an empty body where its WSDL says {self._expected()}")
        if nodes[0].tag != part.tag and not self._message.rpc:
            raise BadValue(f"has <{local(nodes[0])}> where its WSDL says {self._expected()}")
        return read(nodes[0], notes)

    def _blocks(self, nodes: list[etree._Element], notes: Notes) -> Object:
        """The header blocks of the envelope that `nodes` stand in."""
        envelope = nodes[0].getroottree().getroot() if nodes else ()
        found: Object = {}
        for block in (block for part in envelope if local(part) == "Header" for block in part):
            part, read = self._headers.get(block.tag, (None, None))
            if part is not None and read is not None:
                found[part.label] = within(part.label, read, block, notes)
        return found

    def _expected(self) -> str:
        return ", ".join(f"<{part.name}>" for part, _ in self._parts.values()) or "nothing"

    def _type(self, key: str) -> Read:
        if key not in self._types:
            self._types[key] = lambda node, notes: self._types[key](node, notes)
            self._types[key] = self._compile(key)
        return self._types[key]

    def _compile(self, key: str) -> Read:
        found = self._form.type(key)
        if isinstance(found, Simple):
            decode = codec(self._form, key, self._zone).decode
            return name_reader(decode) if holds_names(self._form, key) else scalar(decode)
        if key == ANY_TYPE:
            return anything
        if found.array:
            return self._array(found)
        own = self._complex(found)
        return self._family(key, found, own) if found.stands_in else own

    def _family(self, key: str, base: Complex, own: Read) -> Read:
        """A type that others may stand in for: xsi:type says which."""
        names = type_names(self._form, (key, *base.derived))
        readers: dict[str, tuple[str | None, Read]] = {}
        for member, name in names.items():
            found = self._form.type(member)
            if isinstance(found, Complex) and not found.abstract:
                readers[f"{{{found.namespace}}}{found.name}"] = (name, own if member == key else self._complex(found))

        def read(node: etree._Element, notes: Notes) -> Json:
            said = node.get(XSI_TYPE)
            if said is None:
                if base.abstract:
                    raise BadValue("doesn't say of which type it is, and its own is abstract")
                return own(node, notes)
            name, reader = readers.get(qualified(said, node), (None, own))
            if name is None:
                raise BadValue(f"is of type '{said[:80]}', which its WSDL doesn't name")
            value = reader(node, notes)
            return value if reader is own else {TYPE: name, **value}

        return read

    def _array(self, found: Complex) -> Read:
        """An array of SOAP encoding: its items may be called anything (SOAP 1.1, section 5.4.2)."""
        ((item),) = members(found.content or Group("sequence", ()))
        name, read_item = item.label if isinstance(item, Element) else "", self._type(found.array)

        def read(node: etree._Element, notes: Notes) -> Json:
            items: list[Json] = []
            for child in node:
                try:
                    items.append(within(name, read_item, child, notes))
                except BadValue as error:
                    error.path.insert(1, len(items))
                    raise
            return {name: placed(items, node, found.dimensions)}

        return read

    def _complex(self, found: Complex) -> Read:
        attributes = attributes_reader(self._form, found, self._zone)
        content = self._body(found)
        if attributes is None:
            return content
        filled = defaults_of(found, self._form, self._zone)

        def read(node: etree._Element, notes: Notes) -> Json:
            value: Object = {**filled, **attributes(node, notes)}
            value.update(content(node, notes))
            return value

        return read

    def _body(self, found: Complex) -> Callable[[etree._Element, Notes], Object]:
        if found.text is not None:
            decode = codec(self._form, found.text, self._zone).decode
            if holds_names(self._form, found.text):
                return lambda node, notes: {TEXT: within_text(node, lambda text: decode(named(text, node)), notes)}
            return lambda node, notes: {TEXT: within_text(node, decode, notes)}
        if found.mixed:
            return lambda node, notes: {TEXT: inner_xml(node)}
        if found.content is None:
            return nothing
        return self._content(found.content) if found.order is None else self._one_by_one(found.content)

    def _content(self, content: Group) -> ReadChildren:
        """Reads child elements (an element is the sequence of its children) into an object."""
        slots, others = self._slots(content), self._others(content)
        always = tuple(always_arrays(content))
        required = frozenset(required_names(content))
        filled = tuple(required.intersection(always))

        def read(nodes: Iterable[etree._Element], notes: Notes) -> Object:
            value: Object = {}
            strangers: list[etree._Element] = []
            name, repeated = "", False
            try:
                # One loop without calls between: it runs once for each element of a reply.
                for child in nodes:
                    slot = slots.get(child.tag)
                    if slot is None:
                        strangers.append(child)
                        continue
                    name, decode, read_child, repeated, null = slot
                    text = child.text
                    if (text is None or decode is None) and child.get(NIL) in TRUE:
                        item = None if null is None else null(child, notes)
                    elif decode is None:
                        item = read_child(child, notes)
                    else:
                        item = decode(text or "") if not len(child) else attached(child, decode, notes)
                    if repeated:
                        value.setdefault(name, []).append(item)
                    elif name in value:
                        raise BadValue("occurs twice where its WSDL says once")
                    else:
                        value[name] = item
            except BadValue as error:
                error.path[:0] = [name, len(value.get(name, ()))] if repeated else [name]
                raise
            if strangers:
                others(value, strangers, notes)
            for each in always:
                if each not in value:
                    value[each] = []
            if not required <= value.keys():
                notes.missing.update(dict.fromkeys(sorted(required - value.keys())))
            for each in filled:
                if not value[each]:
                    notes.missing[each] = None
            return value

        return read

    def _one_by_one(self, content: Group) -> ReadChildren:
        """Reads children whose order matters, an object each."""
        (group,) = repeated_groups(content)
        read_item = self._content(replace(group, key="", least=1, most=1))

        def read(nodes: Iterable[etree._Element], notes: Notes) -> Object:
            items: list[Json] = []
            read_each(items, group.key, ([node] for node in nodes), read_item, notes)
            return {group.key: items}

        return read

    def _others(self, content: Group) -> Callable[[Object, list[etree._Element], Notes], None]:
        """Reads what isn't a plain property of an object: repeated groups, wildcards, strangers."""
        groups = [
            Repeated(each.key, places(each), self._content(replace(each, key="", least=1, most=1)))
            for each in repeated_groups(content)
        ]
        grouped = {tag for group in groups for tag in group.places}
        keep = wild(content)

        def read(value: Object, nodes: list[etree._Element], notes: Notes) -> None:
            for node in nodes:
                if node.tag in grouped:
                    continue
                if keep:
                    value.setdefault(WILD, []).append(outer_xml(node))
                else:
                    notes.unknown[local(node)] = None
            repetitions(value, groups, nodes, notes)

        return read

    def _slots(self, content: Group) -> dict[str, _Slot]:
        slots = {each.tag: self._slot(each) for each in members(content) if isinstance(each, Element)}
        if not self._message.encoded:
            return slots
        # Elements of encoded values have no namespace, whatever their schema says.
        return {each.rpartition("}")[2]: slot for each, slot in slots.items()} | slots

    def _slot(self, element: Element) -> _Slot:
        read = self._type(element.type)
        default = element.fixed if element.default is None else element.default
        simple = isinstance(self._form.type(element.type), Simple)
        plain = simple and default is None and not holds_names(self._form, element.type)
        decode = codec(self._form, element.type, self._zone).decode if plain else None
        if decode is str and self._message.encoded:
            decode, read = None, encoded_text
        elif default is not None:
            read = defaulted(read, default)
        return element.label, decode, read, element.repeated, null_reader(self._form, element, self._zone)
