"""Compiles simple types of XML Schema (part 2) into the form, with the facets that they inherit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation

from lxml import etree

from adapters.soap.form import BUILTIN, Complex, Simple, Type, builtin
from adapters.soap.names import QNAME, named
from adapters.soap.resolver import SchemaSource
from adapters.soap.scalars import FLOATS, INTEGERS
from adapters.soap.values import BadValue
from adapters.soap.xsd import CannotExpress, Schemas, child, children, documentation, local, type_key

_COUNTS = frozenset({"length", "minLength", "maxLength", "totalDigits", "fractionDigits"})
_BOUNDS = frozenset({"minInclusive", "maxInclusive", "minExclusive", "maxExclusive"})


class SimpleTypes:
    """Compiles simple types on demand into `types`."""

    def __init__(self, schemas: Schemas, types: dict[str, Type]) -> None:
        self._schemas = schemas
        self._types = types

    def named(self, key: str) -> Simple:
        """The simple type called `key`, the simple content of a complex type included; raises `CannotExpress`."""
        known = builtin(key) if key.startswith(BUILTIN) else self._types.get(key)
        if known is None:
            component = self._schemas.get("simpleType", key)
            known = self.compile(component.node, key, component.source)
        if isinstance(known, Complex):
            raise CannotExpress(f"{key} as a simple type")
        return known

    def compile(self, node: etree._Element, key: str, source: SchemaSource) -> Simple:
        """Compiles the `xsd:simpleType` node into the entry `key`."""
        variety = child(node, "restriction", "list", "union")
        if variety is None:
            raise CannotExpress(f"simple type {key}, which is empty")
        name = node.get("name", "")
        if local(variety) == "restriction":
            simple = self.restricted(variety, self._base(variety, key, source))
        elif local(variety) == "list":
            simple = Simple(name, "", "string", "list", (self._item(variety, key, source),))
        else:
            simple = Simple(name, "", "string", "union", self._members(variety, key, source))
        simple = replace(simple, name=name, namespace=source.namespace, documentation=documentation(node))
        self._types[key] = simple
        return simple

    def restricted(self, node: etree._Element, base: Simple) -> Simple:
        """`base` narrowed by the facets in `node`."""
        facets = dict(base.facets)
        enumeration: list[str] = []
        patterns: list[str] = []
        for facet in children(node):
            value = facet.get("value", "")
            if local(facet) == "enumeration":
                enumeration.append(_listed(base, facet, value))
            elif local(facet) == "pattern":
                patterns.append(value)
            elif local(facet) in _BOUNDS and base.primitive in (*INTEGERS, *FLOATS, "decimal"):
                facets[local(facet)] = _number(facet, value, whole=base.primitive in INTEGERS)
            elif local(facet) in _BOUNDS:
                facets[local(facet)] = value.strip()
            elif local(facet) in _COUNTS:
                facets[local(facet)] = _number(facet, value)
            elif local(facet) == "whiteSpace":
                facets["whiteSpace"] = value
        return replace(
            base,
            enumeration=tuple(enumeration) or base.enumeration,
            patterns=(*base.patterns, tuple(patterns)) if patterns else base.patterns,
            facets=facets,
        )

    def _base(self, node: etree._Element, key: str, source: SchemaSource) -> Simple:
        inline = child(node, "simpleType")
        if inline is not None:
            return self.compile(inline, key + "/#base", source)
        return self.named(type_key(node.get("base", ""), node, source))

    def _item(self, node: etree._Element, key: str, source: SchemaSource) -> str:
        inline = child(node, "simpleType")
        if inline is not None:
            self.compile(inline, key + "/#item", source)
            return key + "/#item"
        return self._key(node.get("itemType", ""), node, source)

    def _members(self, node: etree._Element, key: str, source: SchemaSource) -> tuple[str, ...]:
        members = [self._key(text, node, source) for text in node.get("memberTypes", "").split()]
        for number, inline in enumerate(each for each in children(node) if local(each) == "simpleType"):
            self.compile(inline, f"{key}/#member{number}", source)
            members.append(f"{key}/#member{number}")
        return tuple(members)

    def _key(self, text: str, node: etree._Element, source: SchemaSource) -> str:
        key = type_key(text, node, source)
        self.named(key)
        return key


def _listed(base: Simple, facet: etree._Element, value: str) -> str:
    if base.variety == "atomic" and base.primitive == QNAME:
        try:
            return named(value, facet)
        except BadValue as error:
            raise CannotExpress(f"the value '{value[:40]}', which {error.message}") from None
    return _number(facet, value) if base.primitive in INTEGERS else value


def _number(facet: etree._Element, value: str, *, whole: bool = True) -> str:
    """A facet's number in its plain spelling; raises `CannotExpress`."""
    try:
        number = Decimal(value.strip())
        if number.is_finite() and (not whole or number == number.to_integral_value()):
            return format(number.to_integral_value() if whole else number, "f")
    except InvalidOperation:
        pass
    raise CannotExpress(f"the facet {local(facet)} with the value '{value[:40]}'")
