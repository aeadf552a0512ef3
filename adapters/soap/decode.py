"""Decodes the content of soap:Body into JSON: closures over the form, dispatching on element names.

The order of elements doesn't matter, so a server that reorders them loses nothing. What the WSDL doesn't name is left
out and told as a warning; a value that isn't of its type, or a second occurrence of what may occur once, raises
`BadValue`. Absent stays absent; `xsi:nil` is null; an absent repeated element is [], except within a choice or
an optional group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, NoReturn, TypeAlias

from lxml import etree

from adapters.contract import Json
from adapters.soap.content import always_arrays, members, required_names, wild
from adapters.soap.form import ANY_TYPE, TEXT, TYPE, WILD, Complex, Element, Form, Group, Message, Simple
from adapters.soap.notes import Notes
from adapters.soap.repetition import Place, places, repeated_groups, split
from adapters.soap.scalars import codec
from adapters.soap.schema import type_names
from adapters.soap.values import BadValue, Decode
from adapters.soap.xml_text import XSI, inner_xml, outer_xml

_XSI = f"{{{XSI}}}"
_NIL = _XSI + "nil"
_XSI_TYPE = _XSI + "type"
_TRUE = ("true", "1")

_Object: TypeAlias = dict[str, Any]
_Read: TypeAlias = Callable[[etree._Element, Notes], Json]
_Slot: TypeAlias = tuple[str, Decode | None, _Read, bool]
"""Where a child element's value goes, how its text is decoded (None: `_Read` reads it), and whether it is repeated."""
_ReadChildren: TypeAlias = Callable[[Iterable[etree._Element], Notes], _Object]


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A repeated group: its property, where its elements stand, and how one repetition is read."""

    key: str
    places: Mapping[str, Place]
    read: _ReadChildren


class Decoder:
    """Decodes one message shape. Safe for use by several threads once made."""

    def __init__(self, form: Form, message: Message, zone: tzinfo) -> None:
        self._form = form
        self._zone = zone
        self._types: dict[str, _Read] = {}
        self._parts = {part.tag: (part, self._type(part.type)) for part in message.parts}
        self._message = message

    def body(self, nodes: list[etree._Element], notes: Notes) -> Json:
        """The value of soap:Body's child elements; raises `BadValue`."""
        if self._message.unwrapped:
            return self._unwrapped(nodes, notes)
        value: _Object = {}
        for node in nodes:
            part, read = self._parts.get(node.tag, (None, None))
            if part is None or read is None:
                raise BadValue(f"has <{_local(node)}> where its WSDL says {self._expected()}")
            value[part.name] = _within(part.name, read, node, notes)
        return value

    def _unwrapped(self, nodes: list[etree._Element], notes: Notes) -> Json:
        ((part, read),) = self._parts.values()
        if len(nodes) == 0:
            raise BadValue(f"has an empty body where its WSDL says {self._expected()}")
        if nodes[0].tag != part.tag and not self._message.rpc:
            raise BadValue(f"has <{_local(nodes[0])}> where its WSDL says {self._expected()}")
        return read(nodes[0], notes)

    def _expected(self) -> str:
        return ", ".join(f"<{part.name}>" for part, _ in self._parts.values()) or "nothing"

    def _type(self, key: str) -> _Read:
        if key not in self._types:
            self._types[key] = lambda node, notes: self._types[key](node, notes)
            self._types[key] = self._compile(key)
        return self._types[key]

    def _compile(self, key: str) -> _Read:
        found = self._form.type(key)
        if isinstance(found, Simple):
            return _scalar(codec(self._form, key, self._zone).decode)
        if key == ANY_TYPE:
            return lambda node, notes: inner_xml(node)
        own = self._complex(found)
        return self._family(key, found, own) if found.derived else own

    def _family(self, key: str, base: Complex, own: _Read) -> _Read:
        """A type that others may stand in for: xsi:type says which."""
        names = type_names(self._form, (key, *base.derived))
        readers: dict[str, tuple[str | None, _Read]] = {}
        for member, name in names.items():
            found = self._form.type(member)
            if isinstance(found, Complex) and not found.abstract:
                readers[f"{{{found.namespace}}}{found.name}"] = (name, own if member == key else self._complex(found))

        def read(node: etree._Element, notes: Notes) -> Json:
            said = node.get(_XSI_TYPE)
            if said is None:
                if base.abstract:
                    raise BadValue("doesn't say of which type it is, and its own is abstract")
                return own(node, notes)
            name, reader = readers.get(_qualified(said, node), (None, own))
            if name is None:
                raise BadValue(f"is of type '{said[:80]}', which its WSDL doesn't name")
            value = reader(node, notes)
            return value if reader is own else {TYPE: name, **value}

        return read

    def _complex(self, found: Complex) -> _Read:
        attributes = {
            each.tag: ("@" + each.name, codec(self._form, each.type, self._zone).decode) for each in found.attributes
        }
        content = self._body(found)
        if not attributes:
            return content

        def read(node: etree._Element, notes: Notes) -> Json:
            value: _Object = {}
            for tag, text in node.attrib.items():
                known = attributes.get(str(tag))
                if known is not None:
                    value[known[0]] = _decoded("@" + str(tag), known[1], str(text))
                elif not str(tag).startswith(_XSI):
                    notes.unknown["@" + str(tag).rpartition("}")[2]] = None
            value.update(content(node, notes))
            return value

        return read

    def _body(self, found: Complex) -> Callable[[etree._Element, Notes], _Object]:
        if found.text is not None:
            decode = codec(self._form, found.text, self._zone).decode
            return lambda node, notes: {TEXT: _decoded(TEXT, decode, node.text or "")}
        if found.mixed:
            return lambda node, notes: {TEXT: inner_xml(node)}
        if found.content is None:
            return _nothing
        return self._content(found.content)

    def _content(self, content: Group) -> _ReadChildren:
        """Reads child elements (an element is the sequence of its children) into an object."""
        slots = {each.tag: self._slot(each) for each in members(content) if isinstance(each, Element)}
        others = self._others(content)
        always = tuple(always_arrays(content))
        required = frozenset(required_names(content))
        filled = tuple(required.intersection(always))

        def read(nodes: Iterable[etree._Element], notes: Notes) -> _Object:
            value: _Object = {}
            strangers: list[etree._Element] = []
            name, repeated = "", False
            try:
                # One loop without calls between: it runs once for each element of a reply.
                for child in nodes:
                    slot = slots.get(child.tag)
                    if slot is None:
                        strangers.append(child)
                        continue
                    name, decode, read_child, repeated = slot
                    text = child.text
                    if (text is None or decode is None) and child.get(_NIL) in _TRUE:
                        item = None
                    elif decode is None:
                        item = read_child(child, notes)
                    else:
                        item = decode(text or "") if not len(child) else _refuse_elements()
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

    def _others(self, content: Group) -> Callable[[_Object, list[etree._Element], Notes], None]:
        """Reads what isn't a plain property of an object: repeated groups, wildcards, strangers."""
        groups = [
            _Repeated(each.key, places(each), self._content(replace(each, key="", least=1, most=1)))
            for each in repeated_groups(content)
        ]
        grouped = {tag for group in groups for tag in group.places}
        keep = wild(content)

        def read(value: _Object, nodes: list[etree._Element], notes: Notes) -> None:
            for node in nodes:
                if node.tag in grouped:
                    continue
                if keep:
                    value.setdefault(WILD, []).append(outer_xml(node))
                else:
                    notes.unknown[_local(node)] = None
            _repetitions(value, groups, nodes, notes)

        return read

    def _slot(self, element: Element) -> _Slot:
        read = self._type(element.type)
        default = element.fixed if element.default is None else element.default
        simple = isinstance(self._form.type(element.type), Simple)
        decode = codec(self._form, element.type, self._zone).decode if simple and default is None else None
        return element.name, decode, read if default is None else _defaulted(read, default), element.repeated


