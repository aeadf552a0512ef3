"""An OpenAPI document (3.0, 3.1), JSON or YAML, as plain values; what contradicts itself or leads out of it is refused.

YAML is read as its core schema has it (YAML 1.2 section 10.3), so that `NO` and `2026-01-01` are texts; status codes
that stand for keys are texts, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote

import yaml

from adapters.errors import ConfigError, ConfigProblem, parts_of, pointer

_LARGEST = 32 * 2**20
_DEEPEST = 200
_MOST_PROBLEMS = 20
_MOST_HOPS = 20
_VERSION = re.compile(r"3\.[01]\.\d+(-.+)?")
_PLAIN = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# What holds data, in which `$ref` is a word like any other.
_DATA = frozenset({"example", "examples", "default", "enum", "const"})
_NOT_HERE = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef")


class Broken(Exception):
    """What is wrong with the document at `place`, a JSON Pointer into it; or only with the operation that needs it."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Document:
    """A document whose `$ref`s are known to lead somewhere in it."""

    path: str
    root: Mapping[str, Any]
    content: bytes

    @property
    def old(self) -> bool:
        """Whether its schemas are OpenAPI 3.0's, not JSON Schema's."""
        return str(self.root["openapi"]).startswith("3.0")

    def follow(self, value: Any, place: str) -> tuple[Any, str]:
        """What `value`, an object that is no schema, refers to, or itself; and where it stands. Raises `Broken`."""
        for _ in range(_MOST_HOPS):
            if not (isinstance(value, dict) and isinstance(value.get("$ref"), str)):
                return value, place
            place = target(value["$ref"])
            value = self.at(place)
        raise Broken("a $ref that leads back to itself", place)

    def at(self, place: str) -> Any:
        """What a JSON Pointer leads to; raises `Broken`."""
        found: Any = self.root
        for part in parts_of(place):
            if isinstance(found, dict) and part in found:
                found = found[part]
            elif (
                isinstance(found, list)
                and part.isascii()
                and part.isdigit()
                and len(part) < 10
                and int(part) < len(found)
            ):
                found = found[int(part)]
            else:
                raise Broken(f"there is no #{place} in the document", place)
        return found

    def problem(self, message: str, place: str = "") -> ConfigProblem:
        """The problem at `place`, with its line."""
        return ConfigProblem(message, "/openapi", self.path, _line(self.content, place))


def target(ref: str) -> str:
    """The JSON Pointer of a `$ref` within the document (RFC 6901 section 6)."""
    return unquote(ref.removeprefix("#"))


def opened(path: str, files: Mapping[str, bytes]) -> Document:
    """The document at workspace path `path`; raises `ConfigError` with what is wrong, and the lines."""
    content = files.get(path)
    if content is None:
        raise ConfigError([ConfigProblem(f"there is no file {path} in the workspace", "/openapi")])
    if len(content) > _LARGEST:
        raise ConfigError([ConfigProblem(f"the document is larger than {_LARGEST} bytes", "/openapi", path)])
    root = _read(path, content)
    if not isinstance(root, dict) or not _VERSION.fullmatch(str(root.get("openapi"))):
        sentence = "this isn't an OpenAPI document of version 3.0 or 3.1: convert it, or leave out openapi"
        raise ConfigError([ConfigProblem(sentence, "/openapi", path, 1)])
    document = Document(path, root, content)
    problems = [document.problem(message, place) for message, place in _first(_faults(document))]
    if problems:
        raise ConfigError(problems)
    return document


def _first(found: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for each, _ in zip(found, range(_MOST_PROBLEMS), strict=False):
        yield each


def _faults(document: Document) -> Iterator[tuple[str, str]]:
    """Every reference that can't be followed here, with its place."""
    waiting: list[tuple[Any, tuple[str | int, ...]]] = [(document.root, ())]
    seen: set[int] = set()
    while waiting:
        value, place = waiting.pop()
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list):
            waiting.extend((each, (*place, number)) for number, each in enumerate(value))
            continue
        named = bool(place) and place[-1] in ("properties", "schemas", "patternProperties", "$defs", "headers")
        if not named:
            yield from _own_faults(document, value, place)
        for key, each in value.items():
            if named or not (key in _DATA or key.startswith("x-")):
                waiting.append((each, (*place, key)))


