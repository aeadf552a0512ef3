"""Which types a type names, and so on: what an operation's form is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from adapters.soap.content import members
from adapters.soap.form import Complex, Element, Group


def reached(types: Mapping[str, object], key: str) -> Iterator[str]:
    """The keys of the types that the type called `key` names directly."""
    found = types[key]
    if isinstance(found, Complex):
        yield from found.derived
        yield from (attribute.type for attribute in found.attributes)
        if found.text is not None:
            yield found.text
        if found.content is not None:
            yield from _content(found.content)


def _content(group: Group) -> Iterator[str]:
    for member in members(replace(group, key="")):
        if isinstance(member, Element):
            yield member.type
        else:
            yield from _content(member)
