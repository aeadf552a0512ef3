"""What the WSDL calls a part of a reply: the path of its elements, each with its namespace."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.soap.form import TEXT, Complex, Element, Form, Group, OperationForm

_DEEPEST = 32


def element(form: Form, operation: OperationForm, parts: list[str]) -> str | None:
    """`{namespace}Response/{namespace}Name` of the part of an operation's value that JSON Pointer `parts` lead to;
    positions, and `*` for any, count for nothing. None where the schema names no such part."""
    output = operation.output
    if output is None or not output.parts or len(parts) > _DEEPEST:
        return None
    names = [part for part in parts if part != "*" and not part.isdecimal() and part != TEXT]
    if output.unwrapped:
        return _below(form, output.parts[0], names, output.parts[0].tag)
    first = next((part for part in output.parts if names and part.label == names[0]), None)
    return None if first is None else _below(form, first, names[1:], first.tag)


def _below(form: Form, at: Element, names: list[str], path: str) -> str | None:
    for name in names:
        kind = form.type(at.type)
        if not isinstance(kind, Complex):
            return None
        if name.startswith("@"):
            tag = next((each.tag for each in kind.attributes if each.label == name), None)
            return None if tag is None else f"{path}/@{tag}"
        found = next((each for each in _elements(kind.content) if each.label == name), None)
        if found is None:
            # A repeated group's own property holds its repetitions, whose elements come next.
            if any(group.key == name for group in _groups(kind.content)):
                continue
            return None
        at, path = found, f"{path}/{found.tag}"
    return path


def _groups(content: Group | None) -> Iterator[Group]:
    if content is not None:
        yield content
        for each in content.items:
            if isinstance(each, Group):
                yield from _groups(each)


def _elements(content: Group | None) -> Iterator[Element]:
    return (each for group in _groups(content) for each in group.items if isinstance(each, Element))
