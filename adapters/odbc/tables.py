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
from typing import Annotated, Any, TypeAlias

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc.values import ColumnType

Place: TypeAlias = tuple[Any, ...]

# libyaml's, where PyYAML is built with it: a description of a thousand tables takes the others half a minute.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PlainDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# Quoting makes any other character harmless; these some drivers misread even between quotes.
UNFIT = re.compile(r"[\x00-\x1f\x7f?{}\ud800-\udfff]")


def _identifier(value: Any) -> Any:
    if isinstance(value, str) and (not value or len(value) > 128 or UNFIT.search(value)):
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
    """`columns` hold the `references` of `table`. `expand` calls the row referred to `parent`, and those that refer,
    at `table`, `children`."""

    columns: tuple[Identifier, ...]
    table: Identifier
    references: tuple[Identifier, ...]
    parent: Identifier | None = None
    children: Identifier | None = None


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

    def column(self, name: str) -> Column | None:
        """The column called `name`."""
        return next((column for column in self.columns if column.name == name), None)


class _File(_Model):
    tables: Mapping[Identifier, Table]


def read_tables(path: str, content: bytes) -> Mapping[str, Table]:
    """The tables of a `tables.yaml`; raises `ConfigError` naming every fault's line."""
    try:
        loader = _Loader(content.decode())
        try:
            node = loader.get_single_node()
            lines = dict(_lines(node, ())) if node is not None else {}
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise ConfigError([ConfigProblem(f"{path} is not YAML: {error}", "/tables", path, line)]) from error
    problems = [_problem(path, lines, place, sentence) for place, sentence in _mismatches(data)]
    try:
        tables = _File.model_validate(data).tables
    except ValidationError as error:
        problems += [_problem(path, lines, fault["loc"], fault["msg"]) for fault in error.errors()]
        raise ConfigError(problems) from error
    if problems:
        raise ConfigError(problems)
    return tables


def _mismatches(data: Any) -> Iterator[tuple[Place, str]]:
    """Where a table's parts don't fit each other, as far as each is what it should be: that is the model's to say."""
    for name, table in _mapping(_mapping(data).get("tables")).items():
        place: Place = ("tables", name)
        columns = [_mapping(column) for column in _sequence(_mapping(table).get("columns"))]
        if not isinstance(table, Mapping) or not columns:
            continue
        yield from _same_names(columns, place)
        yield from _missing(table, {column.get("name") for column in columns if _is_text(column.get("name"))}, place)
        key = [each for each in _sequence(table.get("primary_key")) if _is_text(each)]
        for index, column in enumerate(columns):
            if column.get("nullable") is True and column.get("name") in key:
                yield (*place, "columns", index, "nullable"), "a column of the primary key can't be nullable"


def _same_names(columns: Sequence[Mapping[str, Any]], place: Place) -> Iterator[tuple[Place, str]]:
    names = [column.get("name") for column in columns]
    for index, name in enumerate(names):
        if _is_text(name) and name in names[:index]:
            yield (*place, "columns", index, "name"), f"two columns have the name '{name}'"


def _missing(table: Mapping[str, Any], names: set[Any], place: Place) -> Iterator[tuple[Place, str]]:
    """Names of columns that aren't there."""
    used: list[tuple[Place, Any]] = [(("version",), table.get("version"))]
    used += [(("primary_key", index), each) for index, each in enumerate(_sequence(table.get("primary_key")))]
    for number, key in enumerate(_sequence(table.get("foreign_keys"))):
        given = enumerate(_sequence(_mapping(key).get("columns")))
        used += [(("foreign_keys", number, "columns", index), each) for index, each in given]
    for at, name in used:
        if _is_text(name) and name not in names:
            yield (*place, *at), f"there is no column '{name}'"


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def write_tables(tables: Mapping[str, Table]) -> str:
    """The text of a `tables.yaml`; what it leaves out is the default."""
    made = {name: table.model_dump(mode="json", by_alias=True, exclude_defaults=True) for name, table in tables.items()}
    return yaml.dump({"tables": made}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(_PlainDumper):  # type: ignore[misc]
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


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*place, index))


def _problem(path: str, lines: Mapping[Place, int], place: Place, message: str) -> ConfigProblem:
    known = place
    while known and known not in lines:
        known = known[:-1]
    pointer = "/".join(str(part) for part in place)
    return ConfigProblem(f"{pointer}: {message.removeprefix('Value error, ')}", "/tables", path, lines.get(known, 1))
