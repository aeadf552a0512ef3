"""The reader `table`: a file of rows, whose format, columns, types and key are told by looking at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.files.sniff.found import CantTell, Key, Sniffed
from adapters.files.sniff.sniff import FORMATS, sniffed
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
from gateway.importing.model import CantImport, Evidence, Found, LeftOut, Reading, Request


def read(request: Request) -> Reading:
    """The tables of a file, or of the file that sorts last of a glob. Options: `format`, `code_page`, `key`. Raises
    `CantImport`."""
    source = source_of(request.source)
    if request.options.get("format") not in (None, *FORMATS):
        raise CantImport(f"'{request.options['format']}' is no format of a table: there are {', '.join(FORMATS)}")
    left_out: list[LeftOut] = []
    tables = _tables(source, request, left_out)
    datasets = {name: _dataset(source, each) for name, each in tables.items()}
    if not datasets:
        why = left_out[0].why if left_out else "nothing in it was chosen"
        raise CantImport(f"{source.path.name} can't be imported: {why}")
    known = described(request.upstream, source.root, datasets, {})
    size = source.path.stat().st_size
    operations: list[Found] = []
    proofs: list[Evidence] = []
    decisions: list[str] = []
    for name, each in tables.items():
        headers = {column.name: f"Column {column.header!r} of the file." for column in each.columns if _other(column)}
        operations += routes(known[name], size, headers, guess=_guess(each))
        proofs += evidence(name, each.said)
        decisions += doubts(name, each.said)
    config = {"root": source.root, "datasets": datasets}
    return Reading("files", config, {}, operations, source.stem, "", left_out, decisions, proofs)


def _other(column: Any) -> bool:
    return bool(column.header) and column.header != column.name


def _tables(source: Source, request: Request, left_out: list[LeftOut]) -> dict[str, Sniffed]:
    """The tables that were chosen and have a key; the others are left out, with the reason."""
    found: dict[str, Sniffed] = {}
    given = request.options
    try:
        with source.path.open("rb") as file:
            parts = sniffed(file, source.path.name, given.get("format"), given.get("code_page"))
            for done, (title, each) in enumerate(parts, start=1):
                request.progress("tables", done, None)
                if not request.chosen(title):
                    continue
                if isinstance(each, CantTell):
                    left_out.append(LeftOut(title, str(each), source.path.name))
                    continue
                table = _keyed(each, given.get("key"))
                if table.key is None:
                    why = "no field is filled and different in every record: rows couldn't be told apart"
                    left_out.append(LeftOut(title, why, source.path.name))
                else:
                    found[each.name] = table
    except CantTell as error:
        raise CantImport(f"{source.path.name} can't be imported: {error}") from error
    except OSError as error:
        raise CantImport(f"{source.path.name} can't be read: {error.strerror}") from error
    return found


def _keyed(table: Sniffed, wanted: str | None) -> Sniffed:
    """The table with the key that somebody named; raises `CantImport` where it has no such field."""
    if wanted is None:
        return table
    known = [column.name for column in table.columns if wanted in (column.name, column.header)]
    if not known:
        raise CantImport(f"{table.name} has no field '{wanted}' to be its key")
    first = [key for key in table.keys if key.name == known[0]] or [Key(known[0], False)]
    return replace(table, keys=(*first, *(key for key in table.keys if key.name != known[0])))


def _guess(table: Sniffed) -> str:
    """What is said of the key where others would do as well."""
    others = ", ".join(key.name for key in table.keys[1:4])
    if not others:
        return ""
    return f"{table.name}: {table.key} is taken for the key; so far {others} would do, too ({table.records:,} records)."


def _dataset(source: Source, table: Sniffed) -> dict[str, Any]:
    """The dataset, to which records can be appended where a file of one record reads back as such."""
    made: dict[str, Any] = {"match": source.match, **table.dataset, "key": table.key}
    if _appends(table.dataset) and not source.wild:
        made["append"] = appended_name(source, str(table.key))
        made["match"] = [source.match, appended_glob(source)]
    return made


def _appends(dataset: Mapping[str, Any]) -> bool:
    options = dataset["options"]
    return dataset["format"] == "csv" and not any(each in options for each in ("skip", "comment", "ragged"))
