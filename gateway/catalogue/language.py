"""Words as they are compared: by their stems, with what else people call the same (`words.txt`)."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files

import snowballstemmer

_ALIKE, _MEANT, _FORM = 0.75, 0.65, 1.0
"""What a word counts that stands for what was said: it means the same, is what may be meant, or another form."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SHORT = re.compile(r"'(?:s|d|m|re|ve|ll)$")
# customerNo → customer No, HTTPStatus → HTTP Status, line2 → line 2
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)")
_LONGEST = 40
"""Characters of a word that are looked at."""


def set_of(words: str) -> frozenset[str]:
    """Words that are written one behind another."""
    return frozenset(words.split())


STOP = set_of(
    "a about after all am an and any are as at be been before being but by can could did do does doing for from "
    "had has have having he her here hers him his how i if in into is it its just kind me mine my no nor of on or our "
    "ours out over please shall she should so some still such than that the their theirs them then there these they "
    "this those through to too under until up us was we were what when where which while who whom whose why will with "
    "would yes yet you your yours let lets need want like id im ive going one ones thing things "
    "got hasnt havent didnt doesnt dont isnt arent wasnt werent cant couldnt wont wouldnt shouldnt"
)
"""What says nothing of what is looked for."""


def plain(text: str) -> str:
    """Text without accents, in small letters."""
    bare = unicodedata.normalize("NFKD", text)
    return "".join(each for each in bare if not unicodedata.combining(each)).lower()


def words_of(text: str) -> list[str]:
    """The words of a name or a sentence, one after another: `customerNo`, `customer_no` and "Customer no." are two."""
    parts = (_HUMPS.sub(" ", piece) for piece in text.replace("_", " ").split())
    return [each for part in parts for each in _parted(plain(part))]


def _parted(text: str) -> Iterator[str]:
    for found in _WORD.findall(text):
        yield _SHORT.sub("", found.replace("’", "'")).replace("'", "")[:_LONGEST]


_stemmers = threading.local()


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """What a word has in common with its other forms; `word` as `words_of` gives it."""
    # A stemmer holds the word that it works on, so that each thread has its own.
    if not hasattr(_stemmers, "english"):
        _stemmers.english = snowballstemmer.stemmer("english")
    stemmed: str = _stemmers.english.stemWord(word)
    return stemmed


def is_plural(word: str) -> bool:
    """Whether a word looks like several."""
    return word.endswith("s") and not word.endswith(("ss", "us", "is"))


def stems_of(text: str) -> list[str]:
    """The stems of a text's words, without those that say nothing."""
    return [stem(each) for each in words_of(text) if each not in STOP]


def pair_of(one: str, other: str) -> str:
    """What stands for two stems that are one name, such as `credit_limit`."""
    return f"{one} {other}"


@dataclass
class Thesaurus:
    """`meant`: stem → the stems that may stand for it, each with its weight; `phrases` the same for several words, by
    the first."""

    meant: dict[str, dict[str, float]] = field(default_factory=dict)
    phrases: dict[str, list[tuple[tuple[str, ...], dict[str, float]]]] = field(default_factory=dict)

    def add(self, said: str, meant: Mapping[str, float]) -> None:
        """Says what `said`, a word or a phrase, may mean."""
        stems = tuple(stem(each) for each in words_of(said))
        if len(stems) > 1:
            self.phrases.setdefault(stems[0], []).append((stems, dict(meant)))
            return
        known = self.meant.setdefault(stems[0], {})
        for each, weight in meant.items():
            if each != stems[0]:
                known[each] = max(weight, known.get(each, 0.0))


@cache
def thesaurus() -> Thesaurus:
    """What `words.txt` says."""
    made = Thesaurus()
    for line in (files(__package__) / "words.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            _read(line, made)
    return made


def _read(line: str, made: Thesaurus) -> None:
    for arrow, weight in (("=>", _FORM), ("->", _MEANT)):
        left, found, right = line.partition(arrow)
        if found:
            meant = _single(right.split(","), weight)
            for said in left.split(","):
                made.add(said, meant)
            return
    alike = line.split(",")
    for each in alike:
        made.add(each, _single(alike, _ALIKE))


def _single(said: list[str], weight: float) -> dict[str, float]:
    """The stems of what is one word."""
    return {stem(words[0]): weight for words in map(words_of, said) if len(words) == 1}
