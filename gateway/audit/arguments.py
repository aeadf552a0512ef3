"""What the audit keeps of a call's arguments: by default a keyed hash of each, never a value."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson

from adapters.contract import Json
from gateway.call import Call

How: TypeAlias = Literal["hash", "keep", "redact"]

_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_BLOCK = 64
_CACHED, _LONGEST_CACHED = 4096, 64
# A value that is longer, as JSON, isn't kept but hashed: a record stays small whatever is sent.
_LONGEST_KEPT = 4096
_ABSENT = object()


class Hasher:
    """HMAC-SHA-256 (RFC 2104) over a value, its first 16 bytes in hex. `id` names the key.

    The key's two half-done hashes are kept, which halves the price; so are the hashes of short values, 4096 of them.
    """

    def __init__(self, id: str, secret: bytes) -> None:
        self.id = id
        padded = secret.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
        self._known: dict[str, str] = {}

    def __call__(self, value: Json) -> str:
        """The value's hash: text by its UTF-8, anything else by its canonical JSON."""
        if type(value) is not str or len(value) > _LONGEST_CACHED:
            return self._hash(canonical(value))
        known = self._known.get(value)
        if known is None:
            if len(self._known) >= _CACHED:
                self._known.clear()
            known = self._known[value] = self._hash(canonical(value))
        return known

    def _hash(self, raw: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(raw)
        outer.update(inner.digest())
        return outer.hexdigest()[:32]


def canonical(value: Json) -> bytes:
    """A value's bytes, as they are hashed; never fails."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace")
    try:
        return orjson.dumps(value, option=_CANONICAL)
    except orjson.JSONEncodeError:
        return repr(value).encode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a policy says about one route's arguments, by name (`path.id`, `query.q`, `header.h`, `body.a.b`); what it
    doesn't name is hashed."""

    kept: frozenset[str] = frozenset()
    redacted: frozenset[str] = frozenset()
    source_keys: How = "hash"
    subject: str | None = None
    """The argument that says whose personal data a call holds; what is in `sealed` is kept under that person's key."""
    sealed: frozenset[str] = frozenset()


@dataclass(slots=True)
class Sealed:
    """What is to be kept under a person's key."""

    subject: str
    kept: dict[str, Json]
    source_keys: list[str | None]


class Keeps:
    """One route's rules, compiled."""

    def __init__(self, rules: Rules, hasher: Hasher) -> None:
        self.rules, self.hasher = rules, hasher
        named = rules.kept | rules.redacted | rules.sealed
        self._plain = not named
        self._members = sorted(name for name in named if name.startswith("body."))

    def arguments(self, call: Call) -> dict[str, Any]:
        """The record's `arguments`, without what is sealed."""
        if self._plain:
            hashed = self._hashed(call)
            return {"key": self.hasher.id, "hashed": hashed} if hashed else {}
        found: dict[str, Any] = {}
        for name, value in self._values(call):
            self._put(found, name, value)
        if "hashed" in found:
            found["key"] = self.hasher.id
        return found

    def _hashed(self, call: Call) -> dict[str, str]:
        hash = self.hasher
        hashed = {f"path.{name}": hash(value) for name, value in call.path.items()}
        if call.query:
            for name, value in call.query.items():
                hashed[f"query.{name}"] = hash(value)
        elif call.raw_query:
            hashed["query"] = hash(call.raw_query.decode("latin-1"))
        for name, value in call.header.items():
            hashed[f"header.{name}"] = hash(value)
        if call.body is not None:
            hashed["body"] = hash(call.body)
        return hashed

    def _values(self, call: Call) -> list[tuple[str, Json]]:
        """Every argument that rules may speak of; the body whole but for the members that they name."""
        found = [(f"path.{name}", value) for name, value in call.path.items()]
        found += [(f"query.{name}", value) for name, value in call.query.items()]
        found += [(f"header.{name}", value) for name, value in call.header.items()]
        if call.raw_query and not call.query:
            found.append(("query", call.raw_query.decode("latin-1")))
        if call.body is None:
            return found
        members = [(name, _member(call.body, name)) for name in self._members]
        named = [(name, value) for name, value in members if value is not _ABSENT]
        rest = call.body
        for name, _ in named:
            rest = _without(rest, name.split(".")[1:])
        return [*found, ("body", rest), *named]

    def _put(self, found: dict[str, Any], name: str, value: Json) -> None:
        rules = self.rules
        if name in rules.redacted:
            found.setdefault("redacted", []).append(name)
        elif name in rules.kept and name not in rules.sealed and _is_short(value):
            found.setdefault("kept", {})[name] = value
        else:
            found.setdefault("hashed", {})[name] = self.hasher(value)

    def sealed(self, call: Call) -> Sealed | None:
        """What is to be sealed, and for whom; None: nothing is."""
        rules = self.rules
        if rules.subject is None:
            return None
        values = {rules.subject: _member(call.body, rules.subject)} if rules.subject.startswith("body.") else {}
        values.update(self._values(call))
        subject = values.get(rules.subject, _ABSENT)
        if subject is _ABSENT or subject is None:
            return None
        kept = {name: value for name, value in values.items() if name in rules.sealed and _is_short(value)}
        keys = [source.key for upstream in call.upstream_calls for source in upstream.sources]
        return Sealed(canonical(subject).decode(), kept, keys)

    def source_key(self, key: str) -> str | None:
        """The key of a source as the record shows it; None: not at all."""
        how = "hash" if self.rules.subject is not None else self.rules.source_keys
        if how == "keep":
            return key
        return f"hmac:{self.hasher(key)}" if how == "hash" else None


def _member(body: Json, name: str) -> Json:
    """The body's member `body.a.b`, or `_ABSENT`."""
    for part in name.split(".")[1:]:
        if not isinstance(body, dict) or part not in body:
            return _ABSENT
        body = body[part]
    return body


def _without(body: Json, path: list[str]) -> Json:
    """The value without the member at `path`; what is around it is copied."""
    if not isinstance(body, dict) or path[0] not in body:
        return body
    rest = dict(body)
    inner = rest.pop(path[0])
    if path[1:]:
        rest[path[0]] = _without(inner, path[1:])
    return rest


def _is_short(value: Json) -> bool:
    return len(canonical(value)) <= _LONGEST_KEPT
