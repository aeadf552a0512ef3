"""Qualified names as values (XML Schema part 2, section 3.2.18): `{namespace}local` in JSON, prefixed in XML."""

from __future__ import annotations

import re

from lxml import etree

from adapters.contract import Json
from adapters.soap.form import Form, Simple
from adapters.soap.values import BadValue, Codec, escape_attribute
from adapters.soap.xml_text import read_name, spelt_name

QNAME = "QName"
_SPACE = r"(?:\{[!#-;=?-z|~]{1,300}\}|xsd:)?"
QNAME_PATTERN = _SPACE + "[A-Za-z_][A-Za-z0-9_.-]*"
_QNAME = re.compile(_SPACE + r"[^\W\d][\w.-]*")


def holds_names(form: Form, key: str) -> bool:
    """Whether a value of the simple type called `key` is a qualified name, or a list of them."""
    found = form.type(key)
    if not isinstance(found, Simple) or found.variety == "union":
        return False
    return holds_names(form, found.members[0]) if found.variety == "list" else found.primitive == QNAME


def named(text: str, node: etree._Element) -> str:
    """`text`, one or more names that were written at `node`, without prefixes; raises `BadValue`."""
    return " ".join(_named(each, node) for each in text.split())


def _named(text: str, node: etree._Element) -> str:
    prefix, colon, local = text.rpartition(":")
    namespace = node.nsmap.get(prefix or None)
    if colon and (namespace is None or not prefix):
        raise BadValue("has a prefix that isn't declared")
    return spelt_name(f"{{{namespace or ''}}}{local}")


def prefixed(text: str, mark: str) -> tuple[str, str]:
    """The declarations that the names in `text` need, as attributes, and the names with prefixes that begin with
    `mark`; raises `BadValue`."""
    declared, names = "", []
    for number, each in enumerate(text.split()):
        namespace, local = read_name(each)
        if namespace:
            declared += f' xmlns:{mark}{number}="{escape_attribute(namespace)}"'
        names.append(f"{mark}{number}:{local}" if namespace else local)
    return declared, " ".join(names)


def _checked(text: Json) -> str:
    name = str(text).strip()
    if _QNAME.fullmatch(name) is None:
        raise BadValue("isn't a qualified name")
    return name


NAME = Codec(_checked, _checked)
"""Of one name, in JSON's spelling on both sides: what stands around it knows the prefixes."""
