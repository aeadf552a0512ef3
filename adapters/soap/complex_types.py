"""Compiles complex types of XML Schema (part 1) into the form: inheritance laid out, groups resolved, names checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lxml import etree

from adapters.soap.alike import alike
from adapters.soap.attributes import Attributes
from adapters.soap.content import arranged, elements
from adapters.soap.encoded import ARRAYS, array_of, item_type
from adapters.soap.form import (
    ANY_TYPE,
    BUILTIN,
    Attribute,
    Complex,
    Element,
    Group,
    Particle,
    Simple,
    Type,
    Wildcard,
    builtin,
)
from adapters.soap.resolver import XSD, SchemaSource
from adapters.soap.simple_types import SimpleTypes
from adapters.soap.xsd import (
    CannotExpress,
    Schemas,
    child,
    children,
    documentation,
    flag,
    local,
    occurs,
    place,
    qualified,
    type_key,
)

_MODELS = ("sequence", "choice", "all", "group")
_DEPTH = 200


class Types:
    """Compiles types on demand. `types` is the table of the form; `broken` says which types have no form, and why."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self.types: dict[str, Type] = {}
        self.broken: dict[str, CannotExpress] = {}
        self._simple = SimpleTypes(schemas, self.types)
        self._attributes = Attributes(schemas, self._type_of)
        self._alike = alike(self.types)
        self._models: dict[str, Group] = {}
        """Each complex type's content as its schema has it, which types derived from it go on from."""
        self._anonymous: dict[etree._Element, str] = {}
        self._waiting: list[str] = []
        self._open: list[str] = []
        self._groups: list[str] = []
        """What is being compiled: types, each within the one before, and the groups within the last of them."""

    def need(self, key: str) -> None:
        """Compiles the type called `key` and all that it reaches."""
        self._waiting.append(key)
        while self._waiting:
            self._one(self._waiting.pop())

    def global_element(self, name: str) -> Element:
        """The global element called "{namespace}local"; raises `CannotExpress`."""
        if name.startswith(BUILTIN):  # A schema within a message, as .NET's DataSet has it.
            return Element(name.removeprefix(BUILTIN), XSD[1:-1], ANY_TYPE)
        component = self._schemas.get("element", name)
        return self._declared(component.node, component.source, name + "#element", qualified_name=True)

    def _one(self, key: str) -> None:
        if key.startswith(BUILTIN) or key in self.types or key in self.broken:
            return
        try:
            self._compile(key)
        except CannotExpress as error:
            self.broken[key] = error.at(self._place(key))

    def _place(self, key: str) -> str:
        found = self._schemas.find("complexType", key) or self._schemas.find("simpleType", key)
        return "" if found is None else place(found.source.path, found.node)

    def _compile(self, key: str) -> Simple | Complex:
        known = builtin(key) if key.startswith(BUILTIN) else self.types.get(key)
        if known is not None:
            return known
        if key in ARRAYS:
            self.types[key] = array_of(ANY_TYPE, "item")
            return self.types[key]
        component = self._schemas.type(key)
        if local(component.node) == "simpleType":
            return self._simple.named(key)
        return self._complex(component.node, key, component.source)

    def _complex(self, node: etree._Element, key: str, source: SchemaSource) -> Complex:
        if key in self._open or len(self._open) > _DEPTH:
            raise CannotExpress(f"type {key}, which is derived from itself or nested too deep")
        self._open.append(key)
        # A group may be met again within a type of an element of its own.
        outer, self._groups = self._groups, []
        try:
            compiled = replace(
                self._body(node, key, source),
                name=node.get("name", ""),
                namespace=source.namespace,
                abstract=flag(node, "abstract"),
                derived=tuple(self._schemas.descendants(self._schemas.derived, key)),
                documentation=documentation(node),
            )
        finally:
            self._open.pop()
            self._groups = outer
        self.types[key] = compiled
        self._waiting.extend(compiled.derived)
        return compiled

    def _body(self, node: etree._Element, key: str, source: SchemaSource) -> Complex:
        simple = child(node, "simpleContent")
        if simple is not None:
            return self._simple_content(simple, key, source)
        content = child(node, "complexContent")
        if content is None:
            empty = Complex("", "", mixed=flag(node, "mixed"))
            return self._laid_out(node, empty, None, key, source)
        derivation = child(content, "extension", "restriction")
        if derivation is None:
            return Complex("", "")
        name = type_key(derivation.get("base", ""), derivation, source)
        if name in ARRAYS:
            return self._array(derivation, key, source)
        base = self._compile(name)
        if isinstance(base, Complex) and base.array:
            return base
        if not isinstance(base, Complex):
            raise CannotExpress(f"type {key}, which derives complex content from a simple type")
        mixed = flag(node, "mixed") or flag(content, "mixed")
        if local(derivation) == "extension":
            base = replace(base, mixed=mixed or base.mixed)
            return self._laid_out(derivation, base, self._models.get(name), key, source)
        return self._laid_out(derivation, replace(base, mixed=mixed, open=False), None, key, source)

    def _laid_out(
        self, node: etree._Element, base: Complex, inherited: Group | None, key: str, source: SchemaSource
    ) -> Complex:
        """`base` with the content `inherited`, followed by the content and attributes in `node`."""
        model = child(node, *_MODELS)
        own = None if model is None else self._particle(model, key, source)
        parts = tuple(each for each in (inherited, own) if each is not None)
        content, order = None, None
        if parts:
            self._models[key] = Group("sequence", parts)
            content, order = arranged(self._models[key], key, self._alike)
        attributes = self._attributes.of(node, base.attributes, key, source)
        opened = base.open or self._attributes.open(node, source)
        return replace(base, content=content, order=order, attributes=attributes, open=opened)

    def _array(self, node: etree._Element, key: str, source: SchemaSource) -> Complex:
        """An array of SOAP encoding, restricted to items of one type."""
        model = child(node, *_MODELS)
        listed = () if model is None else tuple(elements(self._particle(model, key, source)))
        item, levels = item_type(node, source)
        if not item:
            item = listed[0].type if listed else ANY_TYPE
        self._waiting.append(item)
        name = listed[0].name if listed else "item"
        for level, dimensions in enumerate(levels[:-1], 1):
            inner = f"{key}/{'[]' * level}"
            self.types[inner] = array_of(item, name, dimensions)
            item = inner
        return array_of(item, name, levels[-1])

    def _simple_content(self, node: etree._Element, key: str, source: SchemaSource) -> Complex:
        derivation = child(node, "extension", "restriction")
        if derivation is None:
            raise CannotExpress(f"type {key}, whose content is empty")
        name = type_key(derivation.get("base", ""), derivation, source)
        base = self._compile(name)
        attributes: tuple[Attribute, ...] = ()
        if isinstance(base, Simple):
            text = name
        elif base.text is None:
            raise CannotExpress(f"type {key}, which derives simple content from complex content")
        else:
            text, attributes = base.text, base.attributes
        if local(derivation) == "restriction":
            narrowed = self._simple.restricted(derivation, self._simple.named(text))
            text = key + "/#text"
            self.types[text] = narrowed
        opened = isinstance(base, Complex) and base.open
        return Complex(
            "",
            "",
            text=text,
            attributes=self._attributes.of(derivation, attributes, key, source),
            open=opened or self._attributes.open(derivation, source),
        )

    def _particle(self, node: etree._Element, key: str, source: SchemaSource) -> Particle:
        kind = local(node)
        least, most = occurs(node)
        if kind == "any":
            return Wildcard(least, most)
        if kind == "element":
            return self._element(node, key, source)
        if kind == "group":
            return self._group(node, key, source)
        items = tuple(self._particle(each, key, source) for each in children(node))
        order = {"sequence": "sequence", "choice": "choice", "all": "all"}[kind]
        return Group(order, items, least, most)  # type: ignore[arg-type]

    def _group(self, node: etree._Element, key: str, source: SchemaSource) -> Particle:
        name = qualified(node.get("ref", ""), node, source)
        component = self._schemas.get("group", name)
        model = child(component.node, *_MODELS)
        if model is None or name in self._groups or len(self._groups) > _DEPTH:
            raise CannotExpress(f"group {name}, which is empty or contains itself")
        self._groups.append(name)
        try:
            content = self._particle(model, key, component.source)
        finally:
            self._groups.pop()
        least, most = occurs(node)
        return content if (least, most) == (1, 1) else Group("sequence", (content,), least, most)

    def _element(self, node: etree._Element, key: str, source: SchemaSource) -> Particle:
        least, most = occurs(node)
        reference = node.get("ref")
        if reference is None:
            declared = self._declared(node, source, f"{key}/{node.get('name')}", qualified_name=False)
            return replace(declared, least=least, most=most)
        name = qualified(reference, node, source)
        element = replace(self.global_element(name), least=least, most=most)
        substitutes = tuple(self._substitutes(name))
        if not substitutes:
            return element
        heads = (
            () if flag(self._schemas.get("element", name).node, "abstract") else (replace(element, least=1, most=1),)
        )
        return Group("choice", (*heads, *substitutes), least, most)

    def _substitutes(self, name: str) -> Iterator[Element]:
        for substitute in self._schemas.descendants(self._schemas.substitutes, name):
            if not flag(self._schemas.get("element", substitute).node, "abstract"):
                yield self.global_element(substitute)

    def _declared(self, node: etree._Element, source: SchemaSource, key: str, *, qualified_name: bool) -> Element:
        form = node.get("form", source.root.get("elementFormDefault", "unqualified"))
        return Element(
            name=node.get("name", ""),
            namespace=source.namespace if qualified_name or form == "qualified" else "",
            type=self._type_of(node, source, key),
            nillable=flag(node, "nillable"),
            default=node.get("default"),
            fixed=node.get("fixed"),
            documentation=documentation(node),
        )

    def _type_of(self, node: etree._Element, source: SchemaSource, key: str) -> str:
        """The key of an element's or attribute's type, which is compiled, or will be."""
        named = node.get("type")
        inline = child(node, "complexType", "simpleType")
        head = node.get("substitutionGroup")
        if named is not None:
            found = type_key(named, node, source)
            self._waiting.append(found)
            return found
        if inline is None:
            return self.global_element(qualified(head, node, source)).type if head else ANY_TYPE
        known = self._anonymous.get(inline)
        if known is not None:  # A group's members are met once for each type that uses it, or reach themselves.
            return known
        key = self._anonymous[inline] = self._free(key)
        try:
            if local(inline) == "simpleType":
                self._simple.compile(inline, key, source)
            else:
                self._complex(inline, key, source)
        except CannotExpress:
            del self._anonymous[inline]
            raise
        return key

    def _free(self, key: str) -> str:
        """`key`, or a variant when two anonymous types below one owner share it."""
        free, number = key, 2
        while free in self.types or free in self._open:
            free, number = f"{key}~{number}", number + 1
        return free
