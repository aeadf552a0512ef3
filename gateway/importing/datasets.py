"""The routes of a drop's datasets, and the drop itself: what the readers `copybook` and `table` have in common."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from adapters.contract import Effect, JsonSchema, Operation
from adapters.errors import ConfigError
from adapters.files.compile import descriptions
from adapters.files.config import Config
from adapters.files.dataset import Description
from adapters.files.operations import operations
from adapters.files.sniff.found import Said
from gateway.importing.filters import filters, sortable
from gateway.importing.model import CantImport, Evidence, Found, Shape, placed

BIG = 32 * 1024 * 1024
"""Bytes of a file that the adapter keeps an index of on disk: lists of it are sorted by its key alone."""

_WILD = frozenset("*?[")


class Source(NamedTuple):
    """A file to look at, and how a drop finds it and its like: a folder and a glob."""

    path: Path
    root: str
    match: str

    @property
    def stem(self) -> str:
        """The file's name without suffix."""
        return self.path.stem

    @property
    def wild(self) -> bool:
        """The glob is for several files."""
        return self.match != glob.escape(self.path.name)


def source_of(text: str) -> Source:
    """The file of a path, or of a glob the one whose name sorts last; raises `CantImport`."""
    path = placed(text)
    if _WILD & set(path.name) and not path.exists():
        found = sorted(each for each in path.parent.glob(path.name) if each.is_file())
        if not found:
            raise CantImport(f"no file fits {path.name}: name one, or a glob in the last part of its path")
        return Source(found[-1], str(path.parent.resolve()), path.name)
    if not path.is_file():
        raise CantImport(f"{path.name or 'the source'} is no file that can be read: name a file, or a glob of some")
    return Source(path, str(path.parent.resolve()), glob.escape(path.name))


def described(
    upstream: str, root: str, datasets: Mapping[str, Mapping[str, Any]], files: Mapping[str, bytes]
) -> dict[str, Description]:
    """The datasets as the adapter will have them; raises `CantImport`."""
    placed = {f"openapi/sources/{upstream}/{path}": content for path, content in files.items()}
    try:
        return descriptions(Config.model_validate({"root": root, "datasets": dict(datasets)}), placed)
    except ConfigError as error:
        raise CantImport(f"the file can't be imported: {error.problems[0].message}") from error
    except ValidationError as error:
        raise CantImport(f"the file can't be imported: {error.errors()[0]['msg']}") from error


def routes(
    description: Description, size: int, texts: Mapping[str, str], refined: JsonSchema | None = None, guess: str = ""
) -> Iterator[Found]:
    """A dataset's routes. `texts`: what is said of a field; `refined`: the record's schema, where more is known of it
    than the adapter says; `guess`: how sure its key is."""
    offered = {each.name.rpartition(".")[2]: each for each in operations(description)}
    record = _with_texts(refined or offered["get"].output, texts)
    key = next(iter(offered["get"].input["properties"]))
    common: dict[str, Any] = {"resource": description.name}
    fields = description.format.fields or {}
    plain = {name: schema for name, schema in record["properties"].items() if name in fields}
    sorts = [name for name in plain if sortable(name) and (size <= BIG or name == key)]
    listed = offered["list"]
    yield Found(
        listed.name, Effect.READ, record, shape=Shape.LIST, filters=filters(plain, {key}), sorts=tuple(sorts), **common
    )
    get = offered["get"]
    yield Found(get.name, Effect.READ, record, get.input, Shape.GET, key=(key,), guess=guess, **common)
    append: Operation | None = offered.get("append")
    if append is not None:
        given = _with_texts(append.input, texts)
        yield Found(append.name, append.effect, record, given, Shape.CREATE, description=append.description, **common)


def _with_texts(schema: JsonSchema, texts: Mapping[str, str]) -> dict[str, Any]:
    """The schema with what is said of its fields, where it says nothing itself."""
    made = {
        name: {"description": texts[name], **each} if name in texts else each
        for name, each in schema["properties"].items()
    }
    return {**schema, "properties": made}


def appended_name(source: Source, key: str) -> str:
    """The name of the file that a new record gets, beside the one that was looked at."""
    return f"{_appended(source)}-{{{key}}}{source.path.suffix}"


def appended_glob(source: Source) -> str:
    """What finds such files."""
    return f"{_appended(source)}-*{source.path.suffix}"


def _appended(source: Source) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", source.stem).strip("-") or "record"


def evidence(name: str, said: tuple[Said, ...]) -> Iterator[Evidence]:
    """What was found out, as the summary shows it."""
    for each in said:
        found, colon, why = each.sentence.partition(": ")
        yield Evidence(f"{name}: {each.of}", found if colon else "", why if colon else each.sentence)


def doubts(name: str, said: tuple[Said, ...]) -> Iterator[str]:
    """What somebody has to look at, a sentence each."""
    for each in said:
        if each.doubtful:
            yield f"{name}, {each.of}: {each.sentence}."
