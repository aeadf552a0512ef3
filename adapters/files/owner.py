"""The field of an appended record that says who wrote it: filled by the gateway, and never by the caller's input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.callers import Callers, name_of
from adapters.contract import Context, Json
from adapters.errors import AdapterError, ConfigProblem, FieldError, Invalid, NotMapped, pointer
from adapters.files.config import Dataset
from adapters.files.dataset import Description
from adapters.files.formats import Format, at


class Owners:
    """What callers are called in owner fields: as the map says, or as themselves."""

    def __init__(self, callers: Mapping[str, str] | None) -> None:
        self._callers = None if callers is None else Callers(callers)

    def of(self, description: Description, context: Context) -> str | None:
        """What stands for the caller, None where a dataset has no owner field; raises `NotMapped`."""
        if description.config.owner is None:
            return None
        return name_of(context) if self._callers is None else self._callers.of(context)


def signed(input: Mapping[str, Json], path: str | None, owner: str) -> Mapping[str, Json]:
    """`input` with its owner filled in; raises `Invalid` where it names one by itself."""
    names = _names(path)
    copy: dict[str, Json] = dict(input)
    place = copy
    for name in names[:-1]:
        group = place.get(name, {})
        if not isinstance(group, Mapping):
            return input  # which the format will refuse
        place[name] = place = dict(group)
    if names[-1] in place:
        fault = FieldError(pointer(*names), "is filled by the gateway: leave it out")
        raise Invalid("the record says by itself who wrote it", errors=[fault])
    place[names[-1]] = owner
    return copy


def refusal(description: Description, faults: Sequence[FieldError]) -> AdapterError:
    """The error for a record that can't be written; an owner that is at fault isn't its writer's fault."""
    owner = description.config.owner
    if owner is not None and any(fault.pointer == pointer(*_names(owner)) for fault in faults):
        return _unfit()
    return Invalid(f"the record isn't one of {description.name}", errors=faults)


def kept(value: Json, path: str | None, owner: str) -> None:
    """Raises `NotMapped` where the record, read back, names somebody else: cut short, trimmed or spelt otherwise."""
    if at(value, path or "") != owner:
        raise _unfit()


def _unfit() -> NotMapped:
    return NotMapped("The caller's name doesn't fit the field of the record that says who wrote it.")


def without(schema: dict[str, Any], path: str | None) -> dict[str, Any]:
    """An input schema less its owner field, which callers can't give."""
    if path is None:
        return schema
    first, _, rest = path.partition(".")
    properties = dict(schema["properties"])
    if rest:
        properties[first] = without(properties[first], rest)
        return {**schema, "properties": properties}
    del properties[first]
    required = [name for name in schema.get("required", ()) if name != first]
    return {**schema, "properties": properties, **({"required": required} if "required" in schema else {})}


def faults(dataset: Dataset, format: Format, where: str) -> Iterator[ConfigProblem]:
    """What keeps a dataset's owner field from being one."""
    path, fields = dataset.owner, format.fields
    if path is None:
        return
    if dataset.append is None:
        yield ConfigProblem("records have an owner when they are appended: say append, too", where)
    elif path == dataset.key:
        yield ConfigProblem("the key can't say who wrote a record", where)
    elif fields is not None and (fields.get(path) != "text" or not _is_input(format.input_schema(), path)):
        yield ConfigProblem(f"'{path}' isn't a text field that can be written", where)


def _is_input(schema: Mapping[str, Any], path: str) -> bool:
    for name in path.split("."):
        schema = schema.get("properties", {}).get(name, {})
    return schema.get("type") == "string"


def _names(path: str | None) -> list[str]:
    return (path or "").split(".")
