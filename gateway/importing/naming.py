"""What an operation becomes: a method, a path and a tool's name, by what its reader says or else by its own name.

Every guess is a sentence for a human. What was named before keeps its name, however the upstream has grown since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from adapters.contract import Effect
from gateway.importing.model import Found, Shape
from gateway.importing.queries import Asked, DoesntFit, asked, parameter_name
from gateway.importing.words import is_plural, kebab, plural, said, singular, snake, words

_VERBS: Mapping[Shape, frozenset[str]] = {
    Shape.GET: frozenset(["get", "read", "fetch", "retrieve", "load", "lookup", "view", "show", "select"]),
    Shape.LIST: frozenset(["list", "find", "search", "query", "browse", "enumerate", "describe"]),
    Shape.CREATE: frozenset(["create", "add", "insert", "new", "register"]),
    Shape.UPDATE: frozenset(["update", "change", "modify", "edit", "patch"]),
    Shape.REPLACE: frozenset(["set", "put", "replace"]),
    Shape.DELETE: frozenset(["delete", "remove"]),
}
_METHODS = {
    Shape.LIST: "get",
    Shape.GET: "get",
    Shape.CREATE: "post",
    Shape.REPLACE: "put",
    Shape.UPDATE: "patch",
    Shape.DELETE: "delete",
}
_FILLERS = frozenset(["a", "an", "the", "of", "for", "from", "in", "to", "with", "all", "info", "details", "detail"])
_KEY_ENDS = ("id", "number", "no", "code", "key", "sku", "uuid", "guid")


@dataclass(frozen=True, slots=True)
class Named:
    """A route with its names. `asked` are the values in path and query; the rest of the input is the body."""

    found: Found
    shape: Shape
    method: str
    path: str
    operation_id: str
    group: str
    key: tuple[Asked, ...] = ()
    query: tuple[Asked, ...] = ()
    has_body: bool = False
    why: str = ""
    """What was guessed, as a sentence; empty: the upstream said so."""

    @property
    def id(self) -> str:
        """What stays the same between runs."""
        return route_id(self.found)


def route_id(found: Found) -> str:
    """What names a route from one run to the next: its operation, and the parent that a list stands below."""
    if found.parent is None:
        return found.operation
    return f"{found.parent.resource}/{found.parent.name or found.resource}:{found.operation}"


class Names:
    """Gives routes their names: those of `before` (route id → method, path, operationId) first, none that is
    `taken_ids` or `taken_routes` (method and path) by other contracts."""

    def __init__(
        self,
        upstream: str,
        before: Mapping[str, tuple[str, str, str]],
        taken_ids: Iterable[str] = (),
        taken_routes: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._upstream, self._before = upstream, before
        kept = before.values()
        self._ids = {*taken_ids, *(name for _, _, name in kept)}
        self._routes = {*((method, _bare(path)) for method, path in taken_routes)}
        self._routes |= {(method, _bare(path)) for method, path, _ in kept}

    def name(self, found: Found) -> Named:
        """The route of an operation."""
        drawn = draw(found)
        before = self._before.get(route_id(found))
        if before is not None and _fits(before, drawn):
            return replace(drawn, method=before[0], path=before[1], operation_id=before[2])
        drawn = self._free_route(drawn)
        name = self._free_id(drawn.operation_id)
        self._ids.add(name)
        self._routes.add((drawn.method, _bare(drawn.path)))
        return replace(drawn, operation_id=name)

    def _free_route(self, drawn: Named) -> Named:
        if not self._taken(drawn.method, drawn.path):
            return drawn
        tail = kebab(_words_of(drawn.found))
        found = [f"/{kebab(words(self._upstream))}{drawn.path}"]
        if drawn.found.shape is None:
            found = [f"/{drawn.group}/{tail}", *found]
        for path in [*found, *(f"{found[-1]}-{number}" for number in range(2, 10_000))]:
            if drawn.shape is not Shape.GET or "{" not in drawn.path or "{" in path:
                moved = replace(drawn, path=path)
            else:
                # Its key goes into the query there: a path of its own can't end in another's parameter.
                moved = replace(drawn, path=path, key=(), query=(*drawn.key, *drawn.query))
            moved = _without_key(moved)
            if not self._taken(moved.method, moved.path):
                return moved
        raise AssertionError("more than 10,000 routes of one path")

    def _taken(self, method: str, path: str) -> bool:
        return (method, _bare(path)) in self._routes

    def _free_id(self, wanted: str) -> str:
        if wanted not in self._ids:
            return wanted
        prefixed = snake([*words(self._upstream), wanted])
        if prefixed not in self._ids:
            return prefixed
        number = 2
        while f"{wanted[:58]}_{number}" in self._ids:
            number += 1
        return f"{wanted[:58]}_{number}"


def _without_key(named: Named) -> Named:
    """A route whose path lost its parameters takes them in the query, or in the body."""
    if named.key and "{" not in named.path:
        if named.has_body:
            return replace(named, key=(), method="post")
        return replace(named, key=(), query=(*named.key, *named.query))
    return named


def _fits(before: tuple[str, str, str], drawn: Named) -> bool:
    names = tuple(part[1:-1] for part in before[1].split("/") if part.startswith("{"))
    return before[0] == drawn.method and names == tuple(part[1:-1] for part in drawn.path.split("/") if part[:1] == "{")


def draw(found: Found) -> Named:
    """An operation's route as it would be if no other had its names."""
    return _told(found) if found.shape is not None else _guessed(found)


