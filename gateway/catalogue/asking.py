"""What somebody says that is to be done, taken apart: what it is about, what is to happen to it, and which one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.catalogue.intent import (
    ADJECTIVES,
    ASKS,
    CHANGED,
    COUNTS,
    DOES,
    MANY,
    NOUNS,
    RELATIVE,
    SAID,
    STATES,
    TOGETHER,
    WHEN,
    Act,
)
from gateway.catalogue.language import Thesaurus, pair_of, set_of, stem, thesaurus
from gateway.catalogue.tokens import Token, tokens_of

_GAP = 4
"""Words that may stand within a phrase of two: put (ten of them) aside."""
_POLITE = set_of("please can could you i we they would like want need to have the a an id ill lets kindly must")
_PARTICLES = frozenset(map(stem, set_of("aside back off up out away down forward over on in to")))
_BEFORE_NOUNS = set_of("the a an this that these those my our your his their its any some no of")
_AFTER_VERBS = _BEFORE_NOUNS - {"of"} | set_of("me us them it him her off up out in back over on down aside")
_LEADS = set_of("to please and then so , ; : . !")
"""What stands before a verb that asks for something in the midst of a sentence."""
_IN_PHRASE, _WHEN, _SOMEBODY, _CODED, _BESIDE = 0.5, 0.25, 0.3, 0.6, 0.8
"""What a word counts beside the phrase that it is in; one that says when; a name, as somebody's; a code; what stands
behind a preposition."""
_BESIDES = set_of("for from at about with by via on")
_FIRMS = set_of("gmbh ag kg inc ltd llc plc corp sa srl bv oy ab")
_PERSONAL = set_of("her him she he his mr mrs ms dr")
_PERSON = {stem(each): 0.4 for each in ("contact", "person", "employee")}
_PARTY = {stem(each): _SOMEBODY for each in ("customer", "contact", "person", "supplier", "account", "employee")}


@dataclass(frozen=True, slots=True)
class Term:
    """Stems that stand for one thing that was said, each with its weight. `verb`: it is what is to be done; `noun`: it
    is a thing; `name`: it is somebody's or something's own name."""

    stems: Mapping[str, float]
    weight: float
    said: str
    verb: bool = False
    noun: bool = False
    name: bool = False

    @property
    def word(self) -> bool:
        """It is a word, and neither a phrase, nor a name, nor a code."""
        return self.said.isalpha() and not self.name


@dataclass(frozen=True, slots=True)
class Asking:
    """`reads`: from 1, something is to be shown, to -1, something is to be done; `acts`: what is to be done, as far as
    it is usual, `verb`: by which word; `counts`: how many there are is asked for; `many`, `one`: several, or one that
    has a code; `numbered`: what was named with a number or a code behind it; `codes`: what the codes begin with."""

    terms: tuple[Term, ...]
    reads: float
    acts: frozenset[Act]
    verb: str | None
    counts: bool
    many: bool
    one: bool
    numbered: frozenset[str]
    codes: frozenset[str]


def asking(text: str) -> Asking:
    """What `text` says."""
    tokens = tokens_of(text)
    words = [each.word for each in tokens]
    counts = any(tuple(words[at : at + len(said)]) == said for said in COUNTS for at in range(len(words)))
    first = next((at for at, each in enumerate(tokens) if each.content or each.word in ASKS), None)
    asks = first is not None and _asks(words, first)
    verb = None if asks or counts else _verb(tokens, first)
    return Asking(
        (*_terms(tokens, thesaurus(), verb), *_pairs(tokens), *_somebody(tokens)),
        1.0 if counts or asks else _reads(tokens, verb),
        frozenset(_acts(tokens, verb)),
        None if verb is None else tokens[verb].stem,
        counts=counts,
        many=not counts and any(each.stem in MANY or (each.plural and each.content) for each in tokens),
        one=any(each.code for each in tokens),
        numbered=frozenset(_numbered(tokens)),
        codes=frozenset(each.stem for each in tokens if each.code and each.stem != "#"),
    )


# ── what is to be done ───────────────────────────────────────────────────────────────────────────────────────


def _asks(words: Sequence[str], first: int) -> bool:
    """Whether it begins as a question does; "give me" asks, "give her" doesn't."""
    opening = next((word for word in words if word not in ("please", "and", "so", ",")), "")
    if opening in ("can", "could"):
        opening = words[first]
    if opening not in ("give", "have"):
        return opening in ASKS
    return words[words.index(opening) + 1 :][:1] in (["me"], ["us"], ["we"])


def _verb(tokens: Sequence[Token], first: int | None) -> int | None:
    """Where the verb is that asks for something to be done: first, or behind what leads to one."""
    for at, token in enumerate(tokens):
        begins = at == first and all(each.word in _POLITE for each in tokens[:at]) and not _determined(tokens, at)
        led = at > 0 and tokens[at - 1].word in _LEADS
        passive = at > 1 and tokens[at - 1].word == "be" and token.word.endswith("ed")
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if after is not None and (after.word == "of" or (token.word in ADJECTIVES and after.content)):
            continue
        if (
            after is not None
            and token.word in NOUNS
            and after.word.isdigit()
            and not _ordered(token, tokens[at + 1 : at + 3])
        ):
            continue
        ordered = begins and _ordered(token, tokens[at + 1 : at + 3])
        if ordered or ((begins or led) and token.does) or (passive and (token.stem in DOES or token.usual)):
            return at
    return None


