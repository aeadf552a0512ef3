"""The schemas of many operations as a contract's components: equal ones of one name once, others renamed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from adapters.contract import JsonSchema

_REF = "#/$defs/"
_FOUND = re.compile(rb'"#/\$defs/((?:[^"\\]|\\.)*)"')
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
POINTER = "#/components/schemas/"


class Components:
    """Gathers `$defs`. `taken` are names that other contracts give to other things."""

    def __init__(self, taken: Mapping[str, Any]) -> None:
        self.schemas: dict[str, JsonSchema] = {}
        self._bytes: dict[str, bytes] = {}
        self._taken = {name: _dumped(_unpointed(schema)) for name, schema in taken.items()}

    def hoisted(self, schema: JsonSchema, suffix: str) -> dict[str, Any]:
        """A schema without its `$defs`, which are components now; `suffix` tells those apart whose name is taken."""
        definitions = schema.get("$defs", {})
        bare = {key: value for key, value in schema.items() if key != "$defs"}
        names = self._names({name: _dumped(each) for name, each in definitions.items()}, suffix)
        for name, each in definitions.items():
            if names[name] not in self.schemas:
                self.schemas[names[name]] = pointed(each, names)
        made: dict[str, Any] = pointed(bare, names)
        return made

    def named(self, name: str, schema: JsonSchema, suffix: str) -> dict[str, Any]:
        """A reference to a component of that name, or of one like it where it is taken."""
        definitions = {**schema.get("$defs", {})}
        bare = {key: value for key, value in schema.items() if key != "$defs"}
        if name in definitions and definitions[name] != bare:
            name += suffix
        return self.hoisted({"$ref": _REF + name, "$defs": {**definitions, name: bare}}, suffix)

    def _names(self, texts: Mapping[str, bytes], suffix: str) -> dict[str, str]:
        names = {name: _UNFIT.sub("_", name) or "_" for name in texts}
        clashing = _reaching({name for name in texts if not self._free(names[name], texts[name])}, texts)
        number = 1
        while clashing:
            tail = suffix if number == 1 else f"{suffix}{number}"
            for name in clashing:
                names[name] = _UNFIT.sub("_", name + tail)
            renamed = {name: _renamed(texts[name], names, clashing) for name in clashing}
            if all(self._free(names[name], renamed[name]) for name in clashing):
                texts = {**texts, **renamed}
                break
            number += 1
        for name, text in texts.items():
            self._bytes[names[name]] = text
        return names

    def _free(self, name: str, text: bytes) -> bool:
        return self._bytes.get(name, text) == text and self._taken.get(name, text) == text


def _reaching(names: set[str], texts: Mapping[str, bytes]) -> set[str]:
    """Those names, and all that refer to them from near or far."""
    if not names:
        return names
    refers = {name: {found.decode() for found in _FOUND.findall(text)} for name, text in texts.items()}
    found = set(names)
    while True:
        more = {name for name, targets in refers.items() if name not in found and targets & found}
        if not more:
            return found
        found |= more


def _renamed(text: bytes, names: Mapping[str, str], only: Iterable[str]) -> bytes:
    chosen = frozenset(only)

    def swap(found: re.Match[bytes]) -> bytes:
        name = found.group(1).decode()
        return b'"#/$defs/' + (names[name] if name in chosen else name).encode() + b'"'

    return _FOUND.sub(swap, text)


def pointed(value: Any, names: Mapping[str, str]) -> Any:
    """A copy in which references to `$defs` lead to components."""
    if isinstance(value, Mapping):
        return {
            key: _pointer(inner, names) if key == "$ref" and isinstance(inner, str) else pointed(inner, names)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [pointed(inner, names) for inner in value]
    return value


def _pointer(reference: str, names: Mapping[str, str]) -> str:
    name = reference.removeprefix(_REF)
    return POINTER + names[name] if name in names else reference


def _unpointed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: inner.replace(POINTER, _REF) if key == "$ref" and isinstance(inner, str) else _unpointed(inner)
            for key, inner in value.items()
        }
    return [_unpointed(inner) for inner in value] if isinstance(value, list) else value


def _dumped(schema: Any) -> bytes:
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
