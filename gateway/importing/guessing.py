"""What an operation becomes by its own name, where its reader can't say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adapters.contract import Effect
from gateway.importing.model import Found, Shape
from gateway.importing.named import METHODS, Named, fitting, mappable, noun_of
from gateway.importing.queries import Asked, parameter_name, scalar
from gateway.importing.words import is_plural, kebab, said, snake, words

_VERBS: Mapping[Shape, frozenset[str]] = {
    Shape.GET: frozenset(["get", "read", "fetch", "retrieve", "load", "lookup", "view", "show", "select"]),
    Shape.LIST: frozenset(["list", "find", "search", "query", "browse", "enumerate", "describe"]),
    Shape.CREATE: frozenset(["create", "add", "insert", "new", "register"]),
    Shape.UPDATE: frozenset(["update", "change", "modify", "edit", "patch"]),
    Shape.REPLACE: frozenset(["set", "put", "replace"]),
    Shape.DELETE: frozenset(["delete", "remove"]),
}
_FILLERS = frozenset(["a", "an", "the", "of", "for", "from", "in", "to", "with", "all", "info", "details", "detail"])
_KEY_ENDS = ("id", "number", "no", "code", "key", "sku", "uuid", "guid")


def guessed(found: Found) -> Named:
    """The route of an operation, guessed by its name's verb and noun."""
    parts = words(found.operation)
    verb = next((shape for shape, verbs in _VERBS.items() if parts[0] in verbs), None)
    rest = parts[1:] if verb is not None else parts
    subject, _, by = _split(rest, "by")
    subject = tuple(each for each in subject if each not in _FILLERS) or rest or parts
    if verb is None or not rest:
        return _action(found, parts)
    noun = noun_of(subject)
    drawn = Named(found, verb, METHODS[verb], "", snake(parts), kebab(noun))
    if verb in (Shape.GET, Shape.LIST):
        # A list of ours has pages, which only a reader can know of.
        made = _read(drawn, subject, noun, by)
        return replace(made, shape=Shape.CALL) if made.shape is Shape.LIST else made
    if found.effect is Effect.READ:
        return _action(found, parts)
    return _write(drawn, subject, noun)


def _split(parts: tuple[str, ...], word: str) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    at = parts.index(word) if word in parts else len(parts)
    return parts[:at], word, parts[at + 1 :]


def _read(drawn: Named, subject: tuple[str, ...], noun: tuple[str, ...], by: tuple[str, ...]) -> Named:
    found = drawn.found
    if found.effect is not Effect.READ:
        return _action(found, words(found.operation))
    values = fitting(found)
    because = f"'{found.operation}' is taken for a read because of its name"
    if values is None:
        path = f"/{drawn.group}/{kebab(words(found.operation)[:1])}"
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
        if by and by[-1] not in _KEY_ENDS:
            path = f"/{drawn.group}/by-{kebab(by)}/{{{key.name}}}"
        return replace(
            drawn, path=path, key=(key,), query=rest, why=f"{because}, and '{key.member}' for the key of {said(noun)}"
        )
    path = f"/{drawn.group}" if many or not values else f"/{drawn.group}/{kebab(words(found.operation)[:1])}"
    if by:
        path = f"/{drawn.group}/by-{kebab(by)}"
    return replace(drawn, path=path, query=tuple(values), why=because)


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
    if member is None or not mappable(found):
        return _action(found, words(found.operation))
    name, schema = member
    name_of = parameter_name(name)
    key = Asked(
        snake((*subject, name_of)) if name_of in ("id", "number", "code", "key") else name_of, name, schema, True
    )
    path = f"/{drawn.group}/{{{key.name}}}"
    because += f", and '{name}' for the key of {said(noun)}"
    if shape is not Shape.DELETE:
        return replace(drawn, path=path, key=(key,), has_body=True, why=because)
    values = fitting(found)
    if values is None:
        return _action(found, words(found.operation))
    rest = tuple(each for each in values if each.member != name)
    return replace(drawn, path=path, key=(key,), query=rest, why=because)


def _written_key(found: Found, subject: tuple[str, ...]) -> tuple[str, Mapping[str, object]] | None:
    """The required scalar member at the top that names what is written."""
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
    group = kebab(noun_of(rest)) if rest else kebab(parts)
    path = f"/{group}/{kebab(verb)}" if rest else f"/{group}"
    return called(found, path, group, snake(parts))


def called(found: Found, path: str, group: str, operation_id: str) -> Named:
    """An action: called by GET where it reads and its input fits a query, else by POST."""
    values = fitting(found)
    reads = found.effect is Effect.READ
    if reads and values is not None:
        why = found.guess or f"'{found.operation}' is taken for a read because of its name"
        return Named(found, Shape.CALL, "get", path, operation_id, group, (), tuple(values), False, why)
    guess = "a read" if reads else "a write, as nothing says that it only reads"
    why = found.guess or f"'{found.operation}' is taken for {guess}"
    return Named(found, Shape.CALL, "post", path, operation_id, group, (), (), True, why)
