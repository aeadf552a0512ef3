"""Names that somebody may have meant."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

_MOST = 3
_LONGEST = 64
_MOST_KNOWN = 1000


def nearest_names(name: str, known: Collection[str]) -> list[str]:
    """At most three of the known names that are like `name`, the nearest first; of very many none is looked for."""
    if len(name) > _LONGEST or len(known) > _MOST_KNOWN:
        return []
    spelt = {each.casefold(): each for each in sorted(known)}
    return [spelt[each] for each in get_close_matches(name.casefold(), list(spelt), _MOST)]


def nearest(name: str, known: Collection[str]) -> str:
    """The same as the end of a sentence, such as `; did you mean 'a' or 'b'?`; empty: none is like it."""
    found = nearest_names(name, known)
    return f"; did you mean {' or '.join(repr(each) for each in found)}?" if found else ""