def _own_faults(
    document: Document, value: Mapping[str, Any], place: tuple[str | int, ...]
) -> Iterator[tuple[str, str]]:
    for key in _NOT_HERE:
        if isinstance(value.get(key), str):
            yield f"{key} isn't understood: refer to a schema by its place, #/components/schemas/NAME", pointer(*place)
    ref = value.get("$ref")
    if not isinstance(ref, str):
        return
    where = pointer(*place, "$ref")
    if not ref.startswith("#"):
        yield f"'{ref}' leads out of the document, which must be whole: bundle its files into one", where
    elif ref != "#" and not ref.startswith("#/"):
        yield f"'{ref}' names an anchor: refer to it by its place, #/components/schemas/NAME", where
    else:
        try:
            document.at(target(ref))
        except Broken as error:
            yield str(error), where


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(path: str, content: bytes) -> Any:
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip()[:1] == "{":
            try:
                return json.loads(text, object_pairs_hook=_unique, parse_constant=_refused)
            except (ValueError, RecursionError):
                pass  # YAML's reader says the same, and where
        return _Builder().built(text)
    except UnicodeDecodeError:
        raise ConfigError([ConfigProblem("the document isn't UTF-8 text", "/openapi", path, 1)]) from None
    except yaml.MarkedYAMLError as error:
        line = int(getattr(error.problem_mark or error.context_mark, "line", 0)) + 1
        message = f"the document isn't YAML or JSON: {error.problem or error.context}"
        raise ConfigError([ConfigProblem(message, "/openapi", path, line)]) from error
    except yaml.YAMLError as error:
        message = "the document isn't YAML or JSON: it holds characters that neither may have"
        raise ConfigError([ConfigProblem(message, "/openapi", path, 1)]) from error
    except _Twice as error:
        raise ConfigError([ConfigProblem(str(error), "/openapi", path, error.line)]) from error


class _Twice(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _refused(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


class _Builder:
    """Values from YAML's events, without a stack of calls; aliases share what they stand for."""

    def __init__(self) -> None:
        self.lines: dict[tuple[int, str | int], int] = {}
        """(id of a container, key or position) → line, 1-based."""
        self._stack: list[Any] = []
        self._keys: list[str | None] = []
        self._anchors: dict[str, Any] = {}
        self._root: Any = None

    def built(self, text: str) -> Any:
        """The value of the one document in `text`; raises `yaml.YAMLError` and `_Twice`."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = 0
        for event in yaml.parse(text, Loader=loader):
            mark: Any = event.start_mark
            line = int(mark.line) + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Twice("the file holds several documents", line)
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event, line)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in self._anchors:
                    raise _Twice(f"there is no anchor {event.anchor} before its alias", line)
                self._put(self._anchors[event.anchor], line)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor, line)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._stack.pop()
                self._keys.pop()
        return self._root

    def _begin(self, value: Any, anchor: str | None, line: int) -> None:
        if len(self._stack) >= _DEEPEST:
            raise _Twice(f"more than {_DEEPEST} levels stand within each other", line)
        self._put(value, line)
        if anchor is not None:
            self._anchors[anchor] = value
        self._stack.append(value)
        self._keys.append(None)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self._stack and isinstance(self._stack[-1], dict) and self._keys[-1] is None:
            if event.value in self._stack[-1]:
                raise _Twice(f"'{event.value[:100]}' stands twice", line)
            self._keys[-1] = event.value
            self.lines[id(self._stack[-1]), event.value] = line
            return
        value = _plain(event.value) if event.implicit[0] and event.style in (None, "") else event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._put(value, line)

    def _put(self, value: Any, line: int) -> None:
        if not self._stack:
            self._root = value
            return
        holder = self._stack[-1]
        if isinstance(holder, list):
            self.lines[id(holder), len(holder)] = line
            holder.append(value)
            return
        key, self._keys[-1] = self._keys[-1], None
        if key is None:
            raise _Twice("a key must be a text", line)
        holder[key] = value


def _plain(text: str) -> Any:
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text) and len(text) < 1000:
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) and len(text) < 1000 else text


def _line(content: bytes, place: str) -> int | None:
    """The line at which what a JSON Pointer leads to stands; None where YAML can't read the document."""
    builder = _Builder()
    try:
        found = builder.built(content.decode("utf-8-sig"))
    except (yaml.YAMLError, _Twice, UnicodeDecodeError):
        return None
    line = 1
    for part in parts_of(place):
        key: str | int = int(part) if isinstance(found, list) and part.isdigit() else part
        line = builder.lines.get((id(found), key), line)
        try:
            found = found[key]
        except (KeyError, IndexError, TypeError):
            break
    return line
