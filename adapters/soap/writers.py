"""The small writers that rendering is put together from, and the errors they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from adapters.contract import Json
from adapters.soap.attachments import Outgoing, text_of
from adapters.soap.form import ITEMS, TEXT, TYPE, WILD, Group
from adapters.soap.names import prefixed
from adapters.soap.order import follows
from adapters.soap.scalars import BASE64
from adapters.soap.values import BadValue, Encode, escape_attribute
from adapters.soap.xml_text import fragment, read_name

T = TypeVar("T")

Object: TypeAlias = Mapping[str, Json]
Write: TypeAlias = Callable[[Json, list[str], str], None]
"""Writes a value as an element's attributes and content into the list; the str is the element's end tag."""
Content: TypeAlias = Callable[[Object, list[str]], None]


def attached(value: Json, out: list[str]) -> str:
    """Base64 content, or what stands for it where it travels beside the message."""
    included = out.included(value) if isinstance(out, Outgoing) else None
    return BASE64.encode(text_of(value)) if included is None else included


def names_writer(encode: Encode) -> Write:
    """Writes qualified names, and what their prefixes mean."""

    def write(value: Json, out: list[str], end: str) -> None:
        declared, text = prefixed(encode(value), "q")
        out.append(f"{declared}>{text}{end}")

    return write


def any_type(value: Json, out: list[str], end: str) -> None:
    """XML text, or an object that says of which type it is."""
    text = value
    if isinstance(value, Mapping):
        namespace, local = at(TYPE, read_name, value[TYPE])
        declared = f' xmlns:ty="{escape_attribute(namespace)}" xsi:type="ty:{local}"'
        out.append(declared if namespace else f' xsi:type="{local}"')
        text = value[TEXT]
    out.append(f">{fragment(text)}{end}")


def ordered(model: Group, write: Content) -> Content:
    """Checks the order of elements that an object lists one by one, before they are written."""

    def checked(value: Object, out: list[str]) -> None:
        if not follows([next(iter(item)) for item in value.get(ITEMS, ())], model):
            error = BadValue("lists elements in an order or number that the WSDL doesn't allow")
            error.path.append(ITEMS)
            raise error
        write(value, out)

    return checked


def at(key: str, encode: Callable[[Json], T], value: Json) -> T:
    """What `encode` makes of the property `key`; its errors name it."""
    try:
        return encode(value)
    except BadValue as error:
        error.path.insert(0, key)
        raise


def wildcards(value: Object, out: list[str]) -> None:
    """Writes the elements that the schema doesn't name."""
    for index, item in enumerate(value.get(WILD, ())):
        try:
            out.append(fragment(item, single=True))
        except BadValue as error:
            error.path[:0] = [WILD, index]
            raise
