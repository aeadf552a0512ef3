"""What a suite has to know of an adapter: how it is configured, where its real system is, and calls to try."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters import registry
from adapters.changes import Asked
from adapters.contract import Adapter, Json, Kind, Operation
from adapters.secret import Reference

SECONDS = 10.0
"""What a call is given that should succeed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call: an operation's name and its input."""

    operation: str
    input: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changing:
    """What is captured, and how it changes, beside the adapter. Its rows have numbers, and each a value.

    There are rows 1 to 5 of value 0 when a rule begins, which changes rows 1 to 9, and no others meanwhile.
    """

    asked: Asked
    change: Callable[[int, int | None], None]
    """Gives the row of a number a value, and commits; None: takes the row away."""
    row: Callable[[int, int], Mapping[str, Json]]
    """The row of a number and a value, as the adapter tells it."""
    key: Callable[[int], tuple[Json, ...]]
    """The key of a row's number."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An adapter on a real system. What it can't do stays None, and the rules about it aren't asked.

    `address` is where the system listens; `config(host, port)` is the configuration for one that listens there, as the
    suite puts its wire in between. A secret in it is a `Reference`, and nothing else is one.
    """

    kind: str
    """The kind's name, by which its entry point is found."""
    config: Callable[[str, int], Mapping[str, Any]]
    reads: Sequence[Sample]
    """Calls that change nothing and answer the same each time; at best two that answer differently."""
    address: tuple[str, int] | None = None
    """None: no network is involved."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The workspace's files."""
    listed: Sample | None = None
    """A list of three items at least, without `limit` and `after`."""
    write: Callable[[int], Sample] | None = None
    """The n-th write; each one is another."""
    written: Callable[[], int] | None = None
    """How many of these writes the system itself knows of, asked beside the adapter."""
    missing: Sample | None = None
    """A call for an entity that isn't there."""
    invalid: Sample | None = None
    """A call whose input breaks the system's rules."""
    changing: Callable[[], Changing] | None = None
    """Makes rows 1 to 5 anew, of an adapter that tells changes."""

    def found(self) -> Kind:
        """The kind; raises `registry.UnknownKind`."""
        return registry.kind(self.kind)

    def secrets(self) -> list[str]:
        """The secrets of the configuration."""
        return [str.__str__(each) for _, each in references(self.config("127.0.0.1", 1))]


def references(value: Any, *path: str | int) -> list[tuple[tuple[str | int, ...], Reference]]:
    """Every reference in a configuration, with the path to it."""
    if isinstance(value, Reference):
        return [(path, value)]
    if isinstance(value, Mapping):
        return [found for name, each in value.items() for found in references(each, *path, name)]
    if isinstance(value, list | tuple):
        return [found for number, each in enumerate(value) for found in references(each, *path, number)]
    return []


def operation_of(adapter: Adapter, name: str) -> Operation | None:
    """The operation of that name, listed or accepted by its form."""
    listed = adapter.operations().get(name)
    accepts = getattr(adapter, "accepts", None)
    return listed if listed is not None or accepts is None else accepts(name)
