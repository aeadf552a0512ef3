"""Whether two types without a name are one written twice, as generated schemas often have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from adapters.soap.form import Attribute, Complex, Element, Group, Particle, Simple, Type, Wildcard

_Each = TypeVar("_Each")


def alike(types: Mapping[str, Type]) -> Callable[[str, str], bool]:
    """Tells of two keys of `types` whether they mean one type."""
    return _Comparison(types).keys


class _Comparison:
    def __init__(self, types: Mapping[str, Type]) -> None:
        self._types = types
        self._open: set[tuple[str, str]] = set()
        """The pairs that are being compared, which are alike if nothing else tells them apart."""

    def keys(self, one: str, other: str) -> bool:
        if one == other or (one, other) in self._open:
            return True
        found, second = self._types.get(one), self._types.get(other)
        if found is None or second is None or found.name or second.name:
            return False
        self._open.add((one, other))
        try:
            return self._same(found, second)
        finally:
            self._open.discard((one, other))

    def _same(self, one: Type, other: Type) -> bool:
        if isinstance(one, Simple) and isinstance(other, Simple):
            plain = (replace(each, members=(), documentation="") for each in (one, other))
            return next(plain) == next(plain) and self._all(one.members, other.members, self.keys)
        if not isinstance(one, Complex) or not isinstance(other, Complex):
            return False
        shell = (
            replace(each, content=None, order=None, attributes=(), text=None, documentation="") for each in (one, other)
        )
        return (
            next(shell) == next(shell)
            and self.keys(one.text or "", other.text or "")
            and self._all(one.attributes, other.attributes, self._declared)
            and self._content(one.content, other.content)
            and self._content(one.order, other.order)
        )

    def _content(self, one: Group | None, other: Group | None) -> bool:
        if one is None or other is None:
            return one is other
        return self._particles(one, other)

    def _particles(self, one: Particle, other: Particle) -> bool:
        if isinstance(one, Group) and isinstance(other, Group):
            shell = replace(one, items=()) == replace(other, items=())
            return shell and self._all(one.items, other.items, self._particles)
        if isinstance(one, Element) and isinstance(other, Element):
            return self._declared(one, other)
        return isinstance(one, Wildcard) and one == other

    def _declared(self, one: Element | Attribute, other: Element | Attribute) -> bool:
        plain = (replace(each, type="", documentation="") for each in (one, other))
        return next(plain) == next(plain) and self.keys(one.type, other.type)

    @staticmethod
    def _all(ones: Sequence[_Each], others: Sequence[_Each], same: Callable[[_Each, _Each], bool]) -> bool:
        return len(ones) == len(others) and all(map(same, ones, others))
