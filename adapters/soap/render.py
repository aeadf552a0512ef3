"""Renders a validated JSON value as the content of soap:Body: closures over the form, writing text.

The value has passed the operation's JSON Schema. What that can't say (a decimal's digits, characters that XML can't
hold) raises `BadValue` with the path to the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TypeAlias

from adapters.contract import Json
from adapters.soap.content import members
from adapters.soap.form import (
    ANY_TYPE,
    TEXT,
    TYPE,
    WILD,
    Complex,
    Element,
    Form,
    Group,
    Message,
    Particle,
    Simple,
    Wildcard,
)
from adapters.soap.scalars import codec
from adapters.soap.schema import type_names
from adapters.soap.values import BadValue, escape, escape_attribute
from adapters.soap.xml_text import XSI, fragment

_Object: TypeAlias = Mapping[str, Json]
_Write: TypeAlias = Callable[[Json, list[str], str], None]
"""Writes a value as an element's attributes and content into the list; the str is the element's end tag."""
_Content: TypeAlias = Callable[[_Object, list[str]], None]


class Renderer:
    """Renders one message shape. Safe for use by several threads once made."""

    def __init__(self, form: Form, message: Message) -> None:
        self._form = form
        self._prefixes: dict[str, str] = {XSI: "xsi"}
        self._types: dict[str, _Write] = {}
        if message.unwrapped:
            element = self._element(message.parts[0])
            self._write: _Content = lambda value, out: element(value, out)
        else:
            self._write = self._sequence(message.parts)
        # All writers are made by now, and with them all prefixes.
        declared = (f' xmlns:{prefix}="{escape_attribute(name)}"' for name, prefix in self._prefixes.items())
        self.namespaces = "".join(declared)
        """The declarations that `body`'s prefixes need."""

    def body(self, value: _Object) -> str:
        """The content of soap:Body; raises `BadValue`."""
        out: list[str] = []
        self._write(value, out)
        return "".join(out)

    def _name(self, name: str, namespace: str) -> str:
        if not namespace:
            return name
        return f"{self._prefixes.setdefault(namespace, f'n{len(self._prefixes)}')}:{name}"

    def _element(self, element: Element) -> Callable[[Json, list[str]], None]:
        """Writes one occurrence of `element`."""
        name = self._name(element.name, element.namespace)
        start, end, nil = f"<{name}", f"</{name}>", f'<{name} xsi:nil="true"/>'
        write = self._type(element.type)

        def occurrence(value: Json, out: list[str]) -> None:
            if value is None:
                out.append(nil)
            else:
                out.append(start)
                write(value, out, end)

        return occurrence

    def _type(self, key: str) -> _Write:
        """The writer of the type called `key`; types reach each other through the table, so they may recur."""
        if key not in self._types:
            self._types[key] = lambda value, out, end: self._types[key](value, out, end)
            self._types[key] = self._compile(key)
        return self._types[key]

    def _compile(self, key: str) -> _Write:
        found = self._form.type(key)
        if isinstance(found, Simple):
            return self._simple(key)
        if key == ANY_TYPE:
            return _any_type
        if not found.derived:
            return self._complex(found)
        return self._family(key, found)

    def _simple(self, key: str) -> _Write:
        encode = codec(self._form, key, UTC).encode
        if encode is str:
            return lambda value, out, end: out.append(f">{escape(value)}{end}")
        return lambda value, out, end: out.append(f">{escape(encode(value))}{end}")

    def _family(self, key: str, base: Complex) -> _Write:
        """A type that others may stand in for: `@xsi:type` says which."""
        writers: dict[str, tuple[str, _Write]] = {}
        for member, name in type_names(self._form, (key, *base.derived)).items():
            found = self._form.type(member)
            if isinstance(found, Complex):
                qname = self._name(found.name, found.namespace)
                mark = "" if member == key and not base.abstract else f' xsi:type="{qname}"'
                writers[name] = (mark, self._complex(found))
        own = next(iter(writers))

        def write(value: Json, out: list[str], end: str) -> None:
            mark, writer = writers[value.get(TYPE, own)]
            out.append(mark)
            writer(value, out, end)

        return write

    def _complex(self, found: Complex) -> _Write:
        attributes = self._attributes(found)
        content = self._body(found)

        def write(value: Json, out: list[str], end: str) -> None:
            for key, start, encode in attributes:
                if key in value:
                    out.append(f'{start}"{_at(key, encode, value[key])}"')
            out.append(">")
            content(value, out)
            out.append(end)

        return write

    def _attributes(self, found: Complex) -> list[tuple[str, str, Callable[[Json], str]]]:
        attributes = []
        for attribute in found.attributes:
            xml = "http://www.w3.org/XML/1998/namespace"
            local = f"xml:{attribute.name}" if attribute.namespace == xml else None
            name = local or self._name(attribute.name, attribute.namespace)
            attributes.append(("@" + attribute.name, f" {name}=", self._attribute(attribute.type)))
        return attributes

    def _attribute(self, key: str) -> Callable[[Json], str]:
        encode = codec(self._form, key, UTC).encode
        return lambda value: escape_attribute(encode(value))

    def _body(self, found: Complex) -> _Content:
        if found.text is not None:
            encode = codec(self._form, found.text, UTC).encode
            return lambda value, out: out.append(_at(TEXT, lambda text: escape(encode(text)), value[TEXT]))
        if found.mixed:
            return lambda value, out: out.append(_at(TEXT, fragment, value[TEXT]))
        return (lambda value, out: None) if found.content is None else self._group(found.content)

    def _sequence(self, items: tuple[Particle, ...]) -> _Content:
        writers = [self._particle(item) for item in items]

        def write(value: _Object, out: list[str]) -> None:
            for writer in writers:
                writer(value, out)

        return write

    def _particle(self, particle: Particle) -> _Content:
        if isinstance(particle, Element):
            return self._property(particle)
        if isinstance(particle, Wildcard):
            return _wildcards
        return self._repeated(particle) if particle.key else self._group(particle)

    def _property(self, element: Element) -> _Content:
        """Writes all occurrences of `element` that the object around it has."""
        name, occurrence = element.name, self._element(element)

        def single(value: _Object, out: list[str]) -> None:
            if name in value:
                try:
                    occurrence(value[name], out)
                except BadValue as error:
                    error.path.insert(0, name)
                    raise

        def repeated(value: _Object, out: list[str]) -> None:
            for index, item in enumerate(value.get(name, ())):
                try:
                    occurrence(item, out)
                except BadValue as error:
                    error.path[:0] = [name, index]
                    raise

        return repeated if element.repeated else single

    def _repeated(self, group: Group) -> _Content:
        key, write = group.key, self._group(group)

        def repetitions(value: _Object, out: list[str]) -> None:
            for index, item in enumerate(value.get(key, ())):
                try:
                    write(item, out)
                except BadValue as error:
                    error.path[:0] = [key, index]
                    raise

        return repetitions

    def _group(self, group: Group) -> _Content:
        if group.order != "choice":
            return self._sequence(group.items)
        names = [frozenset(_names(item)) for item in group.items]
        if sum(map(len, names)) == len(frozenset().union(*names)):
            return self._sequence(group.items)
        return self._ambiguous(group, names)

    def _ambiguous(self, group: Group, names: list[frozenset[str]]) -> _Content:
        """A choice whose branches share names: the branch that has most of the value's is meant."""
        everything = frozenset[str]().union(*names)
        branches = list(zip(names, map(self._particle, group.items), strict=True))

        def write(value: _Object, out: list[str]) -> None:
            present = everything & value.keys()
            if present:
                _, writer = min(branches, key=lambda branch: (len(present - branch[0]), len(branch[0] - present)))
                writer(value, out)

        return write


def _names(particle: Particle) -> list[str]:
    return [each.name if isinstance(each, Element) else each.key for each in members(particle)]


def _at(key: str, encode: Callable[[Json], str], value: Json) -> str:
    try:
        return encode(value)
    except BadValue as error:
        error.path.insert(0, key)
        raise


def _any_type(value: Json, out: list[str], end: str) -> None:
    out.append(f">{fragment(value)}{end}")


def _wildcards(value: _Object, out: list[str]) -> None:
    for index, item in enumerate(value.get(WILD, ())):
        try:
            out.append(fragment(item, single=True))
        except BadValue as error:
            error.path[:0] = [WILD, index]
            raise
