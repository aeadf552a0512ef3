"""What SOAP encoding adds to the elements of a request: their types, and the size of arrays (SOAP 1.1, section 5;
SOAP 1.2 part 2, section 3)."""

from __future__ import annotations

from collections.abc import Callable

from adapters.soap.encoded import ARRAY_TYPE
from adapters.soap.form import BUILTIN, Complex, Form, Simple
from adapters.soap.resolver import XSD
from adapters.soap.xsd import ENCODINGS

_STYLES = {
    "1.1": ("http://schemas.xmlsoap.org/soap/envelope/", ENCODINGS[0]),
    "1.2": ("http://www.w3.org/2003/05/soap-envelope", ENCODINGS[1]),
}


class Encoded:
    """`name` spells a local name and namespace with a prefix that the message declares."""

    def __init__(self, form: Form, name: Callable[[str, str], str], soap: str) -> None:
        self._form = form
        self._name = name
        self._soap = soap

    @property
    def style(self) -> str:
        """The attribute that says of the body's element that it is encoded."""
        envelope, encoding = _STYLES[self._soap]
        return f' {self._name("encodingStyle", envelope)}="{encoding}"'

    def mark(self, key: str) -> str:
        """The `xsi:type` of an element whose type is called `key`; "" where its writer or nobody says it."""
        found = self._form.type(key)
        if isinstance(found, Complex) and (found.array or found.derived or not found.name or found.mixed):
            return ""
        return f' xsi:type="{self._qname(key)}"'

    def array(self, found: Complex) -> str:
        """The attributes of an array, with a place for the number of its items."""
        encoding = _STYLES[self._soap][1]
        array = f' xsi:type="{self._name("Array", encoding)}"'
        item, dimensions = found.array, ""
        while isinstance(inner := self._form.type(item), Complex) and inner.array:
            item, dimensions = inner.array, f"[{',' * (inner.dimensions - 1)}]{dimensions}"
        if self._soap == "1.1":
            return f'{array} {self._name(ARRAY_TYPE, encoding)}="{self._qname(item)}{dimensions}[{{}}]"'
        kind = self._name("Array", encoding) if dimensions else self._qname(item)
        return f'{array} {self._name("itemType", encoding)}="{kind}" {self._name("arraySize", encoding)}="{{}}"'

    def _qname(self, key: str) -> str:
        found = self._form.type(key)
        if key.startswith(BUILTIN):
            return self._name(found.name, XSD[1:-1])
        if found.name:
            return self._name(found.name, found.namespace)
        return self._name(found.primitive if isinstance(found, Simple) else "anyType", XSD[1:-1])
