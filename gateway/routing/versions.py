"""`If-Match` as contracts declare it and bindings read it."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.routing.mapping import Mapped
from gateway.routing.model import Expression, Parameter

IF_MATCH = "if-match"


def is_if_match(parameter: Parameter) -> bool:
    """Whether it is the header field `If-Match`, whose name is the same in any case."""
    return parameter.where == "header" and parameter.name.lower() == IF_MATCH


def reads_it(expressions: Iterable[Expression]) -> bool:
    """Whether some expression passes `If-Match` on by itself."""
    mapped = [each for each in expressions if isinstance(each, Mapped)]
    chains = [chain for each in mapped for chain in each.chains()]
    whole = any(each.source == "header" for each in mapped)
    return whole or any(chain[0] == "header" and chain[1:2] and chain[1].lower() == IF_MATCH for chain in chains)
