"""What is meant by a code such as C-10022, where an example such as C-10001 stands in a contract, and who takes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.catalogue.asking import Asking, Term
from gateway.catalogue.entries import Entry
from gateway.catalogue.intent import READS

_THING = 0.6
"""What the name of a thing counts that only its code said."""
_NOT_TAKEN, _ITS_OWN = 0.4, 0.35
"""What is left to a tool that has no argument for a code, and to one that lists or makes the things of which the code
names one already."""


class Codes:
    """The codes of a question, and what they name among `entries`."""

    def __init__(self, asked: Asking, entries: Sequence[Entry]) -> None:
        self._said = asked.terms
        owners: dict[str, set[frozenset[str]]] = {}
        for entry in entries if asked.codes else ():
            for code, whose in entry.codes:
                if code in asked.codes:
                    owners.setdefault(code, set()).add(whose)
        self.known = frozenset(owners)
        self._owners = [owners[code] for code in sorted(owners)]
        ends = [[e for e in entries if e.one is not None and e.needs[-1] in whose] for whose in self._owners]
        self._alls = [{entry.one for entry in each} for each in ends]
        self._things = [frozenset[str]().union(*(e.about for e in each if e.act in READS)) for each in ends]

    def terms(self) -> Iterator[Term]:
        """What is looked for, with the names of things in place of their codes."""
        for term in self._said:
            if self.known.isdisjoint(term.stems):
                yield term
        for things in self._things:
            if things:
                yield Term(dict.fromkeys(sorted(things), _THING), _THING, "")

    def narrow(self, entry: Entry) -> bool:
        """Whether a tool takes a code as what narrows a list."""
        return any(not whose.isdisjoint(entry.takes) for whose in self._owners)

    def fits(self, entry: Entry) -> float:
        """How well a tool takes the codes."""
        factor = 1.0
        for whose, alls in zip(self._owners, self._alls, strict=True):
            if whose.isdisjoint(entry.needs):
                taken = _NOT_TAKEN if whose.isdisjoint(entry.takes) else 1.0
                factor *= _ITS_OWN if entry.all in alls else taken
        return factor