def _bare(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _words_of(found: Found) -> tuple[str, ...]:
    return words(found.operation)


# What the reader says


def _told(found: Found) -> Named:
    noun = _noun(words(found.resource or found.operation))
    one = (*noun[:-1], singular(noun[-1]))
    shape = found.shape or Shape.CALL
    group = kebab(noun)
    if shape is Shape.CALL:
        return _called(found, f"/{group}", group, snake(words(found.operation)))
    if shape is Shape.LIST:
        return _listed(found, noun, group)
    values = _fitting(found) or []
    key = tuple(replace(each, name=_key_name(each, one)) for each in values if each.member in found.key)
    if not key and found.key:
        key = tuple(
            Asked(_key_name(Asked(parameter_name(each), each, {}, True), one), each, _member(found, each), True)
            for each in found.key
        )
    path = f"/{group}" + "".join(f"/{{{each.name}}}" for each in key)
    query = tuple(each for each in values if each.member not in found.key)
    bodied = shape in (Shape.CREATE, Shape.REPLACE, Shape.UPDATE)
    if shape is Shape.CREATE:
        path, key = f"/{group}", ()
    verb = {Shape.REPLACE: "replace"}.get(shape, shape.value)
    operation_id = snake((verb, *one))
    return Named(
        found, shape, _METHODS[shape], path, operation_id, group, key, () if bodied else query, bodied, found.guess
    )


def _listed(found: Found, noun: tuple[str, ...], group: str) -> Named:
    if found.parent is None:
        return Named(found, Shape.LIST, "get", f"/{group}", snake(("list", *noun)), group, why=found.guess)
    above = _noun(words(found.parent.resource))
    one = (*above[:-1], singular(above[-1]))
    keys = tuple(
        Asked(_key_name(Asked(parameter_name(each), each, {}, True), one), column, _item_member(found, column), True)
        for each, column in found.parent.columns.items()
    )
    own = noun if not found.parent.name else _noun(words(found.parent.name))
    path = f"/{kebab(above)}" + "".join(f"/{{{each.name}}}" for each in keys) + f"/{kebab(own)}"
    return Named(found, Shape.LIST, "get", path, snake(("list", *one, *own)), group, keys, why=found.guess)


def _noun(parts: tuple[str, ...]) -> tuple[str, ...]:
    return (*parts[:-1], plural(parts[-1]))


def _key_name(each: Asked, one: tuple[str, ...]) -> str:
    """`id` of a customer as `customer_id`."""
    return snake((*one, each.name)) if each.name in ("id", "key", "code", "number", "no", "name") else each.name


def _member(found: Found, name: str) -> Mapping[str, object]:
    member: Mapping[str, object] = found.input.get("properties", {}).get(name, {"type": "string"})
    return member


def _item_member(found: Found, name: str) -> Mapping[str, object]:
    member: Mapping[str, object] = (found.output or {}).get("properties", {}).get(name, {"type": "string"})
    return member


def _fitting(found: Found, keys: tuple[str, ...] = ()) -> list[Asked] | None:
    try:
        return asked(found.input, keys or found.key)
    except DoesntFit:
        return None


# What its name says


def _guessed(found: Found) -> Named:
    parts = _words_of(found)
    verb = next((shape for shape, verbs in _VERBS.items() if parts[0] in verbs), None)
    rest = parts[1:] if verb is not None else parts
    subject, _, by = _split(rest, "by")
    subject = tuple(each for each in subject if each not in _FILLERS) or rest or parts
    if verb is None:
        return _action(found, parts)
    noun = _noun(subject)
    drawn = Named(found, verb, _METHODS[verb], "", snake(parts), kebab(noun))
    if verb in (Shape.GET, Shape.LIST):
        return _read(drawn, subject, noun, by)
    if found.effect is Effect.READ:
        return _action(found, parts)
    return _write(drawn, subject, noun)


def _split(parts: tuple[str, ...], word: str) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    at = parts.index(word) if word in parts else len(parts)
    return parts[:at], word, parts[at + 1 :]


def _read(drawn: Named, subject: tuple[str, ...], noun: tuple[str, ...], by: tuple[str, ...]) -> Named:
    found = drawn.found
    if found.effect is not Effect.READ:
        return _action(found, _words_of(found))
    values = _fitting(found)
    because = f"'{found.operation}' is taken for a read because of its name"
    if values is None:
        path = f"/{drawn.group}/{kebab(_words_of(found)[:1])}"
        return replace(
            drawn, shape=Shape.CALL, method="post", path=path, has_body=True, why=f"{because}; its input needs a body"
        )
    many = drawn.shape is Shape.LIST or is_plural(subject[-1])
    key = None if many else _key(values, subject)
    if key is not None:
        name = parameter_name(key.member)
        key = replace(key, name=snake((*subject, name)) if name in ("id", "number", "code", "key") else name)
        rest = tuple(each for each in values if each.member != key.member)
        path = f"/{drawn.group}/{{{key.name}}}"
        if by and not _names_key(by, key):
            path = f"/{drawn.group}/by-{kebab(by)}/{{{key.name}}}"
        return replace(
            drawn, path=path, key=(key,), query=rest, why=f"{because}, and '{key.member}' for the key of {said(noun)}"
        )
    path = f"/{drawn.group}" if many or not values else f"/{drawn.group}/{kebab(_words_of(found)[:1])}"
    if by:
        path = f"/{drawn.group}/by-{kebab(by)}"
    return replace(drawn, path=path, query=tuple(values), why=because)


def _names_key(by: tuple[str, ...], key: Asked) -> bool:
    return key.name.endswith("_".join(by))


def _key(values: list[Asked], subject: tuple[str, ...]) -> Asked | None:
    """The value that names one entry: the only one that is required, or one called as the thing's id."""
    required = [each for each in values if each.required]
    named = [each for each in required if words(each.member)[-1] in _KEY_ENDS]
    own = [each for each in named if words(each.member)[:-1] in ((), subject, subject[-1:])]
    if len(own) == 1:
        return own[0]
    if len(named) == 1:
        return named[0]
    return (
        required[0] if len(required) == 1 and len(values) == 1 and required[0].schema.get("type") != "boolean" else None
    )


def _write(drawn: Named, subject: tuple[str, ...], noun: tuple[str, ...]) -> Named:
    found, shape = drawn.found, drawn.shape
    because = f"'{found.operation}' is taken for a write because of its name"
    if shape is Shape.CREATE:
        return replace(drawn, path=f"/{drawn.group}", has_body=True, why=because)
    member = _written_key(found, subject)
    if member is None:
        return _action(found, _words_of(found))
    name, schema = member
    name_of = parameter_name(name)
    key = Asked(
        snake((*subject, name_of)) if name_of in ("id", "number", "code", "key") else name_of, name, schema, True
    )
    path = f"/{drawn.group}/{{{key.name}}}"
    because += f", and '{name}' for the key of {said(noun)}"
    if shape is not Shape.DELETE:
        return replace(drawn, path=path, key=(key,), has_body=True, why=because)
    values = _fitting(found)
    if values is None:
        return _action(found, _words_of(found))
    rest = tuple(each for each in values if each.member != name)
    return replace(drawn, path=path, key=(key,), query=rest, why=because)


def _written_key(found: Found, subject: tuple[str, ...]) -> tuple[str, Mapping[str, object]] | None:
    """The required scalar member at the top that names what is written."""
    from gateway.importing.queries import scalar

    needed = found.input.get("required", ())
    values = []
    for name in needed:
        leaf = scalar(found.input.get("properties", {}).get(name), found.input)
        if leaf is not None and "." not in name:
            values.append(Asked(parameter_name(name), name, leaf, True))
    key = _key(values, subject) if values else None
    return None if key is None else (key.member, key.schema)


def _action(found: Found, parts: tuple[str, ...]) -> Named:
    verb, rest = parts[:1], tuple(each for each in parts[1:] if each not in _FILLERS)
    group = kebab(_noun(rest)) if rest else kebab(parts)
    path = f"/{group}/{kebab(verb)}" if rest else f"/{group}"
    return _called(found, path, group, snake(parts))


def _called(found: Found, path: str, group: str, operation_id: str) -> Named:
    values = _fitting(found)
    reads = found.effect is Effect.READ
    if reads and values is not None:
        why = found.guess or f"'{found.operation}' is taken for a read because of its name"
        return Named(found, Shape.CALL, "get", path, operation_id, group, (), tuple(values), False, why)
    guess = "a read" if reads else "a write, as nothing says that it only reads"
    why = found.guess or f"'{found.operation}' is taken for {guess}"
    return Named(found, Shape.CALL, "post", path, operation_id, group, (), (), True, why)
