"""The adapter of kind `files`: datasets in a folder that batch jobs and uploads write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial

from adapters.changes import Asked, Capture, Form
from adapters.contract import Context, Json, Operation, Probe, Result, Source, Tried, Workspace
from adapters.errors import AdapterError, DoNotRetry, NotTried, Unavailable, UnknownOutcome, parts_of
from adapters.files.appending import decoded, prepared
from adapters.files.asking import Asking, asking
from adapters.files.bulk import PageOf, Pages, batches
from adapters.files.calls import awaited, within
from adapters.files.capture import FileCapture, captured, form_of
from adapters.files.claiming import Claiming
from adapters.files.config import Config
from adapters.files.dataset import Dataset, Description
from adapters.files.drop import drop
from adapters.files.elements import element
from adapters.files.exchanges import exchanges
from adapters.files.facts import facts, warnings
from adapters.files.folder import Folder
from adapters.files.formats import at
from adapters.files.operations import operations
from adapters.files.owner import Owners
from adapters.files.places.opening import mirror_of
from adapters.files.quarantine import Quarantine
from adapters.files.reads import Reads
from adapters.files.replacing import whole_file
from adapters.files.threads import Threads

_Verb = Callable[[Dataset, Mapping[str, Json], Context], Awaitable[Result]]
_Call = Callable[[Mapping[str, Json], Context], Awaitable[Result]]

_SHARED = frozenset({"get", "list", "aggregate", "generations"})
"""Verbs whose answers are the same for all."""


class FilesAdapter:
    """Reads and appends records; all work on files is done by a few threads."""

    def __init__(self, name: str, config: Config, found: Mapping[str, Description], workspace: Workspace) -> None:
        self._name = name
        self._mirror = mirror = mirror_of(config, found.values(), workspace)
        self._folder = Folder(str.__str__(config.root) if mirror is None else str(mirror.root))
        look = (lambda force: None) if mirror is None else (lambda force: mirror.refresh(force=force))
        quarantine = Quarantine(workspace.cache)
        self._datasets = {
            key: Dataset(value, self._folder, quarantine, workspace.cache, look) for key, value in found.items()
        }
        self._operations = {
            operation.name: operation for description in found.values() for operation in operations(description)
        }
        self._threads = Threads(name)
        self._reads = reads = Reads(name, self._threads)
        verbs: dict[str, _Verb] = {"get": reads.get, "list": reads.list, "aggregate": reads.aggregate}
        verbs |= {"generations": reads.generations, "append": self._append, "replace": self._replace}
        self._claiming = claiming = Claiming(name, self._threads, self._folder)
        verbs |= {"claim": claiming.claim, "claimed": claiming.claimed, "finish": claiming.finish}
        self._owners = Owners(config.callers)
        self._calls: dict[str, _Call] = {
            operation: partial(verbs[operation.partition(".")[2]], self._datasets[operation.partition(".")[0]])
            for operation in self._operations
        }
        self._asking = Asking(name, self._threads, self._owners, exchanges(config, self._datasets, self._folder))
        self._answers = {f"{name}.ask": f"{parts.answer}.get" for name, parts in config.exchanges.items()}
        for exchange, parts in config.exchanges.items():
            asked = asking(exchange, found[parts.request], found[parts.answer])
            self._operations[asked.name] = asked
            self._calls[asked.name] = partial(self._asking.ask, exchange)

    @property
    def name(self) -> str:
        return self._name

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def open(self) -> None:
        """Looks at every dataset once; raises `Unavailable` when the folder isn't there."""
        self._threads.start()
        try:
            for dataset in self._datasets.values():
                if self._mirror is None:
                    await self._threads.run(dataset.sweep)
                await self._threads.current(dataset)
        except AdapterError:
            await self.close()
            raise

    async def close(self) -> None:
        self._threads.stop()

    async def _opened(self) -> None:
        if not self._threads.open:
            await self.open()

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        if operation not in self._operations:
            raise DoNotRetry(f"there is no operation {operation}")
        dataset, _, verb = operation.partition(".")
        try:
            async with within(context):
                await self._opened()
                return await self._calls[operation](input, context)
        except TimeoutError:
            if verb in ("append", "replace"):  # what had begun would be an UnknownOutcome
                raise Unavailable(f"{dataset} didn't answer in time; nothing was written") from None
            raise UnknownOutcome(f"{dataset} didn't answer in time") from None

    async def bulk(
        self, operation: str, input: Mapping[str, Json], context: Context
    ) -> AsyncGenerator[Sequence[Json], None]:
        """All of a list in batches, from one generation; see `SupportsBulk`."""
        name, _, verb = operation.partition(".")
        if operation not in self._operations or verb != "list":
            raise DoNotRetry(f"{operation} is no list that can be read as a whole")
        dataset = self._datasets[name]

        async def begun() -> tuple[Pages, PageOf]:
            await self._opened()
            return await self._reads.pages(dataset, input, context)

        async with aclosing(batches(begun, name, context)) as found:
            async for batch in found:
                yield batch

    def tries(self, operation: str) -> bool:
        """Whether it is an `append`, which is judged and encoded before anything is written."""
        return operation in self._operations and operation.endswith(".append")

    async def dry_run(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """What `append` would write, without writing it."""
        if not self.tries(operation):
            raise NotTried(f"there is no dry run of {operation}")
        dataset = self._datasets[name := operation.partition(".")[0]]
        owner = self._owners.of(dataset.description, context)
        try:
            async with asyncio.timeout(context.remaining()):
                await self._opened()
                generation = await self._threads.current(dataset)
                file, data = await self._threads.run(lambda: prepared(dataset.description, generation, input, owner))
        except TimeoutError:
            raise Unavailable(f"{name} didn't answer in time; nothing was written") from None
        value = decoded(dataset.description, data)
        template = dataset.description.template
        place = "/".join((*(() if template is None else template.folders), file))
        found = Tried(affected=1, one=True, place=place)
        return Result(value, datetime.now(UTC), warnings=warnings(dataset, dataset.generation), tried=found)

    def reads_caller(self, operation: str) -> bool:
        """Whether it may answer callers differently, as claims do; see `SupportsSharing`."""
        return operation.rpartition(".")[2] not in _SHARED

    def capture(self, asked: Asked) -> Capture:
        """What tells the changes of a dataset; see `SupportsChanges`."""
        return FileCapture(captured(asked, self._datasets), self._threads, self._reads, self._opened)

    def form(self, table: str) -> Form | None:
        """How a dataset's captured records are asked; see `SupportsForm`."""
        dataset = self._datasets.get(table)
        return None if dataset is None else form_of(dataset.description)

    def element(self, operation: str, pointer: str) -> str | None:
        """The dataset's field that a part of an answer is, and its place in the record; see `SupportsElements`."""
        found = {name: dataset.description for name, dataset in self._datasets.items()}
        operation = self._answers.get(operation, operation)
        return element(found, operation, parts_of(pointer))

    async def probe(self, context: Context) -> Probe:
        started = time.monotonic()
        try:
            async with asyncio.timeout(context.remaining()):
                await self._opened()
                for dataset in self._datasets.values():
                    await self._threads.current(dataset, force=True)
        except (AdapterError, TimeoutError) as error:
            return Probe(False, str(error) or "the folder didn't answer in time", time.monotonic() - started)
        found = {name: facts(dataset) for name, dataset in self._datasets.items()}
        return Probe(True, "the folder can be read", time.monotonic() - started, found)

    async def _append(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        owner = self._owners.of(dataset.description, context)
        generation = await self._threads.current(dataset)
        name, data = await self._threads.run(lambda: prepared(dataset.description, generation, input, owner))
        template = dataset.description.template
        assert template is not None
        path = await self._written(dataset, lambda: self._put(template.folders, name, data, over=False), context)
        value = decoded(dataset.description, data)
        return self._wrote(value, path, str(at(value, dataset.description.config.key)), len(data))

    async def _replace(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        template = dataset.description.replaced
        assert template is not None
        data = await self._threads.run(lambda: whole_file(dataset.description, input))
        put = partial(self._put, template.folders, template.name({}), data, over=True)
        path = await self._written(dataset, put, context)
        return self._wrote({"records": len(input["items"])}, path, None, len(data))

    def _wrote(self, value: Json, path: str, key: str | None, size: int) -> Result:
        now = datetime.now(UTC)
        return Result(value, now, (Source(self._name, path, key, (0, size), now),))

    def _put(self, folders: tuple[str, ...], name: str, data: bytes, *, over: bool) -> str:
        if self._mirror is not None:
            return self._mirror.write("/".join((*folders, name)), data, over=over)
        return drop(self._folder, folders, name, data, over=over)

    async def _written(self, dataset: Dataset, write: Callable[[], str], context: Context) -> str:
        """The path that was written; the dataset is looked at again, as far as there is time."""
        writing = self._threads.submit(write)
        writing.add_done_callback(lambda _: dataset.expire())
        try:
            path = await asyncio.shield(awaited(writing))
        except asyncio.CancelledError:
            # Ours, when the deadline passed: what hasn't begun is taken back, what has may still happen.
            if writing.cancel() or context.remaining() > 0:
                raise
            raise UnknownOutcome(f"writing to {dataset.description.name} took too long") from None
        # It is written, whatever becomes of the look at it.
        seen = awaited(self._threads.look(dataset, force=True))
        await asyncio.wait({seen}, timeout=context.remaining() / 2)
        return path


class LookupFilesAdapter(FilesAdapter):
    """Also tells what became of the requests of exchanges, and of claims."""

    async def lookup(self, operation: str, idempotency_key: str, context: Context) -> Result | None:
        """See `SupportsLookup`."""
        try:
            async with asyncio.timeout(context.remaining()):
                await self._opened()
                name, _, verb = operation.partition(".")
                if verb == "claim" and operation in self._operations:
                    return await self._claiming.lookup(self._datasets[name], idempotency_key, context)
                return await self._asking.lookup(operation, idempotency_key, context)
        except TimeoutError:
            raise UnknownOutcome(f"{operation} didn't tell in time what became of it") from None
