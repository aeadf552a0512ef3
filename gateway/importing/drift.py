"""What changed at a source since it was imported, graded by what it does to the callers of the contract.

`breaking`: some call that worked fails, or some reply lacks what it had. `potentially breaking`: some replies hold what
no reply held. `additive`: callers needn't notice. `cosmetic`: only words differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.importing.schema_drift import Direction, SchemaDrift
from gateway.routing.contracts import METHODS


class Grade(StrEnum):
    """How much a change matters, the worst first."""

    BREAKING = "breaking"
    POTENTIALLY = "potentially breaking"
    ADDITIVE = "additive"
    COSMETIC = "cosmetic"


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `where` is an operationId, and where in it, or a schema's name."""

    grade: Grade
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.grade.value}: {self.where}: {self.what}"


def drift(base: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What a contract's source changed between two generated contracts, the worst first."""
    found = dict.fromkeys(_Drift(base, new).changes())
    return sorted(found, key=lambda each: list(Grade).index(each.grade))


class _Drift:
    def __init__(self, base: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._base, self._new = base, new
        self._schemas = SchemaDrift(base, new)

    def changes(self) -> Iterator[Change]:
        before, after = _operations(self._base), _operations(self._new)
        for name, (route, operation) in before.items():
            if name not in after:
                yield Change(Grade.BREAKING, name, "it is gone at the source")
            elif after[name][0] != route:
                yield Change(Grade.BREAKING, name, f"{route} is {after[name][0]} now")
            elif after[name][1] != operation:
                yield from self._operation(name, operation, after[name][1])
            else:
                yield from self._messages(name, operation, operation)
        for name in after:
            if name not in before:
                yield Change(Grade.ADDITIVE, name, "it is new at the source")

    def _operation(self, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
        effects = [str(each.get("x-gateway", {}).get("effect")) for each in (before, after)]
        if effects[0] != effects[1]:
            grade = Grade.BREAKING if effects[0] == "read" else Grade.POTENTIALLY
            yield Change(grade, name, f"its effect was {effects[0]} and is {effects[1]}")
        found = [*self._parameters(name, before, after), *self._messages(name, before, after)]
        yield from found
        if not found and effects[0] == effects[1]:
            yield Change(Grade.COSMETIC, name, "only its words or examples differ")

    def _parameters(self, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
        old, now = _parameters(before, self._base), _parameters(after, self._new)
        for key, each in old.items():
            where = f"{name}: {key[0]} parameter {key[1]}"
            if key not in now:
                yield Change(Grade.BREAKING, where, "it is gone")
                continue
            if now[key].get("required") and not each.get("required"):
                yield Change(Grade.BREAKING, where, "it must be given now")
            yield from self._schema(where, each.get("schema", {}), now[key].get("schema", {}), Direction.IN)
        for key, each in now.items():
            if key not in old:
                grade = Grade.BREAKING if each.get("required") else Grade.ADDITIVE
                needed = "it is new and must be given" if each.get("required") else "it is new"
                yield Change(grade, f"{name}: {key[0]} parameter {key[1]}", needed)

    def _messages(self, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
        bodies = [_body(each) for each in (before, after)]
        if bodies[0] is None and bodies[1] is not None:
            yield Change(Grade.BREAKING, name, "it needs a body now")
        elif bodies[0] is not None and bodies[1] is None:
            yield Change(Grade.BREAKING, name, "it takes no body any more")
        elif bodies[0] is not None:
            yield from self._schema(f"{name}: body", bodies[0], bodies[1], Direction.IN)
        replies = [_reply(each) for each in (before, after)]
        if replies[0][0] != replies[1][0]:
            yield Change(Grade.BREAKING, name, f"it answers {replies[1][0]} instead of {replies[0][0]}")
        yield from self._schema(f"{name}: reply", replies[0][1], replies[1][1], Direction.OUT)

    def _schema(self, where: str, before: Any, after: Any, direction: Direction) -> Iterator[Change]:
        for grade, at, what in self._schemas.compared(where, before, after, direction):
            yield Change(Grade(grade), at, what)


def _operations(document: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    return {
        item[method].get("operationId", f"{method.upper()} {path}"): (f"{method.upper()} {path}", item[method])
        for path, item in document.get("paths", {}).items()
        for method in METHODS
        if method in item
    }


def _parameters(operation: Mapping[str, Any], document: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    found = {}
    for each in operation.get("parameters", ()):
        if "$ref" in each:
            each = document["components"]["parameters"][each["$ref"].rpartition("/")[2]]
        found[each["in"], each["name"]] = each
    return found


def _body(operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    return next((media.get("schema") for media in content.values()), None)


def _reply(operation: Mapping[str, Any]) -> tuple[str, Any]:
    for status, response in operation.get("responses", {}).items():
        if status.startswith("2"):
            return status, next((media.get("schema") for media in response.get("content", {}).values()), {})
    return "", {}
