"""The adapter of kind `files`: datasets in a folder that batch jobs and uploads write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from adapters.contract import Context, Json, Operation, Probe, Result, Source, Workspace
from adapters.errors import (
    AdapterError,
    BadReply,
    DoNotRetry,
    NotFound,
    NotTried,
    Retry,
    Unavailable,
    UnknownOutcome,
    parts_of,
)
from adapters.files.appending import decoded, prepared
from adapters.files.bulk import PageOf, Pages, batches
from adapters.files.calls import awaited, fields_of, key_of, request_of, with_value, within
from adapters.files.config import Config
from adapters.files.content import Changed
from adapters.files.dataset import Dataset, Description
from adapters.files.drop import drop
from adapters.files.elements import element
from adapters.files.facts import absent, facts, late, warnings
from adapters.files.folder import Folder
from adapters.files.formats import Copied, at
from adapters.files.generation import Found, Generation, oldest
from adapters.files.operations import operations
from adapters.files.owner import Owners
from adapters.files.places.opening import mirror_of
from adapters.files.quarantine import Quarantine
from adapters.files.query import Query
from adapters.files.replacing import whole_file

_T = TypeVar("_T")
_Verb = Callable[[Dataset, Mapping[str, Json], Context], Awaitable[Result]]

_THREADS = 4
_LARGE = 8 * 1024
"""Bytes of a record that is decoded on a thread, since decoding it takes more than a millisecond."""
_GRACE = 0.25
"""Seconds that a read waits for a new generation before the old one answers."""


class FilesAdapter:
    """Reads and appends records; all work on files is done by a few threads."""

    def __init__(self, name: str, config: Config, found: Mapping[str, Description], workspace: Workspace) -> None:
        self._name = name
        self._mirror = mirror = mirror_of(config, found.values(), workspace.cache)
        self._folder = Folder(str.__str__(config.root) if mirror is None else str(mirror.root))
        look = (lambda force: None) if mirror is None else (lambda force: mirror.refresh(force=force))
        quarantine = Quarantine(workspace.cache)
        self._datasets = {
            key: Dataset(value, self._folder, quarantine, workspace.cache, look) for key, value in found.items()
        }
        self._operations = {
            operation.name: operation for description in found.values() for operation in operations(description)
        }
        self._verbs: dict[str, _Verb] = {"get": self._get, "list": self._list}
        self._verbs |= {"append": self._append, "replace": self._replace}
        self._owners = Owners(config.callers)
        self._threads: ThreadPoolExecutor | None = None
        self._looking: ThreadPoolExecutor | None = None
        self._refreshing: dict[str, Future[Generation]] = {}

    @property
    def name(self) -> str:
        return self._name

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def open(self) -> None:
        """Looks at every dataset once; raises `Unavailable` when the folder isn't there."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, f"files-{self._name}")
            # Indexing a big file takes minutes; reads mustn't wait for a thread meanwhile.
            self._looking = ThreadPoolExecutor(_THREADS, f"files-{self._name}-look")
        try:
            for dataset in self._datasets.values():
                if self._mirror is None:
                    await self._run(dataset.sweep)
                await self._current(dataset)
        except AdapterError:
            await self.close()
            raise

    async def close(self) -> None:
        pools = (self._threads, self._looking)
        self._threads = self._looking = None
        self._refreshing.clear()
        for threads in pools:
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        if operation not in self._operations:
            raise DoNotRetry(f"there is no operation {operation}")
        dataset, _, verb = operation.partition(".")
        try:
            async with within(context):
                if self._threads is None:
                    await self.open()
                return await self._verbs[verb](self._datasets[dataset], input, context)
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
            generation = await self._current(dataset)
            pages = Pages(input, fields_of(dataset.description, generation), dataset.description.config.key)
            return pages, lambda query: self._run(partial(self._page, dataset, generation, query, context.deadline))

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
                _, data = prepared(dataset.description, await self._current(dataset), input, owner)
        except TimeoutError:
            raise Unavailable(f"{name} didn't answer in time; nothing was written") from None
        value = decoded(dataset.description, data)
        return Result(value, datetime.now(UTC), warnings=warnings(dataset, dataset.generation))

    def element(self, operation: str, pointer: str) -> str | None:
        """The dataset's field that a part of an answer is, and its place in the record; see `SupportsElements`."""
        found = {name: dataset.description for name, dataset in self._datasets.items()}
        return element(found, operation, parts_of(pointer))

    async def probe(self, context: Context) -> Probe:
        started = time.monotonic()
        try:
            async with asyncio.timeout(context.remaining()):
                for dataset in self._datasets.values():
                    await self._current(dataset, force=True)
        except (AdapterError, TimeoutError) as error:
            return Probe(False, str(error) or "the folder didn't answer in time", time.monotonic() - started)
        found = {name: facts(dataset) for name, dataset in self._datasets.items()}
        return Probe(True, "the folder can be read", time.monotonic() - started, found)

    async def _get(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        description = dataset.description
        key = key_of(description, input)
        for last in (False, True):
            generation = await self._current(dataset, force=last)
            found, value = await self._found(generation, key)
            bad = generation.lost if found is None else found.bad
            if bad is not None:
                raise BadReply(
                    f"a record of {description.name} can't be decoded ({bad.where}): {bad.reason}",
                    detail=found.part.path if found else "",
                )
            if found is None:
                raise NotFound(absent(description.name, generation))
            if value is None:
                continue
            return Result(value, found.part.as_of, (self._source(found, str(key)),), late(dataset))
        raise Retry(f"a file of {description.name} is being rewritten", retry_after=1.0)

    async def _list(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        request = request_of(input)
        description = dataset.description
        for last in (False, True):
            generation = await self._current(dataset, force=last)
            fields = fields_of(description, generation)
            query = Query(request, fields, description.config.key)
            try:
                return await self._run(partial(self._page, dataset, generation, query, context.deadline))
            except Changed:
                continue
        raise Retry(f"a file of {description.name} is being rewritten", retry_after=1.0)

    def _page(self, dataset: Dataset, generation: Generation, query: Query, deadline: float) -> Result:
        page = query.page(generation, deadline)
        items = [found.part.value(found.ordinal) for found in page.found]
        key = dataset.description.config.key
        sources = tuple(self._source(found, str(at(item, key))) for found, item in zip(page.found, items, strict=True))
        as_of = oldest([found.part for found in page.found], generation.as_of)
        return Result({"items": items, "next": page.next}, as_of, sources, warnings(dataset, generation))

    async def _append(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        owner = self._owners.of(dataset.description, context)
        generation = await self._current(dataset)
        name, data = await self._run(lambda: prepared(dataset.description, generation, input, owner))
        template = dataset.description.template
        assert template is not None
        path = await self._written(dataset, lambda: self._put(template.folders, name, data, over=False), context)
        value = decoded(dataset.description, data)
        return self._wrote(value, path, str(at(value, dataset.description.config.key)), len(data))

    async def _replace(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        template = dataset.description.replaced
        assert template is not None
        data = await self._run(lambda: whole_file(dataset.description, input))
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
        writing = self._submit(write)
        writing.add_done_callback(lambda _: dataset.expire())
        try:
            path = await asyncio.shield(awaited(writing))
        except asyncio.CancelledError:
            # Ours, when the deadline passed: what hasn't begun is taken back, what has may still happen.
            if writing.cancel() or context.remaining() > 0:
                raise
            raise UnknownOutcome(f"writing to {dataset.description.name} took too long") from None
        # It is written, whatever becomes of the look at it.
        seen = awaited(self._look(dataset, force=True))
        await asyncio.wait({seen}, timeout=context.remaining() / 2)
        return path

    async def _current(self, dataset: Dataset, *, force: bool = False) -> Generation:
        """The dataset's generation, after a look at the folder where one is due."""
        if self._threads is None:
            await self.open()
        generation = dataset.generation
        if generation is not None and not force and not dataset.due:
            return generation
        name = dataset.description.name
        refreshing = self._refreshing.get(name)
        if refreshing is None or refreshing.done() or force:
            refreshing = self._refreshing[name] = self._look(dataset, force=force)
        future = awaited(refreshing)
        if generation is None or force:
            return await asyncio.shield(future)
        await asyncio.wait({future}, timeout=_GRACE)
        return future.result() if future.done() else generation

    async def _found(self, generation: Generation, key: Json) -> tuple[Found | None, Json]:
        """Where the record of a key is, and its value; None while the file is being rewritten."""
        if generation.blocking:
            return await self._run(lambda: with_value(generation.find(key)))
        found = generation.find(key)
        if found is None or found.bad is not None:
            return found, None
        start, end = found.part.span(found.ordinal)
        if found.part.content.blocking or end - start > _LARGE:
            return await self._run(lambda: with_value(found))
        return with_value(found)

    def _look(self, dataset: Dataset, *, force: bool) -> Future[Generation]:
        if self._looking is None:
            raise Unavailable(f"{self._name} is closed")
        return self._looking.submit(lambda: dataset.refresh(force=force))

    def _submit(self, work: Callable[[], _T]) -> Future[_T]:
        if self._threads is None:
            raise Unavailable(f"{self._name} is closed")
        return self._threads.submit(work)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.shield(awaited(self._submit(work)))

    def _source(self, found: Found, key: str) -> Source:
        span = None if isinstance(found.part.reader, Copied) else found.part.span(found.ordinal)
        return Source(self._name, found.part.path, key, span, found.part.as_of)
