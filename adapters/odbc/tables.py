"""The file `tables.yaml`: what a database says of its tables, as introspection wrote it and people may amend it.

tables:
  stock:                              # the name in operations: stock.get, stock.list, …
    schema: public                    # optional
    table: STOCK                      # optional: the table's own name, where it differs
    comment: What is on the shelves
    primary_key: [sku]                # any set of columns that is unique and not null
    version: revision                 # optional: the column that optimistic locking compares
    columns:
      - {name: sku, type: char(8)}
      - {name: note, type: text, nullable: true, comment: Free text}
      - {name: id, type: integer, generated: true}
    foreign_keys:
      - {columns: [product_id], table: products, references: [id]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, model_validator

from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc.values import ColumnType

# Quoting makes any other character harmless; these some drivers misread even between quotes.
_UNFIT = re.compile(r"[\x00-\x1f\x7f?{}\ud800-\udfff]")


def _identifier(value: Any) -> Any:
    if isinstance(value, str) and (not value or len(value) > 128 or _UNFIT.search(value)):
        raise ValueError("a name has 1 to 128 characters, no control characters and none of ? { }")
    return value


def _type(value: Any) -> Any:
    return ColumnType.parse(value) if isinstance(value, str) else value


Identifier = Annotated[str, BeforeValidator(_identifier)]
Typed = Annotated[ColumnType, BeforeValidator(_type), PlainSerializer(str)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Column(_Model):
    """One column; `generated` ones are the database's to fill."""

    name: Identifier
    type: Typed
    nullable: bool = False
    comment: str = ""
    generated: bool = False


class ForeignKey(_Model):
    """`columns` hold the `references` of `table`."""

    columns: tuple[Identifier, ...]
    table: Identifier
    references: tuple[Identifier, ...]


class Table(_Model):
    """One table or view."""

    schema_: Identifier | None = None
    table: Identifier | None = None
    comment: str = ""
    primary_key: tuple[Identifier, ...] = ()
    version: Identifier | None = None
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, alias_generator=lambda name: name.rstrip("_")
    )

    @model_validator(mode="after")
    def _columns_exist(self) -> Table:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("two columns have the same name")
        used = [*self.primary_key, *([self.version] if self.version else [])]
        used += [name for key in self.foreign_keys for name in key.columns]
        missing = sorted(set(used) - set(names))
        if missing:
            raise ValueError(f"there is no column {', '.join(missing)}")
        if any(column.nullable for column in self.columns if column.name in self.primary_key):
            raise ValueError("a column of the primary key can't be nullable")
        return self

    def column(self, name: str) -> Column | None:
        """The column called `name`."""
        return next((column for column in self.columns if column.name == name), None)


class _File(_Model):
    tables: Mapping[Identifier, Table]


def read_tables(path: str, content: bytes) -> Mapping[str, Table]:
    """The tables of a `tables.yaml`; raises `ConfigError` naming every fault's line."""
    try:
        node = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
        lines = dict(_lines(node, ())) if node is not None else {}
        return _File.model_validate(yaml.safe_load(content)).tables
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise ConfigError([ConfigProblem(f"{path} is not YAML: {error}", "/tables", path, line)]) from error
    except ValidationError as error:
        raise ConfigError([_problem(path, lines, fault["loc"], fault["msg"]) for fault in error.errors()]) from error


def write_tables(tables: Mapping[str, Table]) -> str:
    """The text of a `tables.yaml`; what it leaves out is the default."""
    made = {name: table.model_dump(mode="json", by_alias=True, exclude_defaults=True) for name, table in tables.items()}
    return yaml.dump({"tables": made}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Columns and keys on one line each, as people write them."""


def _flat(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    leaf = not any(isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict))
                   for value in data.values())  # fmt: skip
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=leaf)


def _row(dumper: yaml.SafeDumper, data: Sequence[Any]) -> yaml.Node:
    return dumper.represent_sequence(
        "tag:yaml.org,2002:seq", data, flow_style=not any(isinstance(i, dict) for i in data)
    )


_Dumper.add_representer(dict, _flat)
_Dumper.add_representer(list, _row)


def _lines(node: yaml.Node, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*place, index))


def _problem(path: str, lines: Mapping[tuple[Any, ...], int], place: tuple[Any, ...], message: str) -> ConfigProblem:
    known = place
    while known and known not in lines:
        known = known[:-1]
    pointer = "/".join(str(part) for part in place)
    return ConfigProblem(f"{pointer}: {message.removeprefix('Value error, ')}", "/tables", path, lines.get(known, 1))
