"""The words and codes of a question, one after another, and what each may be by its form alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gateway.catalogue.entries import code_of
from gateway.catalogue.intent import ASKS, DOES, SAID, WHEN
from gateway.catalogue.language import STOP, is_plural, stem, thesaurus, words_of

_LONGEST, _MOST_WORDS = 400, 40
"""Characters and words of a question that are looked at."""
_CODE = re.compile(r"[A-Za-z]{0,5}[-_/]?\d[\w/-]*")
_TOKEN = re.compile(r"[A-Za-z]{0,5}[-_/]?\d[\w/-]*|[^\W\d_]+(?:['’][^\W\d_]+)?|[,;:.!?]")
_BENT = re.compile("ed$|[aeiou].*ing$")
"""Forms in which a verb asks for nothing, such as shipping and shipped; bring isn't one."""


@dataclass(frozen=True, slots=True)
class Token:
    """`code`: it is a number or a code, and `stem` what that begins with; `name`: it looks like somebody's own name."""

    word: str
    stem: str
    code: bool = False
    name: bool = False

    @property
    def content(self) -> bool:
        """It says something of what is looked for."""
        return not self.code and self.word[0].isalpha() and self.word not in STOP

    @property
    def does(self) -> bool:
        """It may be a verb that asks for something to be done."""
        return not (self.plural or _BENT.search(self.word)) and (self.stem in DOES or self.usual)

    @property
    def plural(self) -> bool:
        """It looks like several."""
        return is_plural(self.word)

    @property
    def usual(self) -> bool:
        """It is a verb that says no more than what is to be done."""
        return any(self.stem in verbs for verbs in SAID.values())


def tokens_of(text: str) -> list[Token]:
    """The tokens of a question, as many as are looked at."""
    return list(islice(_tokens(text[:_LONGEST]), _MOST_WORDS))


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.findall(text):
        if _CODE.fullmatch(found):
            yield Token(found, code_of(found) or "#", code=True)
        elif not found[0].isalpha():
            yield Token(found, found)
        else:
            named = found[0].isupper() and found[1:].islower()
            yield from (Token(word, stem(word), name=named and _unknown(word)) for word in words_of(found))


def _unknown(word: str) -> bool:
    token = Token(word, stem(word))
    return not (word in STOP or word in ASKS or token.usual or token.stem in {*thesaurus().meant, *DOES, *WHEN})
