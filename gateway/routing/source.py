"""YAML (and JSON, which is a part of it) with the line of every value, read as untrusted input.

Values follow YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), as OpenAPI 3.1 asks: `no` and
`2026-01-01` are texts. A key given twice, an explicit tag, an alias to itself, and too deep or too large a document
are findings.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from gateway.routing.model import Finding
from gateway.routing.report import Document, Place, Report

# libyaml's loader where PyYAML has it: ten times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 100
_MAX_VALUES = 200_000

_CONSTANTS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_CONSTANTS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class _Refused(Exception):
    """The document can't be used at all."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def parse(file: str, content: bytes, report: Report) -> Document | None:
    """The document in `content`; None, with the findings in `report`, when it can't be used."""
    try:
        text = content.decode("utf-8-sig")
        _look_ahead(text)
        root = yaml.compose(text, Loader=_LOADER)
        return _Builder(file, report).document(root)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report.note(Finding(file, line, "", "this isn't UTF-8 text: save the file as UTF-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        sentence = f"the YAML can't be read: {error.problem or error.context}"
        report.note(Finding(file, mark.line + 1 if mark else 1, "", sentence))
    except yaml.YAMLError as error:
        report.note(Finding(file, 1, "", f"the YAML can't be read: {str(error).splitlines()[0]}"))
    except _Refused as error:
        report.note(Finding(file, error.line, "", error.message))
    return None


def _look_ahead(text: str) -> None:
    # Composing recurses in C and would end the process on deep nesting, so the depth is measured on events first.
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise _Refused(f"values are nested more than {_MAX_DEPTH} deep", event.start_mark.line + 1)
        if getattr(event, "tag", None) is not None:
            raise _Refused(f"tags such as {event.tag} aren't used here: remove it", event.start_mark.line + 1)


class _Builder:
    def __init__(self, file: str, report: Report) -> None:
        self._file, self._report = file, report
        self._lines: dict[Place, int] = {(): 1}
        self._open: set[int] = set()

    def document(self, root: Any) -> Document:
        if not isinstance(root, yaml.MappingNode):
            line = root.start_mark.line + 1 if root is not None else 1
            raise _Refused("the file must hold a mapping of keys to values", line)
        return Document(self._file, self._mapping(root, ()), self._lines)

    def _value(self, node: Any, place: Place) -> Any:
        if len(self._lines) > _MAX_VALUES:
            raise _Refused(f"the file holds more than {_MAX_VALUES} values, aliases counted", node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._open or len(place) > _MAX_DEPTH:
            raise _Refused("an alias leads back into itself", node.start_mark.line + 1)
        self._open.add(id(node))
        value = self._mapping(node, place) if isinstance(node, yaml.MappingNode) else self._sequence(node, place)
        self._open.discard(id(node))
        return value

    def _mapping(self, node: Any, place: Place) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused("a key must be a text", line)
            # Keys are texts as written: `200:` is "200", as OpenAPI means it.
            inner = (*place, key.value)
            if key.value in members:
                first = self._lines[inner]
                sentence = f"the key is given twice (first on line {first}): keep one"
                self._report.note(Finding(self._file, line, ".".join(inner), sentence))
                continue
            self._lines[inner] = line
            members[key.value] = self._value(value, inner)
        return members

    def _sequence(self, node: Any, place: Place) -> list[Any]:
        items = []
        for position, item in enumerate(node.value):
            inner = (*place, str(position))
            self._lines[inner] = item.start_mark.line + 1
            items.append(self._value(item, inner))
        return items


def _scalar(node: Any) -> Any:
    text: str = node.value
    if node.style:  # quoted or a block
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
