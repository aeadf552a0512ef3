"""What a column's texts are: its type and spelling, so that each of them reads back without a loss; else text.

Only what the sample shows for certain is taken. Where texts fit two spellings that mean different values (`1,234`,
`03/04/2024`), other columns of the file decide; where none does, the column stays text and somebody is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from adapters.files.columns import Column, reading
from adapters.files.sniff.found import count
from adapters.files.sniff.spellings import Spelling, spellings, truths

_NULLS = ("NULL", "null", "Null", "\\N", "N/A", "n/a", "NA", "#N/A", "None", "nil", "-", "?", ".")
_NEARLY = 0.99
_FIRST = 100


class Guess(NamedTuple):
    """A column's type: `options` as `columns` has them, a sentence that says why, and whether somebody has to look."""

    options: Mapping[str, Any]
    sentence: str
    doubtful: bool = False


class _Fit(NamedTuple):
    spellings: list[Spelling]
    """All that fit every value, of those that can't be told apart; empty: it is text."""
    nulls: tuple[str, ...]
    values: int


def guesses(columns: Sequence[Sequence[str]], point: str | None = None) -> list[Guess]:
    """A guess for each column's texts; `point`: the decimal point that the file is known to have."""
    fits = [_fit(texts) for texts in columns]
    habits = {"point": point} if point else {}
    habits |= _habits(fits)
    return [_guess(texts, fit, habits) for texts, fit in zip(columns, fits, strict=True)]


def _fit(texts: Sequence[str]) -> _Fit:
    given = [text for each in texts if (text := each.strip())]
    distinct = list(dict.fromkeys(given))
    for nulls in _null_sets(distinct):
        wanted = [text for text in distinct if text not in nulls]
        found = _spelt(wanted)
        if found:
            absent = sum(text in nulls for text in given) if nulls else 0
            return _Fit(found, nulls, len(given) - absent)
    return _Fit([], (), len(given))


def _null_sets(distinct: Sequence[str]) -> list[tuple[str, ...]]:
    """Texts that may stand for no value: none of them first, at most two."""
    there = [text for text in _NULLS if text in distinct]
    return [(), *((text,) for text in there), *combinations(there, 2)] if len(distinct) > len(there) else [()]


def _spelt(texts: Sequence[str]) -> list[Spelling]:
    if not texts:
        return []
    words = truths(frozenset(texts)) if len(texts) <= 2 else None
    if words is not None:
        usual = words == ("true", "false")
        return [Spelling({"type": "boolean"} if usual else {"type": "boolean", "truths": list(words)}, _ANY)]
    every = iter(spellings())
    first = next((each for each in every if _fits(each, texts)), None)
    if first is None or first.habit is None:
        return [] if first is None else [first]
    return [
        first,
        *(each for each in every if each.habit != first.habit and _fits(each, texts) and _differs(each, first, texts)),
    ]


_ANY = spellings()[0].shape


def _fits(spelling: Spelling, texts: Sequence[str]) -> bool:
    matches = spelling.shape.fullmatch
    if not all(map(matches, texts)):
        return False
    read = reading(Column.model_validate(spelling.options))
    try:
        for text in texts:
            read(text)
    except ValueError:
        return False
    return True


def _differs(spelling: Spelling, first: Spelling, texts: Sequence[str]) -> bool:
    """The spelling reads some text as another value; where it doesn't, it says no more than the first."""
    if spelling.habit is None:
        return False
    one, other = (reading(Column.model_validate(each.options)) for each in (spelling, first))
    return any(str(one(text)) != str(other(text)) for text in texts)


def _habits(fits: Sequence[_Fit]) -> dict[str, str]:
    """What columns that can be told say of those that can't, where they agree."""
    seen: dict[str, set[str]] = {}
    for fit in fits:
        if len(fit.spellings) == 1 and fit.spellings[0].habit is not None:
            name, value = fit.spellings[0].habit
            seen.setdefault(name, set()).add(value)
    return {name: values.pop() for name, values in seen.items() if len(values) == 1}


def _guess(texts: Sequence[str], fit: _Fit, habits: Mapping[str, str]) -> Guess:
    empty = len(texts) - fit.values
    of = f"of {count(len(texts))} sampled" + (f", {count(empty)} without a value" if empty and fit.values else "")
    if not fit.values:
        return Guess({"type": "text"}, f"text: no value in {count(len(texts))} sampled", bool(texts))
    kept = [each for each in fit.spellings if each.habit is None or habits.get(each.habit[0]) in (None, each.habit[1])]
    if len({each.habit for each in kept}) > 1:
        return Guess({"type": "text"}, f"text: {_either(kept)} both fit {count(fit.values)} {of}", True)
    if not kept:
        near = _near(texts)
        return Guess({"type": "text"}, f"text: {near or f'{count(fit.values)} {of}'}", near is not None)
    chosen = dict(kept[0].options) | ({"nulls": list(fit.nulls)} if fit.nulls else {})
    by = "" if len(fit.spellings) == 1 else ", by what other columns show"
    return Guess(chosen, f"{shown(chosen)}: {count(fit.values)} {of}{by}")


def _either(kept: Sequence[Spelling]) -> str:
    ways = {each.habit: shown(each.options) for each in reversed(kept)}
    return " and ".join(reversed(ways.values()))


def _near(texts: Sequence[str]) -> str | None:
    """What nearly all texts are, where only few aren't; it names their places, never what they hold."""
    given = [(place, text) for place, each in enumerate(texts, start=1) if (text := each.strip())]
    for each in spellings():
        first = given[:_FIRST]
        if sum(each.shape.fullmatch(text) is None for _, text in first) > len(first) / 10:
            continue
        wrong = [place for place, text in given if not each.shape.fullmatch(text)]
        if 0 < len(wrong) <= len(given) * (1 - _NEARLY):
            where = ", ".join(map(str, wrong[:3])) + (" and more" if len(wrong) > 3 else "")
            right = count(len(given) - len(wrong))
            return f"{right} of {count(len(given))} look like {shown(each.options)}, but not those of record {where}"
    return None


def shown(options: Mapping[str, Any]) -> str:
    """`decimal` with what makes its spelling unusual."""
    more = []
    if "format" in options:
        more.append(f"as {options['format']}")
    if options.get("decimal_point", ".") != ".":
        more.append(f"{options['decimal_point']!r} before the fraction")
    if "grouping" in options:
        more.append(f"{options['grouping']!r} between thousands")
    if "truths" in options:
        more.append(f"{options['truths'][0]!r} and {options['truths'][1]!r}")
    if "nulls" in options:
        more.append(f"{' or '.join(map(repr, options['nulls']))} for no value")
    return str(options["type"]) + (f" ({', '.join(more)})" if more else "")
