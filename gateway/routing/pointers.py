"""What an upstream says is wrong with its input, said of the caller's request: its pointers, traced back."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.call import Call
from gateway.routing.model import Binding, Expression

_REFERENCE = re.compile(r"\b(?:path|query|header|body)(?:\.\w+)+")


def request_pointer(binding: Binding, call: Call, pointer: str) -> str:
    """A JSON Pointer into an operation's input → one into the request, such as `/Changes/Email` → `/body/email`.

    It is the nearest member that the binding tells of; a pointer that it tells nothing of stays as it is.
    """
    parts = pointer.split("/")[1:]
    if not parts:
        return pointer
    if binding.input is None:
        if call.page:  # what a list is asked by has its fields' names
            named = {upstream: name for name, upstream in binding.fields.items()}
            pointer = "/" + "/".join(parts := _renamed(parts, named))
        places = {"path": call.path, "query": call.query}
        place = next((name for name, values in places.items() if parts[0] in values), "body")
        return f"/{place}{pointer}"
    found = _named(binding.input, parts)
    if found is None:
        return pointer
    expression, rest = found
    references = set(_REFERENCE.findall(expression.source))
    if len(references) != 1:
        return pointer
    (reference,) = references
    # Below a plain reference the members are the caller's own; below any other expression they were made here.
    below = [*reference.split("."), *(rest if reference == expression.source else ())]
    return "/" + "/".join(below)


def _renamed(parts: list[str], named: Mapping[str, str]) -> list[str]:
    """The pointer's parts with the upstream's name of a field, also of one that is filtered by, as the route has it."""
    field, dot, operator = parts[0].partition(".")
    return [named.get(field, field) + dot + operator, *parts[1:]]


def _named(input: Mapping[str, Expression], parts: list[str]) -> tuple[Expression, list[str]] | None:
    """The input that `parts` lead into, and what is left of them; a fault may leave wrapping members out."""
    targets = [(name.split("."), expression) for name, expression in input.items()]
    for target, expression in targets:
        if parts[: len(target)] == target:
            return expression, parts[len(target) :]
    tails = [
        (expression, parts[len(target) - start :])
        for target, expression in targets
        for start in range(1, len(target))
        if parts[: len(target) - start] == target[start:]
    ]
    return tails[0] if len(tails) == 1 else None
