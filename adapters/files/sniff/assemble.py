"""Columns whose places are known → a dataset: read as texts, their types told, read again to see that they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from adapters.files.sniff.found import CantTell, Column, Key, Said, Sniffed, count
from adapters.files.sniff.names import json_names
from adapters.files.sniff.sample import Sample, compiled, keys, sample, size_of
from adapters.files.sniff.types import Guess, guesses, shown

_FEW = 20


class Place(NamedTuple):
    """A column as the file has it: its header, and the options that say where it stands."""

    header: str
    where: Mapping[str, Any]


def places_of(headers: Sequence[str]) -> list[Place]:
    """Columns by their headers, so that they may move; by their places where a header is empty or stands twice."""
    return [
        Place(header, {"from": header} if header and headers.count(header) == 1 else {"from": at})
        for at, header in enumerate(headers, start=1)
    ]


def assembled(
    file: BinaryIO,
    name: str,
    dataset: Mapping[str, Any],
    places: Sequence[Place],
    said: Sequence[Said],
    point: str | None = None,
    prepared: Callable[[list[str]], list[str]] = list,
) -> Sniffed:
    """The dataset; `point`: the decimal point that is to be expected, `prepared`: a column's texts, to be judged.
    Raises `CantTell`."""
    names = json_names([place.header for place in places])
    texts = {each: {"type": "text", **place.where} for each, place in zip(names, places, strict=True)}
    read = sample(compiled(with_columns(dataset, texts)), file, size_of(file))
    if not read.values:
        raise CantTell(f"no record can be read: {'; '.join(read.faults) or 'there is none'}")
    given = [prepared(["" if text is None else text for text in read.column(each)]) for each in names]
    types = dict(zip(names, guesses(given, point), strict=True))
    more = [*said, *renamed(names, places)]
    found = _typed(file, name, dataset, dict(zip(names, places, strict=True)), types, more)
    wrong = {each: guess for each, guess in types.items() if any(f": {each} " in fault for fault in found.faults)}
    if found.bad > read.bad and wrong:
        types |= {
            each: Guess({"type": "text"}, f"text: not all read as {shown(guess.options)}", True)
            for each, guess in wrong.items()
        }
        found = _typed(file, name, dataset, dict(zip(names, places, strict=True)), types, more)
    return found


def _typed(
    file: BinaryIO,
    name: str,
    dataset: Mapping[str, Any],
    places: Mapping[str, Place],
    types: Mapping[str, Guess],
    said: Sequence[Said],
) -> Sniffed:
    columns = {each: {**types[each].options, **place.where} for each, place in places.items()}
    typed = [Said(each, guess.sentence, guess.doubtful) for each, guess in types.items()]
    made = [Column(each, place.header, columns[each]) for each, place in places.items()]
    return finished(file, name, with_columns(dataset, columns), made, [*said, *typed])


def finished(
    file: BinaryIO, name: str, dataset: Mapping[str, Any], columns: Sequence[Column], said: Sequence[Said]
) -> Sniffed:
    """The dataset with its types, its keys and its bad records, as they are read by it."""
    format = compiled(dataset)
    read = sample(format, file, size_of(file))
    found = tuple(keys(read.values, format.fields or {}))
    return Sniffed(
        name,
        dataset,
        tuple(columns),
        found,
        len(read.values),
        read.whole,
        (*said, *_ends(read, found)),
        read.faults,
        read.bad,
    )


def with_columns(dataset: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    return {**dataset, "options": {**dataset.get("options", {}), "columns": _short(columns)}}


def _short(columns: Mapping[str, Any]) -> dict[str, Any]:
    """`integer` for `{type: integer}`, and no `from` that says the name again."""
    made = {
        name: {key: value for key, value in each.items() if (key, value) != ("from", name)}
        for name, each in columns.items()
    }
    return {name: each["type"] if set(each) == {"type"} else each for name, each in made.items()}


def renamed(names: Sequence[str], places: Sequence[Place]) -> list[Said]:
    """What is said of headers that are empty, or stand twice."""
    headers = [place.header for place in places]
    said = []
    for at, (name, header) in enumerate(zip(names, headers, strict=True)):
        if not header and any(headers):
            said.append(Said(name, f"column {at + 1} has no name in the file", True))
        elif header and headers.count(header) > 1:
            said.append(Said(name, f"column {at + 1} has a name that stands twice in the file", True))
    return said


def _ends(read: Sample, found: Sequence[Key]) -> list[Said]:
    number = count(len(read.values))
    all_of = f"all {number} records" if read.whole else f"the first {number} records"
    said = []
    if read.bad:
        faults = "; ".join(read.faults[:2])
        said.append(Said("records", f"{count(read.bad)} can't be read, and would be left out of lists: {faults}", True))
    for key in found[:3]:
        order = ", and the file is in its order" if key.sorted else ""
        said.append(Said(f"key {key.name}", f"filled and different in {all_of}{order}", len(read.values) < _FEW))
    if not found:
        said.append(Said("key", f"no field is filled and different in {all_of}", True))
    return said
