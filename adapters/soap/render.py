"""Renders a validated JSON value as the content of soap:Body: closures over the form, writing text.

The value has passed the operation's JSON Schema. What that can't say (a decimal's digits, characters that XML can't
hold) raises `BadValue` with the path to the value.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.contract import Json
from adapters.soap.arrays import flattened
from adapters.soap.attachments import Outgoing
from adapters.soap.compound import encoder
from adapters.soap.content import labels, members
from adapters.soap.encoding import Encoded
from adapters.soap.form import (
    ANY_TYPE,
    HEADERS,
    NILLED,
    TEXT,
    TYPE,
    Complex,
    Element,
    Form,
    Group,
    Message,
    Particle,
    Simple,
    Wildcard,
)
from adapters.soap.marked import attributes_writer
from adapters.soap.names import holds_names, prefixed
from adapters.soap.scalars import BASE64
from adapters.soap.schema import type_names
from adapters.soap.values import BadValue, escape, escape_attribute
from adapters.soap.writers import Content, Object, Write, any_type, at, attached, names_writer, ordered, wildcards
from adapters.soap.xml_text import XSI, fragment


class Renderer:
    """Renders one message shape. Safe for use by several threads once made."""

    def __init__(self, form: Form, message: Message, soap: str = "1.1") -> None:
        self._form = form
        self._soap = soap
        self._encoded = Encoded(form, self._name, soap) if message.encoded else None
        self._prefixes: dict[str, str] = {XSI: "xsi"}
        self._types: dict[str, Write] = {}
        if message.unwrapped:
            element = self._element(message.parts[0], wrapper=message.rpc)
            self._write: Content = lambda value, out: element(value, out)
        else:
            self._write = self._sequence(message.parts)
        self._headers = self._sequence(message.headers)
        # All writers are made by now, and with them all prefixes.
        declared = (f' xmlns:{prefix}="{escape_attribute(name)}"' for name, prefix in self._prefixes.items())
        self.namespaces = "".join(declared)
        """The declarations that `body`'s prefixes need."""

    def body(self, value: Object, beside: Outgoing | None = None) -> str:
        """The content of soap:Body; `beside` takes the content that travels in parts of its own. Raises `BadValue`."""
        out: list[str] = [] if beside is None else beside
        self._write(value, out)
        return "".join(out)

    def headers(self, value: Object) -> str:
        """The header blocks in `value`, content of soap:Header; raises `BadValue`."""
        out: list[str] = []
        try:
            self._headers(value.get(HEADERS, {}), out)
        except BadValue as error:
            error.path.insert(0, HEADERS)
            raise
        return "".join(out)

    def _name(self, name: str, namespace: str) -> str:
        if not namespace:
            return name
        return f"{self._prefixes.setdefault(namespace, f'n{len(self._prefixes)}')}:{name}"

    def _element(self, element: Element, *, wrapper: bool = False) -> Callable[[Json, list[str]], None]:
        """Writes one occurrence of `element`."""
        name = self._name(element.name, element.namespace)
        start, end, nil = f"<{name}", f"</{name}>", f'<{name} xsi:nil="true"/>'
        if self._encoded is not None:
            start += self._encoded.style if wrapper else self._encoded.mark(element.type)
        fixed = element.fixed is not None and isinstance(self._form.type(element.type), Simple)
        write = self._simple(element.type, element.fixed) if fixed else self._type(element.type)
        null = self._null(element)

        def occurrence(value: Json, out: list[str]) -> None:
            if value is None:
                out.append(nil)
            elif null is not None and NILLED in value:
                out.append(start)
                null(value, out)
                out.append(' xsi:nil="true"/>')
            else:
                out.append(start)
                write(value, out, end)

        return occurrence

    def _null(self, element: Element) -> Content | None:
        """Writes the attributes of an element that is null."""
        found = self._form.type(element.type)
        if not element.nillable or not isinstance(found, Complex) or not (found.attributes or found.open):
            return None
        return attributes_writer(self._form, found, self._name)

    def _type(self, key: str) -> Write:
        """The writer of the type called `key`; types reach each other through the table, so they may recur."""
        if key not in self._types:
            self._types[key] = lambda value, out, end: self._types[key](value, out, end)
            self._types[key] = self._compile(key)
        return self._types[key]

    def _compile(self, key: str) -> Write:
        found = self._form.type(key)
        if isinstance(found, Simple):
            return self._simple(key)
        if key == ANY_TYPE:
            return any_type
        if found.array:
            return self._array(found)
        if not found.stands_in:
            return self._complex(found)
        return self._family(key, found)

    def _simple(self, key: str, fixed: str | None = None) -> Write:
        encode = encoder(self._form, key, fixed)
        if holds_names(self._form, key):
            return names_writer(encode)
        if encode is BASE64.encode:
            return lambda value, out, end: out.append(f">{attached(value, out)}{end}")
        if encode is str:
            return lambda value, out, end: out.append(f">{escape(value)}{end}")
        return lambda value, out, end: out.append(f">{escape(encode(value))}{end}")

    def _family(self, key: str, base: Complex) -> Write:
        """A type that others may stand in for: `@xsi:type` says which."""
        writers: dict[str, tuple[str, Write]] = {}
        for member, name in type_names(self._form, (key, *base.derived)).items():
            found = self._form.type(member)
            if isinstance(found, Complex):
                qname = self._name(found.name, found.namespace)
                plain = member == key and not base.abstract and self._encoded is None
                mark = "" if plain else f' xsi:type="{qname}"'
                writers[name] = (mark, self._complex(found))
        own = next(iter(writers), "")

        def write(value: Json, out: list[str], end: str) -> None:
            mark, writer = writers[value.get(TYPE, own)]
            out.append(mark)
            writer(value, out, end)

        return write

    def _array(self, found: Complex) -> Write:
        mark = (self._encoded or Encoded(self._form, self._name, "1.1")).array(found)
        content, ((item),) = self._body(found), members(found.content or Group("sequence", ()))
        name = item.label if isinstance(item, Element) else ""

        def write(value: Json, out: list[str], end: str) -> None:
            items, size = at(name, lambda given: flattened(given, found.dimensions), value.get(name, []))
            out.append(mark.format((" " if self._soap == "1.2" else ",").join(map(str, size))))
            out.append(">")
            content({name: items}, out)
            out.append(end)

        return write

    def _complex(self, found: Complex) -> Write:
        attributes = attributes_writer(self._form, found, self._name)
        content = self._body(found)
        names = found.text is not None and holds_names(self._form, found.text)

        def write(value: Json, out: list[str], end: str) -> None:
            attributes(value, out)
            if names:
                out.append(prefixed(value[TEXT], "q")[0])
            out.append(">")
            content(value, out)
            out.append(end)

        return write

    def _body(self, found: Complex) -> Content:
        if found.text is not None:
            encode = encoder(self._form, found.text)
            if holds_names(self._form, found.text):
                return lambda value, out: out.append(at(TEXT, lambda text: prefixed(encode(text), "q")[1], value[TEXT]))
            if encode is BASE64.encode:
                return lambda value, out: out.append(at(TEXT, lambda text: attached(text, out), value[TEXT]))
            return lambda value, out: out.append(at(TEXT, lambda text: escape(encode(text)), value[TEXT]))
        if found.mixed:
            return lambda value, out: out.append(at(TEXT, fragment, value[TEXT]))
        if found.content is None:
            return lambda value, out: None
        content = self._group(found.content)
        return content if found.order is None else ordered(found.order, content)

    def _sequence(self, items: tuple[Particle, ...]) -> Content:
        writers = [self._particle(item) for item in items]

        def write(value: Object, out: list[str]) -> None:
            for writer in writers:
                writer(value, out)

        return write

    def _particle(self, particle: Particle) -> Content:
        if isinstance(particle, Element):
            return self._property(particle)
        if isinstance(particle, Wildcard):
            return wildcards
        return self._repeated(particle) if particle.key else self._group(particle)

    def _property(self, element: Element) -> Content:
        """Writes all occurrences of `element` that the object around it has."""
        name, occurrence = element.label, self._element(element)

        def single(value: Object, out: list[str]) -> None:
            if name in value:
                try:
                    occurrence(value[name], out)
                except BadValue as error:
                    error.path.insert(0, name)
                    raise

        def repeated(value: Object, out: list[str]) -> None:
            for index, item in enumerate(value.get(name, ())):
                try:
                    occurrence(item, out)
                except BadValue as error:
                    error.path[:0] = [name, index]
                    raise

        return repeated if element.repeated else single

    def _repeated(self, group: Group) -> Content:
        key, write = group.key, self._group(group)

        def repetitions(value: Object, out: list[str]) -> None:
            for index, item in enumerate(value.get(key, ())):
                try:
                    write(item, out)
                except BadValue as error:
                    error.path[:0] = [key, index]
                    raise

        return repetitions

    def _group(self, group: Group) -> Content:
        if group.order != "choice":
            return self._sequence(group.items)
        names = [frozenset(labels(item)) for item in group.items]
        if sum(map(len, names)) == len(frozenset().union(*names)):
            return self._sequence(group.items)
        return self._ambiguous(group, names)

    def _ambiguous(self, group: Group, names: list[frozenset[str]]) -> Content:
        """A choice whose branches share names: the branch that has most of the value's is meant."""
        everything = frozenset[str]().union(*names)
        branches = list(zip(names, map(self._particle, group.items), strict=True))

        def write(value: Object, out: list[str]) -> None:
            present = everything & value.keys()
            if present:
                _, writer = min(branches, key=lambda branch: (len(present - branch[0]), len(branch[0] - present)))
                writer(value, out)

        return write
