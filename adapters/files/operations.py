"""What a dataset can be asked for: `<dataset>.get`, `.list` and, where it may be written, `.append` and `.replace`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.contract import Effect, Operation
from adapters.files.aggregate_schema import aggregating
from adapters.files.claiming import claim_operations
from adapters.files.dataset import Description
from adapters.files.owner import without
from adapters.files.query import MAX_LIMIT
from adapters.files.replacing import MAX_ITEMS

_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "decimal": {"type": "string", "format": "decimal"},
}


def operations(description: Description) -> list[Operation]:
    """The operations of one dataset."""
    name, record = description.name, description.format.output_schema()
    found = [_get(description, record), _list(name, record), aggregating(description, record)]
    if description.config.generations > 1:
        found = [*map(_of_a_moment, found), _generations(name)]
    if description.template is not None:
        found.append(
            Operation(
                f"{name}.append",
                Effect.WRITE,
                without(description.format.input_schema(), description.config.owner),
                record,
                f"Writes one record of {name} into a file of its own, whole and lasting. Fields that are left out "
                "become spaces or zero. A key that exists already is a conflict.",
            )
        )
    if description.replaced is not None:
        found.append(_replace(name, description.format.input_schema()))
    return [*found, *claim_operations(description)]


def _of_a_moment(operation: Operation) -> Operation:
    """The same with `as_of`, as earlier generations can be read, too."""
    about = "A date, or an instant: the newest generation not later than it; left out, the current one."
    moment = {"type": ["string", "null"], "description": about}
    properties = {**operation.input["properties"], "as_of": moment}
    return replace(operation, input={**operation.input, "properties": properties})


def _generations(name: str) -> Operation:
    item = {
        "type": "object",
        "properties": {
            "generation": {"type": "string", "format": "date-time", "description": "Its moment; as_of takes it."},
            "files": {"type": "integer"},
            "bytes": {"type": "integer"},
            "current": {"type": "boolean"},
        },
        "required": ["generation", "files", "bytes", "current"],
        "additionalProperties": False,
    }
    given = {"type": "object", "properties": {}, "additionalProperties": False}
    items = {"type": "object", "properties": {"items": {"type": "array", "items": item}}, "required": ["items"]}
    return Operation(
        f"{name}.generations", Effect.READ, given, items, f"The generations of {name} that are kept, newest first."
    )


def _replace(name: str, record: dict[str, Any]) -> Operation:
    schema = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": record, "maxItems": MAX_ITEMS}},
        "required": ["items"],
        "additionalProperties": False,
    }
    done = {"type": "object", "properties": {"records": {"type": "integer"}}, "required": ["records"]}
    about = (
        f"Writes all records of {name} as one file in the place of the one before: who reads sees the old or the new."
    )
    return Operation(f"{name}.replace", Effect.IDEMPOTENT_WRITE, schema, done, about)


def _get(description: Description, record: dict[str, Any]) -> Operation:
    key = description.key_name
    schema = {
        "type": "object",
        "properties": {key: _TYPES[description.key_type]},
        "required": [key],
        "additionalProperties": False,
    }
    return Operation(
        f"{description.name}.get", Effect.READ, schema, record, f"One record of {description.name} by its {key}."
    )


def _list(name: str, record: dict[str, Any]) -> Operation:
    schema = {
        "type": "object",
        "properties": {
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
            "after": {},
            "sort": {"type": "array", "items": {"type": "string"}},
            "where": {"type": "array", "items": {"type": "array", "minItems": 3, "maxItems": 3}},
            "rows": {"type": "array"},
        },
    }
    page = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": record}, "next": {}},
        "required": ["items", "next"],
    }
    about = f"Records of {name}, filtered, sorted and paged."
    return Operation(f"{name}.list", Effect.READ, schema, page, about, is_list=True, filters_rows=True)
