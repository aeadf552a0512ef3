"""The routes of a database's tables: lists, rows by key, lists below other tables, and what writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from itertools import chain, count

from adapters.contract import Effect, Json, JsonSchema, Operation
from adapters.odbc.describe import WAS
from adapters.odbc.dialects import DIALECTS
from adapters.odbc.expand import CHILDREN, Relation, Relations, relations
from adapters.odbc.introspect import Introspection
from adapters.odbc.statements import TableSql
from adapters.odbc.tables import ForeignKey, Table
from gateway.importing.filters import filters, sortable
from gateway.importing.model import Found, Parent, Shape
from gateway.importing.words import pascal, words

_WRITES = (
    ("insert", Shape.CREATE, "adds a row"),
    ("update", Shape.UPDATE, "changes the given columns of one row"),
    ("delete", Shape.DELETE, "removes one row"),
)


@dataclass(frozen=True)
class Tables:
    """The routes of tables that know each other."""

    tables: Mapping[str, Table]
    found: Introspection
    operations: Mapping[str, Operation]

    def routes(self, name: str) -> Iterator[Found]:
        """A table's list and rows by key, then its lists below other tables."""
        table, row = self.tables[name], self._whole(name)
        joined = self._shown[name]
        yield self._list(name, table, row, joined)
        for below in self._parents(name, table):
            yield self._list(name, table, row, joined, below)
        key = table.primary_key
        if not key:
            return
        by = f"{name}: rows are told apart by {' and '.join(key)}, a unique index; no key is declared."
        guess = by if name in self.found.unique else ""
        get = self.operations[f"{name}.get"]
        own = {**get.input, "properties": {each: get.input["properties"][each] for each in key}}
        yield Found(
            f"{name}.get",
            Effect.READ,
            row,
            own,
            Shape.GET,
            name,
            key,
            expands=tuple(joined),
            sparse=True,
            version=table.version,
            description=self._told(name, f"one row, by {' and '.join(key)}"),
            guess=guess,
        )
        if name not in self.found.views:
            yield from self._writes(name, table, row)

    def _told(self, name: str, what: str) -> str:
        """What is said of a route: the table's own comment, if it has one, and what of it is meant."""
        own = self.tables[name].comment.rstrip(".")
        kind = "view" if name in self.found.views else "table"
        return f"{own}: {what}." if own else f"Of the {kind} {name}: {what}."

    def _writes(self, name: str, table: Table, row: JsonSchema) -> Iterator[Found]:
        for verb, shape, does in _WRITES:
            operation = self.operations.get(f"{name}.{verb}")
            version = table.version if verb != "insert" else None
            fixed = {*table.primary_key, version}
            if operation is None or (verb == "update" and all(each.name in fixed for each in table.columns)):
                continue
            by = f"{name}: {version} is taken for the row's version, which each change counts up, by its name."
            yield Found(
                operation.name,
                operation.effect,
                None if verb == "delete" else row,
                without(operation.input, {WAS, version}),
                shape,
                key=() if verb == "insert" else table.primary_key,
                expands=tuple(self._shown[name]),
                version=version,
                resource=name,
                description=self._told(name, does),
                guess=by if version else "",
            )

    def _list(self, name: str, table: Table, row: JsonSchema, joined: Relations, below: Parent | None = None) -> Found:
        fixed = set(below.columns.values()) if below else set()
        indexed = {*table.primary_key, *(each for key in table.foreign_keys for each in key.columns)}
        columns = {each.name: row["properties"][each.name] for each in table.columns if each.type.comparable}
        ordered = sorted(columns, key=lambda each: each not in indexed)
        return Found(
            f"{name}.list",
            Effect.READ,
            row,
            shape=Shape.LIST,
            resource=name,
            parent=below,
            filters=filters({each: columns[each] for each in ordered if each not in fixed}, indexed),
            sorts=tuple(each for each in columns if sortable(each)),
            expands=tuple(joined),
            sparse=True,
            both_ways=below is None and bool(table.primary_key),
            description=self._told(name, "a page of rows" if below is None else f"the rows of one {below.resource}"),
        )

    # What `expand` joins

    def _bare(self, name: str) -> dict[str, Json]:
        """A row with its own columns alone."""
        return without(self.operations[f"{name}.list"].output["properties"]["items"]["items"], set(self._joined[name]))

    def _whole(self, name: str) -> dict[str, Json]:
        """A row with what may be joined to it."""
        row, joined = self._bare(name), self._shown[name]
        if not joined:
            return row
        ends = {each.table.name for each in joined.values()}
        members = {called: self._member(each) for called, each in joined.items()}
        definitions = {self._names[end]: self._bare(end) for end in sorted(ends)}
        return {**row, "properties": {**row["properties"], **members}, "$defs": definitions}

    def _member(self, relation: Relation) -> dict[str, Json]:
        end = {"$ref": f"#/$defs/{self._names[relation.table.name]}"}
        if not relation.many:
            told = f"Only where `expand` names it: the row of {relation.table.name} referred to, or null."
            return {"description": told, "anyOf": [end, {"type": "null"}]}
        told = f"Only where `expand` names it: rows of {relation.table.name} that refer to this one."
        following = {"description": "Null where these are all; else their own list has the rest."}
        members = {"items": {"type": "array", "maxItems": CHILDREN, "items": end}, "next": following}
        return {"description": told, "type": "object", "required": ["items", "next"], "properties": members}

    @cached_property
    def _shown(self) -> Mapping[str, Relations]:
        """By table, what a contract offers to join: commas part names in `expand`."""
        return {
            name: {
                called: each for called, each in joined.items() if sortable(called) and each.table.name in self.tables
            }
            for name, joined in self._joined.items()
        }

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """What the row of each table alone is called; no two alike."""
        made: dict[str, str] = {}
        for name in self.tables:
            called = pascal((*words(name), "columns"))
            made[next(each for each in chain([called], (f"{called}{n}" for n in count(2))) if each not in made)] = name
        return {name: called for called, name in made.items()}

    @cached_property
    def _joined(self) -> Mapping[str, Relations]:
        return relations({each: TableSql(each, table, DIALECTS["generic"], UTC) for each, table in self.tables.items()})

    def _parents(self, name: str, table: Table) -> Iterator[Parent]:
        """The tables whose whole key a foreign key of this one holds."""
        whole = [(key, self.tables[key.table]) for key in table.foreign_keys if key.table in self.tables]
        leading = [(key, parent) for key, parent in whole if sorted(key.references) == sorted(parent.primary_key)]
        ends = [key.table for key, _ in leading]
        for key, parent in leading:
            own = dict(zip(key.references, key.columns, strict=True))
            columns = {each: own[each] for each in parent.primary_key}
            yield Parent(key.table, columns, _below(name, key) if ends.count(key.table) > 1 else "")


def _below(name: str, key: ForeignKey) -> str:
    return f"{name}_by_{'_'.join(key.columns)}"


def without(schema: JsonSchema, names: Collection[str | None]) -> dict[str, Json]:
    """An object's schema without some of its members."""
    properties = {name: each for name, each in schema["properties"].items() if name not in names}
    required = [name for name in schema.get("required", ()) if name not in names]
    return {**schema, "properties": properties, "required": required}
