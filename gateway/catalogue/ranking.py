"""Which tools fit what somebody says, the best first: by the words that both share, what is to happen, and to how many.

Words are weighed by how rare they are among the tools that the caller may see, and by nothing else, so that no answer
depends on a tool that is hidden. The same question over the same tools has the same answer, everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from gateway.catalogue.asking import Asking, Term, asking
from gateway.catalogue.codes import Codes
from gateway.catalogue.entries import Entry
from gateway.catalogue.intent import READS, Act
from gateway.catalogue.language import thesaurus

_SATURATES, _COMMON = 1.5, 0.5
"""How much of a word is half of all that it can count; what a word counts that every tool has."""
_LIKE, _LIKE_WEIGHT, _SHORTEST, _MOST_LIKE = 0.83, 0.6, 5, 4
"""How much alike a word has to be to what nobody wrote, what it counts then, how short it may be, and of how many."""
_NOUN, _ALIEN, _UNNAMED, _UNCOVERED = 0.3, 0.2, 0.55, 0.7
"""What a verb counts where the tool does something else, a thing where it is what the tool does, and what is left to a
tool of whose name, or to which of what was said, nothing belongs."""


def ranked(question: str, entries: Sequence[Entry]) -> list[tuple[str, float]]:
    """The names of the tools that fit `question`, the best first, with what each counts; those that share nothing with
    it are left out. Takes some milliseconds for a hundred tools: for thousands, call it on a thread."""
    asked = asking(question)
    codes = Codes(asked, entries)
    asked = replace(asked, terms=tuple(codes.terms()))
    found = [(_score(asked, entry, shares, codes), entry.name) for entry, shares in _shares(asked, entries)]
    return [(name, score) for score, name in sorted(found, key=lambda each: (-each[0], each[1])) if score > 0]


def _shares(asked: Asking, entries: Sequence[Entry]) -> list[tuple[Entry, list[float]]]:
    """What each entry shares with each term of the question."""
    known = frozenset().union(*(entry.terms for entry in entries))
    unknown = [term for term in asked.terms if term.word and known.isdisjoint(term.stems)][:_MOST_LIKE]
    stems = [_alike(term, known) if term in unknown else term.stems for term in asked.terms]
    columns = [_column(term, each, entries) for term, each in zip(asked.terms, stems, strict=True)]
    shares = [[column[at] for column in columns] for at in range(len(entries))]
    if asked.counts:
        _lend(entries, shares)
    return list(zip(entries, shares, strict=True))


def _lend(entries: Sequence[Entry], shares: list[list[float]]) -> None:
    """Gives what counts things all that the list of them shares: its contract says what these are, the other's not."""
    # By name, as two may have one path, and neither may win by where it stands.
    places = sorted(range(len(entries)), key=lambda at: entries[at].name)
    lists = {entries[at].all: at for at in places if entries[at].act is Act.LIST and entries[at].all}
    for at, entry in enumerate(entries):
        whole = lists.get((entry.all or "").rpartition("/")[0])
        if entry.act is Act.COUNT and whole is not None:
            shares[at] = [max(each) for each in zip(shares[at], shares[whole], strict=True)]


def _column(term: Term, stems: Mapping[str, float], entries: Sequence[Entry]) -> list[float]:
    """What each entry shares with a term. A word counts by how rare it is, one that stands for it by how rare all are
    together: else the rarest of them would count most."""
    weights = [
        {
            each: _weight(term, each, weight, entry) * _saturated(entry.terms[each])
            for each, weight in stems.items()
            if each in entry.terms
        }
        for entry in entries
    ]
    together = _rarity([max(each.values(), default=0.0) for each in weights])
    itself = {
        each: _rarity([known.get(each, 0.0) for known in weights]) for each, weight in stems.items() if weight == 1.0
    }
    return [
        term.weight * max((value * itself.get(name, together) for name, value in each.items()), default=0.0)
        for each in weights
    ]


def _rarity(values: Sequence[float]) -> float:
    reached = math.fsum(values)  # which doesn't depend on the order
    return _COMMON + math.log(1 + (len(values) - reached + 0.5) / (reached + 0.5))


def _saturated(value: float) -> float:
    return value / (value + _SATURATES)


def _weight(term: Term, each: str, weight: float, entry: Entry) -> float:
    # What a tool does isn't meant by a thing that is called alike: a disc is a record, but nobody records it.
    alien = each == entry.verb and weight < 1.0 and term.noun
    return weight * _ALIEN if alien else weight


def _alike(term: Term, known: frozenset[str]) -> Mapping[str, float]:
    """The stems of what looks like a word that nobody wrote, and of what else that is called."""
    said = next(iter(term.stems))
    if len(said) < _SHORTEST:
        return term.stems
    meant = thesaurus().meant
    # Sorted, as it is otherwise left to chance which of two comes first. Few mistake the first letter.
    near = sorted(each for each in known | meant.keys() if each[:1] == said[:1] and abs(len(each) - len(said)) <= 2)
    alike = get_close_matches(said, near, n=1, cutoff=_LIKE)
    others = {other: weight * _LIKE_WEIGHT for each in alike for other, weight in meant.get(each, {}).items()}
    return {**others, **dict.fromkeys(alike, _LIKE_WEIGHT)}