def _ordered(token: Token, after: Sequence[Token]) -> bool:
    """Whether a first word is a verb by what stands behind it: "hold 10 filters", but "shipment 10"."""
    if not after or not token.content or token.plural or token.name:
        return False
    quantity = after[0].word.isdigit() and len(after) == 2 and (after[1].content or after[1].code)
    return quantity or after[0].word in _AFTER_VERBS or after[0].name


def _reads(tokens: Sequence[Token], verb: int | None) -> float:
    if verb is not None or any(each.word == "new" for each in tokens):
        return -1.0
    done = (each.does and each.word not in ADJECTIVES and not _noun(tokens, at) for at, each in enumerate(tokens) if at)
    if any(each.word in CHANGED for each in tokens) or any(done):
        return -0.5
    said = tokens[0].word if tokens else ""
    if _stated([each.word for each in tokens]):
        return -0.5
    if said in ("i", "we") and [each.word for each in tokens[1:2]] in (["need"], ["want"]):
        return -0.5 if [each.word for each in tokens[2:3]] == ["to"] else 0.7
    return -0.5 if said in ("i", "im", "id", "ive", "we", "they", "it", "he", "she") else 0.7


def _stated(words: Sequence[str]) -> bool:
    """Whether it states something, of somebody or something, as in "the customer has moved": nothing is asked then."""
    found = next((at for at, word in enumerate(words) if word in STATES), 0)
    return found > 0 and not (RELATIVE & {*words[:found]})


def _acts(tokens: Sequence[Token], verb: int | None) -> Iterator[Act]:
    """The usual changes that are asked for: by the verb, else by the first word that may be one."""
    words = [each.word for each in tokens]
    together = [act for (one, other), act in TOGETHER.items() if one in words and other in words[words.index(one) :]]
    if together:
        yield from together
    elif verb is not None:
        yield from (act for act, verbs in SAID.items() if tokens[verb].stem in verbs)
    elif any(each.word == "new" for each in tokens):
        yield Act.CREATE
        if any(_numbered(tokens)):  # "client 12 has a new address"
            yield Act.CHANGE
    elif any(each.word in CHANGED for each in tokens) or (tokens and tokens[0].code and _stated(words)):
        yield Act.CHANGE
    else:
        said = next((each for each in tokens if each.usual), None)
        yield from (act for act, verbs in SAID.items() if said is not None and said.stem in verbs)


# ── what it is about ─────────────────────────────────────────────────────────────────────────────────────────


def _terms(tokens: Sequence[Token], known: Thesaurus, verb: int | None) -> Iterator[Term]:
    used: set[int] = set()
    for at, token in enumerate(tokens):
        for stems, meant in known.phrases.get(token.stem, ()):
            places = _placed(tokens, at, stems)
            if places is not None:
                used |= places
                yield Term(_formed(meant, known), 1.0, " ".join(stems))
    seen: set[str] = set()
    beside = next((at for at, each in enumerate(tokens) if each.word in _BESIDES and at > 1), len(tokens))
    for at, token in enumerate(tokens):
        if token.stem in seen or not (token.content or (token.code and token.stem != "#")):
            continue
        seen.add(token.stem)
        weight = _weight(token, within=at in used, verb=at == verb) * (_BESIDE if at > beside else 1.0)
        yield Term(
            _meant(token.stem, known), weight, token.word, at == verb, at != verb and _noun(tokens, at), token.name
        )


def _noun(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].plural or _determined(tokens, at)


def _determined(tokens: Sequence[Token], at: int) -> bool:
    return at > 0 and tokens[at - 1].word in _BEFORE_NOUNS


def _weight(token: Token, *, within: bool, verb: bool) -> float:
    if token.code:
        return _CODED
    if token.word == "new" or token.stem in WHEN or (token.usual and not verb):
        return _WHEN
    return _IN_PHRASE if within else 1.0


def _meant(said: str, known: Thesaurus) -> dict[str, float]:
    """A stem with all that stands for it."""
    return {said: 1.0, **_formed(known.meant.get(said, {}), known)}


def _formed(meant: Mapping[str, float], known: Thesaurus) -> dict[str, float]:
    """What may be meant, and what else that of it is called which is only another form of what was said."""
    forms = [known.meant.get(each, {}) for each, weight in meant.items() if weight == 1.0]
    return {each: weight for form in forms for each, weight in form.items()} | dict(meant)


def _pairs(tokens: Sequence[Token]) -> Iterator[Term]:
    """Two words that may be the name of one member, such as "credit limit"."""
    for one, other in pairwise(tokens):
        if one.content and other.content:
            yield Term({pair_of(one.stem, other.stem): 1.0}, 1.0, "")


def _placed(tokens: Sequence[Token], at: int, stems: tuple[str, ...]) -> set[int] | None:
    """Where the words of a phrase stand that begins at `at`; None: it doesn't."""
    gap = _GAP if len(stems) == 2 and (stems[1] in _PARTICLES or stems[0] == "would") else 0
    places = [at]
    for wanted in stems[1:]:
        near = range(places[-1] + 1, min(places[-1] + 2 + gap, len(tokens)))
        found = next((place for place in near if tokens[place].stem == wanted), None)
        if found is None:
            return None
        places.append(found)
    return set(places)


def _somebody(tokens: Sequence[Token]) -> Iterator[Term]:
    """A name stands for somebody, and a pronoun for a person."""
    words = {each.word for each in tokens}
    if words & _PERSONAL:
        yield Term(_PERSON, 1.0, "")
    if any(each.name for each in tokens) or words & _FIRMS:
        yield Term(_PARTY, 1.0, "")


def _numbered(tokens: Sequence[Token]) -> Iterator[str]:
    """What stands before a number or a code: the song of "song 7"."""
    for before, token in pairwise(tokens):
        if token.code and before.content:
            yield before.stem
