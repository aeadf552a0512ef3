"""Rules about what is known before the first call: building, configuration, documentation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from sys import modules
from typing import Any, get_args

import jsonschema_rs
from pydantic import BaseModel, ValidationError

from adapters.contract import Effect, Operation
from adapters.errors import ConfigError
from adapters.registry import GROUP
from adapters.testing.bench import Bench, broken
from adapters.testing.subject import references

_STRANGE_KEY = "no_such_key"


async def built(bench: Bench) -> None:
    """Builds it with the system there, and looks whether anybody called."""
    adapter = bench.build()
    if adapter.name != "subject":
        broken(f"its name is {adapter.name!r}, though it was built as 'subject'")
    listed = adapter.operations()
    for name, operation in listed.items():
        _check_operation(name, operation)
    for sample in bench.subject.reads:
        if bench.operation(adapter, sample).effect is not Effect.READ:
            broken(f"the subject has {sample.operation} as a read, and its effect is another")
    if not bench.subject.reads:
        broken("the subject has no reads")
    if bench.subject.address is not None and await asyncio.to_thread(bench.wire.connections) > 0:
        broken("building it, or asking for its operations, connects to the system")


def _check_operation(name: str, operation: Operation) -> None:
    if operation.name != name:
        broken(f"operation {name} calls itself {operation.name}")
    for schema in (operation.input, operation.output):
        try:
            jsonschema_rs.Draft202012Validator(dict(schema))
        except (jsonschema_rs.ValidationError, ValueError) as error:
            broken(f"a schema of {name} is no JSON Schema: {str(error).splitlines()[0]}")


async def configured(bench: Bench) -> None:
    """Tries a key that isn't known, and each secret as a literal."""
    config = bench.config()
    _refuses(bench, {**config, _STRANGE_KEY: 1}, f"the unknown key {_STRANGE_KEY}")
    for path, reference in references(config):
        literal = _with(config, path, str.__str__(reference))
        _refuses(bench, literal, f"a literal secret in {'.'.join(map(str, path))}")


def _refuses(bench: Bench, config: Mapping[str, Any], what: str) -> None:
    try:
        bench.build(config)
    except (ValidationError, ConfigError):
        return
    broken(f"{what} is accepted; the model needs extra='forbid', and Secret for what is secret")


def _with(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy of a configuration with one place changed."""
    if not path:
        return new
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    changed = {key: _with(each, path[1:], new) if key == path[0] else each for key, each in items}
    return changed if isinstance(value, Mapping) else list(changed.values())


async def documented(bench: Bench) -> None:
    """Looks for each key's description in the schema, and for its name between backquotes in the README."""
    config = bench.kind.config
    page = "\n".join(_pages(bench.subject.kind, config))
    if not page:
        broken("there is no README.md beside its modules, nor in its distribution's description")
    code = set(re.findall(r"[\w-]+", " ".join(re.findall(r"```.*?```|`[^`\n]+`", page, re.DOTALL))))
    keys = dict(_keys(config.model_json_schema()))
    if silent := sorted(key for key, described in keys.items() if not described):
        broken(f"the configuration's schema doesn't describe {', '.join(silent)}")
    if untold := sorted(key for key in keys if key not in code):
        broken(f"its README doesn't tell of {', '.join(untold)}")


def _keys(schema: Any) -> Iterator[tuple[str, bool]]:
    """Every key of a schema, at any depth, and whether it or the model that it holds is described."""
    if isinstance(schema, list):
        for each in schema:
            yield from _keys(each)
    if not isinstance(schema, dict):
        return
    for name, value in schema.get("properties", {}).items():
        if isinstance(value, dict):
            choices = [value, *value.get("anyOf", ())]
            yield name, "description" in value or any("$ref" in choice for choice in choices)
    for value in schema.values():
        yield from _keys(value)


def _pages(kind: str, config: type[BaseModel]) -> Iterator[str]:
    """The READMEs beside the modules of the configuration's models, and the one of the distribution."""
    files = {getattr(modules.get(model.__module__), "__file__", None) for model in _models(config, set())}
    for page in {folder / "README.md" for file in files if file for folder in Path(file).parents[:2]}:
        if page.is_file():
            yield page.read_text(encoding="utf-8")
    for point in entry_points(group=GROUP, name=kind):
        told = point.dist.metadata if point.dist is not None else None
        if told is not None:
            yield str(told.get("Description") or told.get_payload())  # type: ignore[attr-defined]


def _models(annotation: Any, seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """The model and all that its fields hold."""
    for each in get_args(annotation):
        _models(each, seen)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
        seen.add(annotation)
        for field in annotation.model_fields.values():
            _models(field.annotation, seen)
    return seen
