"""XML kept as text in JSON: content that the schema leaves open (wildcards, mixed content, anyType)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree

from adapters.contract import Json
from adapters.soap.resolver import XSD, Unreadable, parse_document
from adapters.soap.values import BadValue, escape, escape_attribute

_NAME = re.compile(r"[^\W\d][\w.-]*")
_XML = "http://www.w3.org/XML/1998/namespace"
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


def spelt_name(name: str) -> str:
    """`{namespace}local` as JSON spells it: `xsd:local` for XML Schema's own, without braces where there is no
    namespace."""
    namespace, _, local = name.rpartition("}")
    if namespace in ("", "{"):
        return local
    return f"xsd:{local}" if namespace == XSD[:-1] else name


def read_name(text: str) -> tuple[str, str]:
    """Namespace and local name that `spelt_name` wrote; raises `BadValue` when it isn't such a name."""
    namespace, _, local = text.rpartition("}")
    if text.startswith("xsd:"):
        namespace, local = XSD[:-1], text[4:]
    if _NAME.fullmatch(local) is None or (namespace and not namespace.startswith("{")):
        raise BadValue("isn't a name such as {namespace}name")
    return namespace[1:], local


def other_attributes(value: Mapping[str, Json], known: frozenset[str]) -> str:
    """The properties of `value` that are attributes its schema doesn't name, called `@name` or `@{namespace}name`;
    raises `BadValue`."""
    prefixes: dict[str, str] = {_XML: "xml"}
    written: list[str] = []
    for key in value:
        if not key.startswith("@") or key in known:
            continue
        try:
            namespace, local = read_name(key[1:])
            if namespace == XSI or local.startswith("xmlns"):
                raise BadValue("isn't an attribute that may be set")
            text = escape_attribute(str(value[key]))
        except BadValue as error:
            error.path.insert(0, key)
            raise
        if namespace and namespace not in prefixes:
            prefixes[namespace] = f"a{len(prefixes)}"
            written.append(f' xmlns:{prefixes[namespace]}="{escape_attribute(namespace)}"')
        prefix = f"{prefixes[namespace]}:" if namespace else ""
        written.append(f' {prefix}{local}="{text}"')
    return "".join(written)


def _with_tail(node: etree._Element) -> str:
    return outer_xml(node) + escape(node.tail or "")
