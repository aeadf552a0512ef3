"""Compiles the attributes of complex types (XML Schema part 1, sections 3.2 and 3.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from lxml import etree

from adapters.soap.form import BUILTIN, Attribute
from adapters.soap.resolver import SchemaSource
from adapters.soap.xsd import CannotExpress, Component, Schemas, child, children, documentation, local, qualified

_TypeOf: TypeAlias = Callable[[etree._Element, SchemaSource, str], str]
_DEPTH = 50


class Attributes:
    """`type_of` compiles the type of a declaration under a key."""

    def __init__(self, schemas: Schemas, type_of: _TypeOf) -> None:
        self._schemas = schemas
        self._type_of = type_of

    def of(
        self, node: etree._Element, inherited: tuple[Attribute, ...], key: str, source: SchemaSource
    ) -> tuple[Attribute, ...]:
        """`inherited` with what `node` adds, changes and prohibits; those that share a name are spelt apart."""
        found = {each.tag: replace(each, spelling="") for each in inherited}
        self._gather(node, found, key, source, 0)
        count = Counter(each.name for each in found.values())
        return tuple(
            each if count[each.name] == 1 else replace(each, spelling=f"{{{each.namespace}}}{each.name}")
            for each in found.values()
        )

    def open(self, node: etree._Element, source: SchemaSource, depth: int = 0) -> bool:
        """Whether `node` takes attributes that the schema doesn't name."""
        if child(node, "anyAttribute") is not None:
            return True
        return any(self.open(each.node, each.source, depth + 1) for each in self._groups(node, source, depth))

    def _gather(
        self, node: etree._Element, found: dict[str, Attribute], key: str, source: SchemaSource, depth: int
    ) -> None:
        for group in self._groups(node, source, depth):
            name = f"{{{group.source.namespace}}}{group.node.get('name')}"
            self._gather(group.node, found, name, group.source, depth + 1)
        for each in children(node):
            if local(each) == "attribute":
                attribute = self._attribute(each, key, source)
                if each.get("use") == "prohibited":
                    found.pop(attribute.tag, None)
                else:
                    found[attribute.tag] = attribute

    def _groups(self, node: etree._Element, source: SchemaSource, depth: int) -> Iterator[Component]:
        for each in children(node):
            if local(each) == "attributeGroup" and each.get("ref") is not None:
                name = qualified(each.get("ref", ""), each, source)
                if depth > _DEPTH:
                    raise CannotExpress(f"attributeGroup {name}, which contains itself or is nested too deep")
                yield self._schemas.get("attributeGroup", name)

    def _attribute(self, node: etree._Element, key: str, source: SchemaSource) -> Attribute:
        reference = node.get("ref")
        required = node.get("use") == "required"
        if reference is not None:
            return replace(self._referred(reference, node, source), required=required, **_given(node))
        form = node.get("form", source.root.get("attributeFormDefault", "unqualified"))
        return self._declared(node, source.namespace if form == "qualified" else "", required, key, source)

    def _referred(self, reference: str, node: etree._Element, source: SchemaSource) -> Attribute:
        name = qualified(reference, node, source)
        component = self._schemas.get("attribute", name)
        namespace = component.source.namespace
        return self._declared(component.node, namespace, False, name + "#attribute", component.source)

    def _declared(
        self, node: etree._Element, namespace: str, required: bool, key: str, source: SchemaSource
    ) -> Attribute:
        named = node.get("type") is not None or child(node, "simpleType") is not None
        below = key if key.endswith("#attribute") else f"{key}/@{node.get('name')}"
        return Attribute(
            name=node.get("name", ""),
            namespace=namespace,
            type=self._type_of(node, source, below) if named else BUILTIN + "anySimpleType",
            required=required,
            default=node.get("default"),
            fixed=node.get("fixed"),
            documentation=documentation(node),
        )


def _given(node: etree._Element) -> dict[str, str]:
    """What a reference says itself instead of the declaration."""
    return {name: value for name in ("default", "fixed") if (value := node.get(name)) is not None}
