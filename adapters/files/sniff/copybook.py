"""A copybook and a file of its records → record format and code page, as the records themselves show; keys; which
alternative of a REDEFINES a field tells.

Each framing is tried with each code page: what decodes most of the sample, its texts being texts, wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from adapters.files.copybook import builder, items
from adapters.files.copybook.copying import Copies
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.shape import json_name
from adapters.files.copybook.source import CopybookError
from adapters.files.copybook_format import CopybookFormat
from adapters.files.sniff.alternatives import Choice, choices
from adapters.files.sniff.found import CantTell, Key, Said, count
from adapters.files.sniff.sample import Sample, compiled, keys, sample, size_of

_PAGES = ("cp037", "latin-1")
_RDW: tuple[dict[str, Any], ...] = (
    {"is_rdw_big_endian": True, "is_rdw_part_of_record_length": True},
    {"is_rdw_big_endian": True},
    {},
    {"is_rdw_part_of_record_length": True},
)
_TRIED = 200
_SURE = 0.98


class Records(NamedTuple):
    """`dataset`: its configuration without `match` and `key`; `format`: the same, compiled; `choices`: what tells the
    alternatives of each REDEFINES."""

    dataset: Mapping[str, Any]
    format: CopybookFormat
    sample: Sample
    keys: tuple[Key, ...]
    choices: tuple[Choice, ...]
    said: tuple[Said, ...]


class _Try(NamedTuple):
    dataset: dict[str, Any]
    good: int
    bad: int
    printable: float
    score: float


def records(
    file: BinaryIO,
    path: str,
    files: Mapping[str, bytes],
    options: Mapping[str, Any],
    code_page: str | None = None,
    record_format: str | None = None,
) -> Records:
    """What the file holds, by the copybook `path` of the workspace's `files`; `options`: of the dataset, as far as they
    are known. Raises `CantTell`."""
    size = size_of(file)
    if not size:
        raise CantTell("the sample file is empty: nothing can be told of its records")
    ways = [way for way in _ways(path, options, code_page) if record_format in (None, way["record_format"])]
    every = (_tried(file, size, dataset, files) for dataset in ways)
    tries = [each for each in every if each is not None]
    best = max(tries, key=lambda each: each.score, default=None)
    if best is None or not best.good:
        raise CantTell("the sample's records fit the copybook in no record format and code page that is known")
    said = list(_said(best, tries))
    format = _compiled(best.dataset, files)
    read = sample(format, file, size)
    found = choices(format.layout, read.values)
    return Records(best.dataset, format, read, tuple(keys(read.values, format.fields)), tuple(found), tuple(said))


def _compiled(dataset: Mapping[str, Any], files: Mapping[str, bytes]) -> CopybookFormat:
    format = compiled(dataset, files)
    assert isinstance(format, CopybookFormat)
    return format


def _ways(path: str, options: Mapping[str, Any], code_page: str | None) -> Iterator[dict[str, Any]]:
    base = {"format": "copybook", "copybook": path}
    for page in (code_page,) if code_page else _PAGES:
        yield {**base, "code_page": page, "record_format": "F", "options": dict(options)}
        yield {**base, "code_page": page, "record_format": "text", "options": dict(options)}
        for words in _RDW:
            yield {**base, "code_page": page, "record_format": "V", "options": {**options, **words}}
            block = {"is_bdw_big_endian": True} if words.get("is_rdw_big_endian") else {}
            yield {**base, "code_page": page, "record_format": "VB", "options": {**options, **words, **block}}


def _tried(file: BinaryIO, size: int, dataset: dict[str, Any], files: Mapping[str, bytes]) -> _Try | None:
    try:
        format = _compiled(dataset, files)
    except CantTell:
        return None
    if not format.whole(size):
        return None
    read = sample(format, file, size, _TRIED)
    good, bad = len(read.values), read.bad
    if not good:
        return None
    texts = "".join(_texts(read.values)).replace("\0", "")
    printable = sum(map(_usual, texts)) / len(texts) if texts else 1.0
    # What is left behind a frame that can't be read counts as much as all that was.
    lost = 0.5 if any("the rest" in each or "descriptor word" in each for each in read.faults) else 1.0
    return _Try(dataset, good, bad, printable, lost * good / (good + bad) * printable**2)


def _texts(values: Sequence[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts(list(value.values()))
        elif isinstance(value, list):
            yield from _texts(value)


def _usual(character: str) -> float:
    """How usual a character is in texts: EBCDIC's capitals, read as Latin-1, are letters with accents."""
    return 1.0 if " " <= character <= "~" else 0.3 if "\xc0" <= character <= "\xff" else 0.0


def _said(best: _Try, tries: Sequence[_Try]) -> Iterator[Said]:
    dataset = best.dataset
    of = f"{count(best.good)} of the first {count(best.good + best.bad)} records decode"
    others = [each for each in tries if each.dataset["record_format"] != dataset["record_format"] and each.good]
    next_best = max(others, key=lambda each: each.score, default=None)
    instead = (
        f"; as {next_best.dataset['record_format']}, {count(next_best.good)} of {count(next_best.good + next_best.bad)}"
        if next_best
        else "; in no other record format any does"
    )
    yield Said("record format", f"{dataset['record_format']}: {of}{instead}", best.bad > 0)
    ebcdic = dataset["code_page"].startswith("cp")
    page = "EBCDIC; which of its pages nobody can tell from digits and letters" if ebcdic else "ASCII or like it"
    shown = f"{dataset['code_page']}: {round(best.printable * 100)} % of the texts' characters are usual ones: {page}"
    yield Said("code page", shown, ebcdic or best.printable < _SURE)


def record_names(text: str, options: CopybookOptions, copies: Copies | None = None) -> list[str]:
    """The 01 records of a copybook, as option `record` names them; raises `CopybookError` with every fault."""
    copybook = items.read(text, columns=options.columns(), copies=copies)
    tops = [top for top in copybook.tops if top.level == 1]
    if copybook.faults:
        raise CopybookError(copybook.faults)
    for top in tops or copybook.tops[:1]:
        builder.build(copybook, record=top.name if len(tops) > 1 else None, shape=options.shape())
    return [json_name(top.name) for top in tops]
