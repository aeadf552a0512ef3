"""Rules of simple types that JSON Schema has no words for, checked on a request's text by libxml2 (XML Schema part 2,
section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from xml.sax.saxutils import quoteattr

from lxml import etree

from adapters.soap.decimals import DECIMAL_NUMBER, INTEGER_TEXT
from adapters.soap.form import Simple
from adapters.soap.names import QNAME
from adapters.soap.patterns import translated
from adapters.soap.scalars import FLOATS, INTEGERS, TEXT_PATTERNS
from adapters.soap.values import BadValue

_BOUNDS = ("minInclusive", "maxInclusive", "minExclusive", "maxExclusive")
_LENGTHS = ("length", "minLength", "maxLength")
_MOMENTS = frozenset({"dateTime", "date", *TEXT_PATTERNS})
_BINARY = frozenset({"base64Binary", "hexBinary"})
# What libxml2 has no type for, or needs more than the text to judge.
_OURS = frozenset({DECIMAL_NUMBER, INTEGER_TEXT, QNAME})
# Types of one spelling, whose lists of values JSON Schema checks itself.
_SPELT_BY_JSON = frozenset({"boolean", "decimal", *_MOMENTS, *_BINARY, *FLOATS})


def checker(simple: Simple) -> Callable[[str], None] | None:
    """Raises `BadValue` for text that breaks a rule of `simple` which its JSON Schema can't say; None when it says all
    of them."""
    facets = _unsaid(simple)
    schema = _compiled(simple.primitive, facets) if facets and simple.primitive not in _OURS else None
    if schema is None:
        return None

    def check(text: str) -> None:
        node = etree.Element("v")
        node.text = text
        if not schema.validate(node):
            raise BadValue("breaks a rule of its type")

    return check


def fits(simple: Simple) -> Callable[[str], bool]:
    """Whether a text keeps to all facets of an atomic type; what libxml2 can't judge does."""
    found: list[tuple[str, tuple[str, ...]]] = [("pattern", step) for step in simple.patterns]
    found += [("enumeration", simple.enumeration)] if simple.enumeration else []
    found += [(name, (value,)) for name, value in simple.facets.items() if name != "whiteSpace"]
    schema = _compiled(simple.primitive, tuple(found)) if found and simple.primitive not in _OURS else None
    if schema is None:
        return lambda text: True

    def accepts(text: str) -> bool:
        node = etree.Element("v")
        node.text = text
        return bool(schema.validate(node))

    return accepts


def _unsaid(simple: Simple) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each step's facet and its values: alternatives of a pattern or enumeration, else one."""
    kind = simple.primitive
    found: list[tuple[str, tuple[str, ...]]] = []
    for step in simple.patterns:
        if not _is_text(kind) or translated(step) is None:
            found.append(("pattern", step))
    if simple.enumeration and kind in _SPELT_BY_JSON:
        found.append(("enumeration", simple.enumeration))
    names = (*(_BOUNDS if kind in _MOMENTS else ()), *(_LENGTHS if kind in _BINARY else ()))
    if kind in INTEGERS:
        names = ("totalDigits",)
    found += [(name, (simple.facets[name],)) for name in names if name in simple.facets]
    return tuple(found)


def _is_text(kind: str) -> bool:
    return kind not in _SPELT_BY_JSON and kind not in INTEGERS


@lru_cache(maxsize=1024)
def _compiled(kind: str, facets: tuple[tuple[str, tuple[str, ...]], ...]) -> etree.XMLSchema | None:
    """A schema of one element; None for rules that libxml2 can't read either."""
    base = f'<xs:restriction base="xs:{kind}">'
    for name, values in facets:
        rules = "".join(f"<xs:{name} value={quoteattr(value)}/>" for value in values)
        base = f"<xs:restriction><xs:simpleType>{base}</xs:restriction></xs:simpleType>{rules}"
    text = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="v"><xs:simpleType>'
        f"{base}</xs:restriction></xs:simpleType></xs:element></xs:schema>"
    )
    try:
        return etree.XMLSchema(etree.fromstring(text))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError):
        return None
