"""What an adapter may be able to do beside the five verbs: the gateway asks by `isinstance`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from adapters.changes import Asked, Capture, Form
from adapters.contract import Context, Json, Operation, Result, Tried


@runtime_checkable
class SupportsDryRun(Protocol):
    """An adapter that can show what a write would do, without doing it."""

    def tries(self, operation: str) -> bool | None:
        """Whether `dry_run` of it has no effect, as far as that is known offline; None: only its binding can say."""
        ...

    async def dry_run(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """What `invoke` would answer now, with nothing changed; raises as it does, `NotTried` where that can't be
        promised, and `Unacknowledged` where the upstream doesn't say that it changed nothing."""
        ...


@runtime_checkable
class SupportsPreview(Protocol):
    """An adapter that can show what it would send, without sending it."""

    def previews(self, operation: str) -> bool:
        """Whether `preview` knows the operation."""
        ...

    async def preview(self, operation: str, input: Mapping[str, Json], context: Context) -> Tried:
        """The message that `invoke` would send now, without credentials; raises as it does before a byte is sent."""
        ...


@runtime_checkable
class SupportsBulk(Protocol):
    """An adapter that can read all of a list without ever holding all of it."""

    def bulk(self, operation: str, input: Mapping[str, Json], context: Context) -> AsyncGenerator[Sequence[Json], None]:
        """Batches of a list operation's items, in the order and under the filters of `input` (as `ListRequest.of`
        reads it; `limit` then counts all items, without it there is no end). The source waits for who reads; closing
        the generator ends the query. Raises what `invoke` raises, also between batches."""
        ...


@runtime_checkable
class SupportsTemplates(Protocol):
    """An adapter whose operations are named by their form, such as "GET /customers/{id}", beside those listed."""

    def accepts(self, name: str) -> Operation | None:
        """The operation that `name` stands for, found offline; None when the name isn't well-formed."""
        ...


@runtime_checkable
class SupportsLookup(Protocol):
    """An adapter that can say what became of a write, by its idempotency key; None: it never happened."""

    async def lookup(self, operation: str, idempotency_key: str, context: Context) -> Result | None: ...


@runtime_checkable
class SupportsLeftOut(Protocol):
    """An adapter whose upstream describes more operations than can be called."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """Operation → what it uses that can't be expressed, in words that complete "it uses …"."""
        ...


@runtime_checkable
class SupportsElements(Protocol):
    """An adapter that knows the upstream's own names for the parts of what it answers."""

    def element(self, operation: str, pointer: str) -> str | None:
        """What the upstream calls the part of `Result.value` that a JSON Pointer leads to, `*` standing for any item;
        None where it has no such part. May take a while the first time, and never touches the network."""
        ...


@runtime_checkable
class SupportsChanges(Protocol):
    """An adapter that can tell what changed since a position."""

    def capture(self, asked: Asked) -> Capture:
        """What tells the changes of one table or the like; touches no network. Raises `ConfigError` where it can't be
        had that way."""
        ...


@runtime_checkable
class SupportsForm(Protocol):
    """An adapter whose `TABLE.get` and `TABLE.list` can be answered from its captured rows."""

    def form(self, table: str) -> Form | None:
        """How; None: not of this table. Known offline."""
        ...


@runtime_checkable
class SupportsInstall(Protocol):
    """A capture for which something has to be in the database first."""

    def script(self) -> Sequence[str]:
        """The statements that make it, in order; they may be run again. Raises `AdapterError`."""
        ...

    async def install(self, deadline: float) -> None:
        """Runs the script; raises `AdapterError`."""
        ...

    async def remove(self, deadline: float) -> None:
        """Takes away what the capture keeps at its source, so that it holds nothing there; raises `AdapterError`."""
        ...


@runtime_checkable
class SupportsSharing(Protocol):
    """An adapter that knows whether its upstream tells callers apart."""

    def reads_caller(self, operation: str) -> bool:
        """Whether what it answers may depend on who calls: on anything of `Context` but its deadline. If not, one
        answer is good for all who ask the same."""
        ...
