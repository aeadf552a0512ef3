"""Other spellings of numbers, where an upstream's configuration asks for them: a form that names other primitives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapters.soap.decimals import DECIMAL_NUMBER, INTEGER_TEXT
from adapters.soap.form import Complex, Form, Simple
from adapters.soap.scalars import INTEGERS, WIDE_INTEGERS


@dataclass(frozen=True, slots=True)
class _Respelt(Form):
    instead: Mapping[str, str] = field(default_factory=dict)

    def type(self, key: str) -> Simple | Complex:
        found = Form.type(self, key)
        if isinstance(found, Simple) and found.primitive in self.instead:
            facets = {**_bounds(found.primitive), **found.facets}
            return replace(found, primitive=self.instead[found.primitive], facets=facets)
        return found


def _bounds(primitive: str) -> dict[str, str]:
    """The range of a built-in as facets, which its name no longer tells."""
    named = zip(("minInclusive", "maxInclusive"), INTEGERS.get(primitive, ()), strict=False)
    return {facet: str(bound) for facet, bound in named if bound is not None}


def respelt(form: Form, *, numbers: bool, texts: bool) -> Form:
    """`form` with decimals as numbers, and integers that may be longer than a double is exact as text."""
    instead = {"decimal": DECIMAL_NUMBER} if numbers else {}
    if texts:
        instead |= dict.fromkeys(WIDE_INTEGERS, INTEGER_TEXT)
    return _Respelt(form.ports, form.types, instead) if instead else form
