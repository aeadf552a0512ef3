"""A contract and an upstream's sources, merged with what people made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.importing.merge import merge
from gateway.importing.surroundings import value_of

_ROUNDS = 5


def merged_contract(
    mine: bytes | None, text: bytes, new: Mapping[str, Any], base: Mapping[str, Any], digest: str, kept: list[str]
) -> bytes:
    """The contract: as generated where nobody touched it since it had that SHA-256, else merged. `kept` is told of what
    both sides changed."""
    if mine is None or hashlib.sha256(mine).hexdigest() == digest:
        return text
    value, own = value_of("the contract", mine), mine.decode("utf-8-sig")
    for _ in range(_ROUNDS):
        merged = merge(own, value, base, new)
        missing = _missing(value_of("the contract", merged.text.encode()))
        more = _with(new, base, missing)
        if more is None:
            break
        new = more
    kept += merged.kept
    return merged.text.encode()


def _missing(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The components that people's own text still refers to, and that would go."""
    components = document.get("components") or {}
    found = {tuple(each.split("/")[2:4]) for each in _references(document) if each.count("/") == 3}
    return {(section, name) for section, name in found if name not in (components.get(section) or {})}


def _references(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            if isinstance(each.get("$ref"), str):
                yield each["$ref"]
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _with(new: Mapping[str, Any], base: Mapping[str, Any], missing: set[tuple[str, str]]) -> dict[str, Any] | None:
    """The generated contract with components of the last one; None where that brings nothing."""
    old, components = base.get("components", {}), {key: dict(each) for key, each in new["components"].items()}
    back = {(section, name) for section, name in missing if name in old.get(section, {})}
    back = {(section, name) for section, name in back if name not in components.get(section, {})}
    if not back:
        return None
    for section, name in back:
        components.setdefault(section, {})[name] = old[section][name]
    return {**new, "components": components}


def merged_sources(
    folder: str,
    new: Mapping[str, bytes],
    files: Mapping[str, bytes],
    digests: Mapping[str, str],
    kept: list[str],
) -> dict[str, bytes | None]:
    """What stands below an upstream's folder. YAML that people amended is merged; of anything else that they changed
    theirs is kept. `digests` are those of the last import's files; of its YAML the text is in `base/`."""
    made: dict[str, bytes | None] = {}
    for name, data in new.items():
        made[folder + name] = _source(folder, name, data, files, digests, kept)
        if name.endswith((".yaml", ".yml")):
            made[f"{folder}base/{name}"] = data
    for name in digests:
        if name not in new and _digest(files.get(folder + name)) == digests[name]:
            made[folder + name] = None
            if f"{folder}base/{name}" in files:
                made[f"{folder}base/{name}"] = None
    return made


def _source(
    folder: str, name: str, data: bytes, files: Mapping[str, bytes], digests: Mapping[str, str], kept: list[str]
) -> bytes:
    mine, base = files.get(folder + name), files.get(f"{folder}base/{name}")
    if mine is None or mine == data or _digest(mine) == digests.get(name) or name not in digests:
        return data
    if base is not None:
        place = folder + name
        merged = merge(mine.decode(), value_of(place, mine), value_of(place, base), value_of(place, data))
        kept += [f"{place}: {each}" for each in merged.kept]
        return merged.text.encode()
    if hashlib.sha256(data).hexdigest() != digests[name]:
        kept.append(f"{folder}{name}: changed here and at the source")
    return mine


def _digest(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()
