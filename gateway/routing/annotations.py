"""What permits say of rows and fields: `@rows`, `@mask` and `@tokenise`, held against every route that they decide on.

A mark is what one permit says for one route. Only what can be enforced is accepted: a predicate's members must be
declared by the reply, with a type; a member that is left out must be one that the contract doesn't require; a write
is narrowed to rows only where its operation itself can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from adapters.contract import Effect, JsonSchema
from gateway.routing.cedar import Policy
from gateway.routing.model import Binding, Route
from gateway.routing.paths import ITEM, at_member
from gateway.routing.predicates import BadPredicate, Predicate, Term, TypedPredicate, TypedTerm, parse, typed
from gateway.routing.rules import Mark, Marks, Path

ANNOTATIONS = ("rows", "mask", "tokenise")
TOKEN_LENGTH = 44
"""Characters of a token, at most."""


def marks_of(
    policy: Policy, routes: Mapping[str, Route], deciding: frozenset[str], say: Callable[[str], None]
) -> Marks:
    """The marks of a policy on the routes that it may decide on; `say` is told what is wrong."""
    given = {name: policy.annotations[name] for name in ANNOTATIONS if name in policy.annotations}
    if not given:
        return {}
    if not policy.permits:
        say(f"@{next(iter(given))} stands on a forbid, which shows nothing: put it on the permit")
        return {}
    try:
        rows = parse(given["rows"]) if "rows" in given else None
    except BadPredicate as error:
        say(f"@rows can't be read: {error}")
        return {}
    fields = {name: list(_fields(given.get(name, ""))) for name in ("mask", "tokenise")}
    for name in ("mask", "tokenise"):
        if name in given and not fields[name]:
            say(f'@{name} names no member: write @{name}("email, phone")')
    readers = {name: _Reader(routes[name], _row_of(routes[name], routes), say) for name in sorted(deciding)}
    for annotation, paths in fields.items():
        for path in paths:
            # A permit for many routes may name what only some of their replies have.
            if readers and not sum(reader.check(path, annotation) for reader in readers.values()):
                say(f"@{annotation} names '{'.'.join(path)}', which no reply has")
    return {
        (policy.id, name): reader.mark(rows, fields["mask"], fields["tokenise"]) for name, reader in readers.items()
    }


def _fields(text: str) -> Iterator[Path]:
    for each in text.split(","):
        if each.strip():
            yield tuple(each.strip().split("."))


def _row_of(route: Route, routes: Mapping[str, Route]) -> JsonSchema:
    """The schema in which a row's members have their types: the reply's; for a write that answers nothing, that of
    another route of its group for one entity."""
    if route.reply is not None or route.effect is Effect.READ:
        return route.reply or {}
    alike = (each.reply for each in routes.values() if each.group == route.group and not each.is_list)
    return next((reply for reply in alike if reply is not None), {})


class _Reader:
    """Reads a permit's annotations for one route."""

    def __init__(self, route: Route, root: JsonSchema, say: Callable[[str], None]) -> None:
        self._route, self._tell, self._root = route, say, root
        self._to_row: Path = ("items", ITEM) if route.is_list else ()

    def mark(self, rows: Predicate | None, masked: list[Path], tokenised: list[Path]) -> Mark:
        if rows is not None and self._route.effect is not Effect.READ:
            self._check_write(rows)
        return Mark(None if rows is None else self._typed(rows), frozenset(masked), frozenset(tokenised))

    def _say(self, sentence: str) -> None:
        self._tell(f"{sentence} (route {self._route.operation_id})")

    # rows

    def _typed(self, rows: Predicate) -> TypedPredicate:
        made = []
        for group in rows:
            terms = [self._term(term) for term in group]
            made.append(tuple(term for term in terms if term is not None))
        return tuple(made)

    def _term(self, term: Term) -> TypedTerm | None:
        name = ".".join(term.field)
        branches = at_member(self._root, (*self._to_row, *term.field), self._root)
        kinds = {_kind(branch) for branch in branches}
        if not branches:
            self._say(f"@rows reads '{name}', which the reply doesn't have")
            return None
        if len(kinds) != 1 or None in kinds:
            self._say(f"@rows reads '{name}', whose type isn't one that can be compared")
            return None
        try:
            return typed(term, str(kinds.pop()))
        except BadPredicate as error:
            self._say(f"@rows: {error}")
            return None

    def _check_write(self, rows: Predicate) -> None:
        bindings = [each for each in (self._route.legacy, self._route.replacement) if each is not None]
        fields = {term.field for group in rows for term in group}
        if not bindings or not all(_can_narrow(each, fields) for each in bindings):
            self._say("@rows can't be enforced before this write happens: permit it without @rows, or forbid it")

    # masks

    def check(self, path: Path, annotation: str) -> bool:
        """Whether the reply declares a member; tells why it can't be left out, or replaced by a token."""
        name = ".".join(path)
        *above, last = (*self._to_row, *path)
        parents = _through_arrays(self._root, tuple(above))
        holders = [each for each in parents if last in each.get("properties", {})]
        if annotation == "mask" and any(last in each.get("required", ()) for each in parents):
            self._say(f"@mask names '{name}', which the contract requires: make it optional there, or tokenise it")
        if any(each.name == path[0] and each.where == "path" for each in self._route.parameters):
            self._say(f"@{annotation} names '{name}', by which the route is asked for")
        if self._route.location is not None and f"{{{path[0]}}}" in self._route.location:
            self._say(f"@{annotation} names '{name}', which stands in the route's Location")
        if annotation == "tokenise":
            self._check_token(path)
        return bool(holders)

    def _check_token(self, path: Path) -> None:
        *above, last = (*self._to_row, *path)
        for holder in _through_arrays(self._root, tuple(above)):
            if last not in holder.get("properties", {}):
                continue
            for leaf in at_member(holder, (last,), self._root):
                if not _takes_tokens(leaf):
                    name = ".".join(path)
                    self._say(f"@tokenise names '{name}', whose schema has no room for a token: use @mask")


