"""What a reader of `figway import` is asked for, and what it yields; the pipeline makes the workspace's files of that.

A reader is a function `read(request) -> Reading` in a module of its own. It names things as the upstream does: paths,
operationIds and the contract's names are the pipeline's. It raises `CantImport` when nothing can be imported; what only
a part of the source can't do is a `LeftOut`, and the rest is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from adapters.contract import Effect, Json, JsonSchema


class CantImport(Exception):
    """Nothing can be imported. The message is one sentence: what, where, what to do."""


def placed(text: str) -> Path:
    """A text as a path; raises `CantImport` for one that no file can have."""
    try:
        os.stat(text)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it holds a character that no path has"
        raise CantImport(f"{text[:100]} can't be read: {said}") from error
    return Path(text)


class Shape(StrEnum):
    """What an operation is to its resource."""

    LIST = "list"
    GET = "get"
    CREATE = "create"
    REPLACE = "replace"
    UPDATE = "update"
    DELETE = "delete"
    CALL = "call"
    """Anything else: an action, called by POST, or by GET where it reads and its input fits a query."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The resource whose one entry a list stands below: `/artists/{artist_id}/albums`."""

    resource: str
    """As its own operations' `resource` has it."""
    columns: Mapping[str, str]
    """The parent's key member → the list's field that must equal it; all of the parent's key, in its order."""
    name: str = ""
    """What the list is called below its parent, where several lead from it to one resource; else the resource."""


@dataclass(frozen=True, slots=True)
class Found:
    """One route to be: an adapter's operation, and what it is.

    `input` and `output` are what callers give and get, in Draft 2020-12, with their own `$defs` (equal `$defs` of one
    name are kept once). For a LIST, `input` is empty and `output` is one item's; paging is the pipeline's. Members
    keep the upstream's names.
    """

    operation: str
    """As the adapter names it, such as `GetCustomer` or `stock.list`."""
    effect: Effect
    output: JsonSchema | None
    """None: it answers nothing (204)."""
    input: JsonSchema = field(default_factory=dict)
    shape: Shape | None = None
    """None: the pipeline guesses by the operation's name."""
    resource: str = ""
    """The upstream's own word for the thing, such as a table's name; empty: the pipeline guesses."""
    key: tuple[str, ...] = ()
    """Members of `input` that name one entry and stand in the path, in this order."""
    parent: Parent | None = None
    filters: Mapping[str, JsonSchema] = field(default_factory=dict)
    """Of a LIST: query parameter → schema, such as `Name`, `Name.like`, `UnitPrice.ge`."""
    sorts: tuple[str, ...] = ()
    """Of a LIST: the fields that `sort` may name."""
    expands: tuple[str, ...] = ()
    """Members of `output` that are there only where `expand` names them: a parameter of a GET, and of a LIST that
    stands below nothing."""
    sparse: bool = False
    """Of a LIST or GET: its operation can leave out members by itself (`fields`)."""
    both_ways: bool = False
    """Of a LIST: it has pages backwards."""
    version: str | None = None
    """The operation's member that says which version a GET answers, and a write is to change (`If-Match`)."""
    description: str = ""
    """The upstream's own words; empty: the pipeline writes some."""
    binding: Mapping[str, Json] = field(default_factory=dict)
    """`input` and `output` of the binding, where the pipeline's wouldn't do. It makes: a list's page request with the
    parent's condition; else each path parameter and each member of the body by its name."""
    example: Json = None
    """What it may answer, if the reader knows better than what is made from `output`."""
    guess: str = ""
    """A sentence for a human: what was guessed of shape, effect or key, and by what. Empty: the upstream said so."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What isn't imported: an operation, a table, a column, a line."""

    what: str
    why: str
    where: str = ""
    """File and line, such as `invoice.cpy:17`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out by looking: about "stock.csv: quantity", found "integer", why "1,000 of 1,000 sampled"."""

    about: str
    found: str
    why: str


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a reader found."""

    kind: str
    """The kind of adapter: `soap`, `odbc`, `files`, `http`."""
    config: Mapping[str, Json]
    """The upstream's keys in `gateway.yaml` beside `kind`. Secrets are references. Where a key names a file of the
    workspace, that is `openapi/sources/UPSTREAM/` and one of `files`."""
    files: Mapping[str, bytes]
    """What the upstream says of itself, by path below `openapi/sources/UPSTREAM/`: the adapter is built from it."""
    operations: Sequence[Found]
    title: str = ""
    description: str = ""
    left_out: Sequence[LeftOut] = ()
    decisions: Sequence[str] = ()
    """What a human has to decide beside the guesses, a sentence each."""
    evidence: Sequence[Evidence] = ()
    variables: Sequence[str] = ()
    """Environment variables that `config` refers to and that must be set where the gateway runs."""


def _nothing(what: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked to import."""

    source: str
    """A path, a URL, a connection string, or a reference such as `env:ERP_DSN`."""
    upstream: str
    chosen: Callable[[str], bool] = lambda name: True
    """Whether `--include` and `--exclude` let a name of the upstream's (operation, table, sheet) in."""
    progress: Callable[[str, int, int | None], None] = _nothing
    """`progress("tables", 3, 120)`; the total is None while it isn't known."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What only this reader takes, such as `data` (a copybook's sample file) or `code_page`."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that may be asked although their address is private."""
    accepts_words: bool = False
    """Whether words that changed at the source are taken over, too."""
    cache: Path = Path("/nonexistent")
    """A folder for what adapters derive from files; theirs is the one below it that is called as the upstream is."""