def _score(asked: Asking, entry: Entry, shares: list[float], codes: Codes) -> float:
    said = zip(asked.terms, shares, strict=True)
    # What is to be done, where it is what the tool does: not where a thing is called so, as in "note that I rang".
    shared = sum(share if not term.verb or _does(term, entry) else share * _NOUN for term, share in said)
    if not shared:
        return 0.0
    return (
        shared
        * _covered(asked.terms, shares)
        * _named(asked.terms, entry)
        * _fits(asked, entry, codes)
        * codes.fits(entry)
    )


def _covered(terms: Sequence[Term], shares: Sequence[float]) -> float:
    """How much of what was said the tool has to do with: who names orders, bills and complaints wants what has all."""
    said = sum(term.weight for term in terms)
    return _UNCOVERED + (1 - _UNCOVERED) * sum(t.weight for t, share in zip(terms, shares, strict=True) if share) / said


def _does(term: Term, entry: Entry) -> bool:
    """Whether a verb is what the tool does, by its own verb or as `create_reservation` reserves."""
    done = entry.about if entry.act in (Act.CREATE, Act.OTHER) else frozenset[str]()
    return any(each == entry.verb or each in done for each in term.stems)


def _named(terms: Iterable[Term], entry: Entry) -> float:
    """How much of what the tool is about was said: `list_orders` is about less than `list_purchase_orders`."""
    about = entry.about if entry.verb is None else entry.about | {entry.verb}
    said = [_said(each, terms, entry) for each in about]
    return _UNNAMED + (1 - _UNNAMED) * sum(said) / len(said)


def _said(each: str, terms: Iterable[Term], entry: Entry) -> float:
    return max((_weight(term, each, term.stems[each], entry) for term in terms if each in term.stems), default=0.0)


def _fits(asked: Asking, entry: Entry, codes: Codes) -> float:
    """How well the tool does what is asked for."""
    reads = entry.act in READS
    factor = 1.0 if reads == (asked.reads > 0) else 1.0 - 0.6 * abs(asked.reads)
    if entry.act is Act.COUNT:
        factor *= 1.8 if asked.counts else 0.6
    if entry.verb is not None and (reads or asked.reads <= 0):
        if _said(entry.verb, asked.terms, entry) > 0.5:
            # To send isn't yet to send a reminder.
            factor *= 1.3 if any(_said(each, asked.terms, entry) > 0.5 for each in entry.about) else 1.2
        elif not reads:
            factor *= 0.75
    if reads:
        return factor * _how_many(asked, entry, codes)
    return factor * _done(asked, entry) * _which(asked, entry)


def _done(asked: Asking, entry: Entry) -> float:
    """How well a change is the one that is asked for. Where none of the usual ones is, a thing's own name says that it
    is made: "order five" makes an order."""
    if asked.reads > 0:
        return 1.0
    if entry.act in asked.acts:
        return 1.25 if entry.usual != asked.verb else 1.35
    usual = entry.act in (Act.CREATE, Act.CHANGE, Act.DELETE)
    if asked.acts:
        return 0.7 if usual else 1.0
    return 0.75 if entry.act in (Act.CHANGE, Act.DELETE) else 1.0


def _how_many(asked: Asking, entry: Entry, codes: Codes) -> float:
    """How well what is shown is one, or many, as was asked for."""
    lists = entry.act is Act.LIST
    if asked.numbered or asked.one:
        # "All records by artist 22" are a list below one artist, "the name of artist 22" is in the artist itself.
        amiss = lists != asked.many
        if lists and codes.narrow(entry):
            return 1.0
        return _which(asked, entry) * (1.0 if entry.needs or asked.many else 0.9) * (0.85 if amiss else 1.0)
    factor = 0.85 if entry.needs else 1.0
    if asked.many:
        factor *= 1.1 if lists else 0.85
    return factor


def _which(asked: Asking, entry: Entry) -> float:
    """How well the tool takes what was named by its number: a thing that has one already isn't created, but two things
    that have one may be brought together."""
    if not asked.numbered:
        return 1.1 if asked.one and entry.needs else 1.0
    named = [{each, *thesaurus().meant.get(each, ())} for each in asked.numbered]
    if not entry.needs:
        if entry.act is not Act.CREATE:
            return 1.0
        told = sum(bool(meant & entry.about) for meant in named)
        return 1.2 if told > 1 else 0.7 if any(entry.about <= meant for meant in named) else 1.0
    return 1.2 if any(meant & need for need in entry.needs for meant in named) else 0.85