def _through_arrays(root: JsonSchema, path: Path) -> list[JsonSchema]:
    """The schemas at a path, where an array stands for its items."""
    at = _unrolled(at_member(root, (), root), root)
    for name in path:
        if name != ITEM:
            at = _unrolled([each for holder in at for each in at_member(holder, (name,), root)], root)
    return at


def _unrolled(schemas: list[JsonSchema], root: JsonSchema) -> list[JsonSchema]:
    found: list[JsonSchema] = []
    for each in schemas:
        inner = at_member(each, (ITEM,), root)
        found += _unrolled(inner, root) if inner else [each]
    return found


def _takes_tokens(leaf: JsonSchema) -> bool:
    kinds = leaf.get("type")
    text = kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
    free = not {"enum", "const", "pattern", "contentEncoding"} & set(leaf) and leaf.get("format") in (None, "email")
    return text and free and leaf.get("maxLength", TOKEN_LENGTH) >= TOKEN_LENGTH


def _can_narrow(binding: Binding, fields: set[Path]) -> bool:
    named = binding.output is None or all(field[0] in binding.fields for field in fields)
    return binding.filters_rows and named and all(len(field) == 1 for field in fields)


_FORMATS = {"decimal": "decimal", "date": "date", "date-time": "instant"}


def _kind(leaf: JsonSchema) -> str | None:
    kinds = leaf.get("type")
    named = [each for each in ([kinds] if isinstance(kinds, str) else kinds or ["string"]) if each != "null"]
    if len(named) != 1:
        return None
    if named == ["string"] and ("type" in leaf or all(isinstance(each, str) for each in leaf.get("enum", [None]))):
        return _FORMATS.get(str(leaf.get("format")), "text")
    return {"integer": "integer", "number": "number", "boolean": "boolean"}.get(named[0])
