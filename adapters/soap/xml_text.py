"""XML kept as text in JSON: content that the schema leaves open (wildcards, mixed content, anyType)."""

from __future__ import annotations

from lxml import etree

from adapters.contract import Json
from adapters.soap.resolver import Unreadable, parse_document
from adapters.soap.values import BadValue, escape

XSI = "http://www.w3.org/2001/XMLSchema-instance"


def inner_xml(node: etree._Element) -> str:
    """What stands between an element's tags, as XML text."""
    return escape(node.text or "") + "".join(map(_with_tail, node))


def outer_xml(node: etree._Element) -> str:
    """An element as XML text that stands alone: with the namespaces that it uses, xsi:type's prefixes included, and
    no others (Exclusive XML Canonicalization)."""
    said = [str(each.get(f"{{{XSI}}}type", "")) for each in node.iter()]
    prefixes = [text.partition(":")[0] for text in said if ":" in text]
    return etree.tostring(node, method="c14n", exclusive=True, with_tail=False, inclusive_ns_prefixes=prefixes).decode()


def fragment(text: Json, *, single: bool = False) -> str:
    """XML text from a caller, checked and written anew, so that it can't reach out of its place."""
    try:
        root = parse_document(f"<x>{text}</x>".encode("utf-8", "surrogatepass"))
    except Unreadable:
        raise BadValue("isn't well-formed XML") from None
    if single and (len(root) != 1 or (root.text or "").strip() or (root[0].tail or "").strip()):
        raise BadValue("isn't one XML element")
    return escape(root.text or "") + "".join(map(_with_tail, root))


def _with_tail(node: etree._Element) -> str:
    return outer_xml(node) + escape(node.tail or "")