def _repetitions(value: _Object, groups: list[_Repeated], nodes: list[etree._Element], notes: Notes) -> None:
    for group in groups:
        own = [node for node in nodes if node.tag in group.places]
        items = value.setdefault(group.key, []) if own else []
        for repetition in split(own, group.places):
            try:
                items.append(group.read(repetition, notes))
            except BadValue as error:
                error.path[:0] = [group.key, len(items)]
                raise


def _within(name: str, read: _Read, node: etree._Element, notes: Notes) -> Json:
    try:
        return read(node, notes) if node.get(_NIL) not in _TRUE else None
    except BadValue as error:
        error.path.insert(0, name)
        raise


def _scalar(decode: Decode) -> _Read:
    def read(node: etree._Element, notes: Notes) -> Json:
        return decode(node.text or "") if not len(node) else _refuse_elements()

    return read


def _refuse_elements() -> NoReturn:
    raise BadValue("holds elements where its WSDL says text")


def _defaulted(read: _Read, default: str) -> _Read:
    """An empty element has its default (XML Schema part 1, section 3.3.1)."""

    def defaulted(node: etree._Element, notes: Notes) -> Json:
        if not node.text and not len(node):
            node.text = default
        return read(node, notes)

    return defaulted


def _decoded(name: str, decode: Decode, text: str) -> Json:
    try:
        return decode(text)
    except BadValue as error:
        error.path.insert(0, name)
        raise


def _nothing(nodes: Iterable[etree._Element], notes: Notes) -> _Object:
    notes.unknown.update((_local(child), None) for child in nodes)
    return {}


def _local(node: etree._Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _qualified(text: str, node: etree._Element) -> str:
    prefix, _, name = text.strip().rpartition(":")
    return f"{{{node.nsmap.get(prefix or None) or ''}}}{name}"
