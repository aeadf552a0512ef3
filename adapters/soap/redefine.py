"""`xsd:redefine` (XML Schema part 1, section 4.2.2), undone: the old components step aside under another name, and the
new ones, which are made from them, take their place."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

XSD = "{http://www.w3.org/2001/XMLSchema}"
OLD = ".redefined"
"""What the old component's name ends with."""
_KINDS = {
    XSD + "simpleType": ("restriction",),
    XSD + "complexType": ("extension", "restriction"),
    XSD + "group": ("group",),
    XSD + "attributeGroup": ("attributeGroup",),
}


def redefined(redefine: etree._Element, redefining: etree._Element, schemas: Iterable[etree._Element]) -> None:
    """Moves what `redefine` holds into `redefining`, the schema that it stands in. `schemas` are those of the same
    namespace, in which the old components stand."""
    known = list(schemas)
    for node in list(redefine):
        inner = _KINDS.get(str(node.tag))
        name = node.get("name")
        if inner is None or not name:
            continue
        old = next((each for root in known for each in root.iterfind(str(node.tag)) if each.get("name") == name), None)
        if old is not None:
            old.set("name", name + OLD)
            for each in node.iter(*(XSD + kind for kind in inner)):
                _step_aside(each, name)
        redefining.append(node)


def _step_aside(node: etree._Element, name: str) -> None:
    for attribute in ("base", "ref"):
        text = node.get(attribute, "").strip()
        if text.rpartition(":")[2] == name:
            node.set(attribute, text + OLD)
