"""An upstream's names as English words: how a contract spells its paths, parameters and tools.

Whatever the name holds (blanks, quotes, SQL, any script), what comes out is made of a-z, 0-9 and the separator.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from gateway.untrusted.plain import plain

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_RUNS = re.compile(r"[A-Z]{2,}(?=s(?![a-z]))s")
_LONGEST_TOOL = 64
_MASS = frozenset(
    "advice data equipment feedback history information inventory mail money news progress "  # noqa: SIM905 - read more easily than a list
    "sales series staff status stock weather".split()
)
"""Words that are spelt alike for one and for many, or end as if they were many."""
_ODD = {
    "analysis": "analyses", "basis": "bases", "child": "children", "criterion": "criteria", "datum": "data",
    "index": "indexes", "man": "men", "medium": "media", "person": "people", "woman": "women",
}  # fmt: skip
_MANY = {many: one for one, many in _ODD.items()}


def words(name: str) -> tuple[str, ...]:
    """`GetCustomerByID` as ("get", "customer", "by", "id"); what has no Latin letters is named by its hash."""
    plain = unicodedata.normalize("NFKD", name).replace("ß", "ss").replace("æ", "ae").replace("ø", "o")
    ascii_only = plain.encode("ascii", "ignore").decode()
    spread = _RUNS.sub(lambda run: run.group().capitalize(), ascii_only)
    found = tuple(part.lower() for part in _PARTS.findall(spread))
    return found or ("x" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8],)


def plural(word: str) -> str:
    """`category` as `categories`; a word that is plural already stays."""
    if word in _MASS or is_plural(word) or not word.isalpha():
        return word
    if word in _ODD:
        return _ODD[word]
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def is_plural(word: str) -> bool:
    """Whether a word names many."""
    if word in _MANY:
        return True
    singular_end = word.endswith(("ss", "us", "is", "as", "os")) and not word.endswith(("eas", "oes"))
    return len(word) > 2 and word.endswith("s") and not singular_end and word not in _MASS


def singular(word: str) -> str:
    """`categories` as `category`."""
    if word in _MANY:
        return _MANY[word]
    if not is_plural(word):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    return word[:-1]


def snake(parts: Sequence[str]) -> str:
    """Words as `get_customer`, fit to be a tool's name: at most 64 characters, and no digit first."""
    text = "_".join(parts)
    if text[:1].isdigit():
        text = "_" + text
    if len(text) > _LONGEST_TOOL:
        text = f"{text[: _LONGEST_TOOL - 9].rstrip('_')}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return text


def kebab(parts: Sequence[str]) -> str:
    """Words as `order-lines`, fit to be a path's segment and a group's name."""
    text = "-".join(parts)
    if not text[:1].isalpha():
        text = "x" + text
    return text[:60].rstrip("-")


def pascal(parts: Sequence[str]) -> str:
    """Words as `OrderLine`."""
    return "".join(part[:1].upper() + part[1:] for part in parts)


def sentence(text: str, most: int = 4000) -> str:
    """An upstream's words on one line: without markup and what can't be seen, and of no more than `most` characters."""
    return plain(text, most)


def said(parts: Sequence[str]) -> str:
    """Words as they stand within a sentence."""
    return " ".join(parts)
