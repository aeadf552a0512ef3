"""What reads of a dataset answer: one record, a list, sums by groups, and which generations there are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial

from adapters.contract import Context, Json, Result, Source
from adapters.errors import AdapterError, BadReply, NotFound, Retry
from adapters.files.aggregates import Asked, aggregate
from adapters.files.bulk import PageOf, Pages
from adapters.files.calls import awaited, fields_of, key_of, request_of
from adapters.files.content import Changed
from adapters.files.dataset import Dataset
from adapters.files.facts import absent, late, warnings
from adapters.files.formats import Copied, at
from adapters.files.generation import Found, Generation, oldest
from adapters.files.kept import Entry
from adapters.files.query import Query
from adapters.files.threads import Threads


class Reads:
    """The reading verbs of one upstream."""

    def __init__(self, name: str, threads: Threads) -> None:
        self._name = name
        self._threads = threads
        self._making: set[int] = set()
        self._opening: dict[tuple[str, str], Future[Generation]] = {}

    async def get(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        """The record of a key."""
        description = dataset.description
        key = key_of(description, input)
        for last in (False, True):
            generation = await self._generation(dataset, input, force=last)
            found, value = await self._threads.found(generation, key)
            bad = generation.lost if found is None else found.bad
            if bad is not None:
                raise BadReply(
                    f"a record of {description.name} can't be decoded ({bad.where}): {bad.reason}",
                    detail=found.part.path if found else "",
                )
            if found is None:
                raise _nothing(dataset, generation)
            if value is None:
                continue
            sources = (self.source(generation, found, str(key)),)
            return Result(value, found.part.as_of, sources, late(dataset))
        raise Retry(f"a file of {description.name} is being rewritten", retry_after=1.0)

    async def list(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        """A page. Where generations are kept, its position names the one that it continues in."""
        begun, plain = _begun(input)
        request = request_of(plain)
        description = dataset.description
        for last in (False, True):
            generation = await self._generation(dataset, input, force=last, begun=begun)
            query = Query(request, fields_of(description, generation), description.config.key)
            try:
                result = await self._threads.run(partial(self._page, dataset, generation, query, context.deadline))
            except Changed:
                continue
            finally:
                self._make_columns(generation)
            following = result.value["next"]
            if following is not None and generation.name is not None:
                result.value["next"] = {"generation": generation.name, "after": following}
            return result
        raise Retry(f"a file of {description.name} is being rewritten", retry_after=1.0)

    async def aggregate(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        """Counts, sums and the like, a group each."""
        request = request_of({"limit": 1, "where": input.get("where") or (), "rows": input.get("rows")})
        description = dataset.description
        for last in (False, True):
            generation = await self._generation(dataset, input, force=last)
            asked = Asked(input, request, fields_of(description, generation))
            try:
                items = await self._threads.run(partial(aggregate, generation, asked, context.deadline))
            except Changed:
                continue
            finally:
                self._make_columns(generation)
            sources = tuple(Source(self._name, _file(generation, p.path), as_of=p.as_of) for p in generation.parts)
            return Result({"items": items}, generation.as_of, sources, warnings(dataset, generation))
        raise Retry(f"a file of {description.name} is being rewritten", retry_after=1.0)

    async def generations(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        """What `as_of` can be asked for, newest first."""
        current = await self._threads.current(dataset)
        entries = await self._threads.run(dataset.kept.entries)
        items = [
            {
                "generation": entry.name,
                "files": len(entry.files),
                "bytes": sum(file.size for file in entry.files),
                "current": entry.name == current.name,
            }
            for entry in entries
        ]
        return Result({"items": items}, current.as_of, (Source(self._name, dataset.description.name),), late(dataset))

    async def pages(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> tuple[Pages, PageOf]:
        """What reads all of a list, from one generation."""
        begun, plain = _begun(input)
        generation = await self._generation(dataset, input, begun=begun)
        pages = Pages(plain, fields_of(dataset.description, generation), dataset.description.config.key)
        read = partial(self._page, dataset, generation, deadline=context.deadline)
        return pages, lambda query: self._threads.run(lambda: read(query=query))

    async def one_page(
        self, dataset: Dataset, generation: Generation, input: Mapping[str, Json], context: Context
    ) -> Result:
        """A page of one generation; raises `Changed`."""
        query = Query(request_of(input), fields_of(dataset.description, generation), dataset.description.config.key)
        return await self._threads.run(partial(self._page, dataset, generation, query, context.deadline))

    async def _generation(
        self, dataset: Dataset, input: Mapping[str, Json], *, force: bool = False, begun: Json = None
    ) -> Generation:
        """The one in which a list began, the one of a moment, or the current one."""
        current = await self._threads.current(dataset, force=force)
        if begun is None and input.get("as_of") is None:
            return current
        if begun is not None:
            entry = await self._threads.run(lambda: dataset.kept.named(begun))
        else:
            entry = await self._threads.run(lambda: dataset.kept.as_of(input["as_of"], dataset.description.name))
        return current if entry.name == current.name else await self._opened(dataset, entry)

    async def _opened(self, dataset: Dataset, entry: Entry) -> Generation:
        key = (dataset.description.name, entry.name)
        opening = self._opening.get(key)
        if opening is None:
            opening = self._opening[key] = self._threads.beside(lambda: dataset.earlier(entry))
            opening.add_done_callback(lambda _: self._opening.pop(key, None))
        return await asyncio.shield(awaited(opening))

    def _make_columns(self, generation: Generation) -> None:
        """Begins to make what calls wanted of big files and didn't find: these were answered without it."""
        for part in generation.parts:
            if part.big.wanted and id(part) not in self._making and self._threads.open:
                self._making.add(id(part))
                made = awaited(self._threads.beside(part.make_columns))
                made.add_done_callback(lambda _, part=part: self._making.discard(id(part)))  # type: ignore[misc]

    def _page(self, dataset: Dataset, generation: Generation, query: Query, deadline: float) -> Result:
        page = query.page(generation, deadline)
        items = [found.part.value(found.ordinal) for found in page.found]
        key = dataset.description.config.key
        sources = tuple(
            self.source(generation, found, str(at(item, key))) for found, item in zip(page.found, items, strict=True)
        )
        as_of = oldest([found.part for found in page.found], generation.as_of)
        return Result({"items": items, "next": page.next}, as_of, sources, warnings(dataset, generation))

    def source(self, generation: Generation, found: Found, key: str) -> Source:
        """Where a record stands."""
        span = None if isinstance(found.part.reader, Copied) else found.part.span(found.ordinal)
        return Source(self._name, _file(generation, found.part.path), key, span, found.part.as_of)


def _nothing(dataset: Dataset, generation: Generation) -> AdapterError:
    """There is no record; or there may be one, in files of which none can be served."""
    name, unserved = dataset.description.name, dataset.unserved
    if unserved is not None and not generation.parts:
        return BadReply(unserved)
    return NotFound("; ".join(filter(None, (absent(name, generation), unserved))))


def _file(generation: Generation, path: str) -> str:
    return path if generation.name is None else f"{path}@{generation.name}"


def _begun(input: Mapping[str, Json]) -> tuple[Json, Mapping[str, Json]]:
    """(the generation that a list began in, the input with a plain position)."""
    after = input.get("after")
    if isinstance(after, dict):
        return after.get("generation", ""), {**input, "after": after.get("after")}
    return None, input
