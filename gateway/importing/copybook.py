"""The reader `copybook`: a copybook and a file of its records, whose format, code page and key are measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.source import CopybookError
from adapters.files.dataset import Description
from adapters.files.sniff.alternatives import Choice
from adapters.files.sniff.copybook import Records, record_names, records
from adapters.files.sniff.found import CantTell, Said
from adapters.files.sniff.names import json_name
from adapters.files.text import copybook_text
from gateway.importing.copybook_records import discriminated, parted, refined, writable
from gateway.importing.datasets import (
    Source,
    appended_glob,
    appended_name,
    described,
    doubts,
    evidence,
    routes,
    source_of,
)
from gateway.importing.model import CantImport, LeftOut, Reading, Request, placed

_MOST_TEXT = 4 * 1024 * 1024
_MOST_COPIES = 100
_MOST_FAULTS = 20
_LONGEST = 200
_COPY = re.compile(r"\bCOPY\s+[\"']?([A-Za-z0-9_$#@-]+)", re.IGNORECASE)


def read(request: Request) -> Reading:
    """The records of a copybook. Options: `data`, a file of them; `code_page`, `record_format`, `record` and `key`,
    where they are known. Raises `CantImport`, with the lines of the copybook's faults."""
    if not request.options.get("data"):
        raise CantImport("name a file of records to measure on, with --data")
    source = source_of(request.options["data"])
    path, files = _texts(request.source)
    options = _readable(path, files)
    names = record_names(copybook_text(files[path]), CopybookOptions.model_validate(options), _Copies(files))
    found, left_out = _best(source, request, path, files, options, names)
    name = json_name(Path(path).stem, "records")
    key = _key(found, request, name)
    told, dataset = _dataset(found, source, key, lambda each: _description(request, source, files, name, each))
    description = _description(request, source, files, name, dataset)
    record, said = refined(description.format.output_schema(), found, told)
    every = (*found.said, *_ends(found, key), *said)
    return Reading(
        "files",
        {"root": source.root, "datasets": {name: dataset}},
        files,
        list(routes(description, source.path.stat().st_size, {}, record, _guess(name, found, key))),
        title=Path(path).stem,
        left_out=left_out,
        decisions=list(doubts(name, every)),
        evidence=list(evidence(name, every)),
    )


def _description(
    request: Request, source: Source, files: Mapping[str, bytes], name: str, dataset: Mapping[str, Any]
) -> Description:
    return described(request.upstream, source.root, {name: dataset}, files)[name]


def _dataset(
    found: Records, source: Source, key: str, description: Callable[[Mapping[str, Any]], Description]
) -> tuple[Sequence[Choice], dict[str, Any]]:
    """The choices that one field tells, as far as that holds, and the dataset, to be appended to where it can be."""
    told = discriminated(found)
    dataset = {"match": source.match, **_finished(found, told), "key": key}
    if told and not parted(description(dataset).format, source.path, told):
        told, dataset = (), {"match": source.match, **_finished(found, ()), "key": key}
    if "." not in key and not source.wild and writable(description(dataset).format, source.path, dataset):
        dataset |= {"append": appended_name(source, key), "match": [source.match, appended_glob(source)]}
    return told, dataset


# The copybook


def _texts(source: str) -> tuple[str, dict[str, bytes]]:
    """The copybook's name, and with what it copies: files of its own folder."""
    path = placed(source)
    if path.exists() and not path.is_file():
        raise CantImport(f"{source} is no file: name a copybook")
    files = {path.name: _text(path)}
    waiting = [path.name]
    while waiting:
        for name in dict.fromkeys(_COPY.findall(copybook_text(files[waiting.pop()]))):
            for other in _named(path.parent, name):
                if other.name not in files and len(files) < _MOST_COPIES:
                    files[other.name] = _text(other)
                    waiting.append(other.name)
    return path.name, files


def _named(folder: Path, name: str) -> list[Path]:
    """The regular files of a folder that COPY may mean: links could lead out of it."""
    wanted = name.lower()
    return [
        each
        for each in sorted(folder.iterdir())
        if wanted in (each.stem.lower(), each.name.lower()) and each.is_file() and not each.is_symlink()
    ]


def _text(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_TEXT + 1)
    except OSError as error:
        raise CantImport(f"the copybook {path.name} can't be read: {error.strerror}") from error
    if len(data) > _MOST_TEXT:
        raise CantImport(f"{path.name} is larger than {_MOST_TEXT:,} bytes: that is no copybook")
    return data


class _Copies:
    """What COPY copies, by its name with or without suffix."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def __call__(self, name: str) -> str | None:
        for path in sorted(self._files):
            if name.lower() in (Path(path).stem.lower(), path.lower()):
                return copybook_text(self._files[path])
        return None


def _readable(path: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The options by which the copybook has no fault: its text in fixed columns, or free. Raises `CantImport`."""
    first: CopybookError | None = None
    for options in ({}, {"source_format": "free"}):
        try:
            record_names(copybook_text(files[path]), CopybookOptions.model_validate(options), _Copies(files))
        except CopybookError as error:
            # A copybook in fixed columns is told by them; read as free text, its every line would be wrong.
            first = first if first is not None and len(first.faults) <= len(error.faults) else error
        else:
            return options
    assert first is not None
    told = [f"{path}:{fault.line}: {_short(fault.message)}" for fault in first.faults[:_MOST_FAULTS]]
    more = len(first.faults) - len(told)
    raise CantImport("; ".join(told) + (f"; and {more} more" if more else ""))


def _short(message: str) -> str:
    """A fault of what may be no text at all."""
    return "".join(each if each.isprintable() else "·" for each in message[:_LONGEST])


# The records


def _best(
    source: Source,
    request: Request,
    path: str,
    files: Mapping[str, bytes],
    options: Mapping[str, Any],
    names: list[str],
) -> tuple[Records, list[LeftOut]]:
    """The 01 record that most of the sample is, and the others, which are left out."""
    wanted = request.options.get("record")
    found: dict[str, Records] = {}
    left_out: list[LeftOut] = []
    given = request.options.get("code_page"), request.options.get("record_format")
    placed = {f"openapi/sources/{request.upstream}/{name}": text for name, text in files.items()}
    where = f"openapi/sources/{request.upstream}/{path}"
    for done, name in enumerate(names or [""]):
        request.progress("records", done, len(names))
        if (wanted and name != json_name(wanted, "")) or not request.chosen(name or path):
            continue
        more = {"record": name} if len(names) > 1 else {}
        try:
            with source.path.open("rb") as file:
                found[name] = records(file, where, placed, {**options, **more}, *given)
        except CantTell as error:
            left_out.append(LeftOut(name or path, str(error), path))
        except OSError as error:
            raise CantImport(f"{source.path.name} can't be read: {error.strerror}") from error
    if not found:
        raise CantImport(left_out[0].why if left_out else f"{path} has no record that was chosen")
    best = max(found, key=lambda name: len(found[name].sample.values) / (1 + found[name].sample.bad))
    why = f"more of {source.path.name} decodes as {best}; import it by --record from a file of its own"
    left_out += [LeftOut(name, why, path) for name in found if name != best]
    return found[best], left_out


def _key(found: Records, request: Request, name: str) -> str:
    wanted = request.options.get("key")
    known = list(found.format.fields)
    if wanted is not None:
        if wanted not in known:
            raise CantImport(f"the record has no field '{wanted}' to be its key: there is {', '.join(known[:20])}")
        return wanted
    if not found.keys:
        raise CantImport(
            f"no field of {name} is filled and different in all {len(found.sample.values):,} records of the sample: "
            "rows couldn't be told apart; name the key, or give a sample without repetitions"
        )
    return found.keys[0].name


def _guess(name: str, found: Records, key: str) -> str:
    others = ", ".join(each.name for each in found.keys[:4] if each.name != key)
    if not others:
        return ""
    return f"{name}: {key} is taken for the key; so far {others} would do, too ({len(found.sample.values):,} records)."


def _finished(found: Records, told: Sequence[Choice]) -> dict[str, Any]:
    """The dataset's configuration, with what tells its segments apart."""
    dataset = dict(found.dataset)
    options = dict(dataset.pop("options"))
    if told:
        options["segment_field"] = told[0].field_cobol
        options["redefine_segment_id_map"] = _segments(told)
    return {**dataset, **({"options": options} if options else {})}


def _segments(choices: Sequence[Choice]) -> dict[str, list[str]]:
    """Group → the ids for which it is meant."""
    made: dict[str, list[str]] = {}
    for choice in choices:
        for name, cobol in zip(choice.names, choice.cobol, strict=True):
            made[cobol] = [told for told, meant in choice.meant.items() if meant == name]
    return made


def _ends(found: Records, key: str) -> Iterator[Said]:
    read = found.sample
    number = f"{len(read.values):,} records" + ("" if read.whole else ", the file's first")
    measured = {each.name: each for each in found.keys}
    if key in measured:
        order = ", and the file is in its order" if measured[key].sorted else ""
        yield Said(f"key {key}", f"filled and different in all of {number}{order}", len(read.values) < 20)
    else:
        yield Said(f"key {key}", f"given; it isn't different in all of {number}", True)
    if read.bad:
        shown = "; ".join(read.faults[:2])
        yield Said("records", f"{read.bad:,} can't be decoded, and would be left out of lists: {shown}", True)
