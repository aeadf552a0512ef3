"""Changes of a dataset: each new generation held against the one before.

A position names a generation by its files. While this process has the generation before, the bytes of its records are
compared, and only what differs is decoded; else the change can't be told from here, and everything is loaded anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial

import orjson

from adapters.changes import Asked, Batch, Change, Form, Guarantee, Kind, Page, PositionLost, Retained, What
from adapters.contract import Context, Json
from adapters.errors import ConfigError, ConfigProblem, Retry
from adapters.files.content import Changed
from adapters.files.dataset import Dataset, Description
from adapters.files.facts import warnings
from adapters.files.formats import FieldType, at
from adapters.files.generation import Generation
from adapters.files.part import Part
from adapters.files.reads import Reads
from adapters.files.threads import Threads

_MOST = 3_000_000
"""Records of a generation that are compared in memory; more are loaded anew, page by page."""
_PAGE = 1_000
_GONE = 0.2
"""Where more records than this are gone at once, whoever loads is to judge it."""


class FileCapture:
    """The changes of one dataset."""

    guarantee = Guarantee(
        "found by comparison",
        "none",
        False,
        "half a second once a file has arrived whole, and the comparison",
        "what came and went between two looks",
    )

    def __init__(self, dataset: Dataset, threads: Threads, reads: Reads, opened: Callable[[], Awaitable[None]]) -> None:
        self._dataset, self._threads, self._reads, self._opened = dataset, threads, reads, opened
        self._held: Generation | None = None
        """What was loaded, or compared last."""
        self._told: list[Change] = []
        self._next: tuple[str, Generation] | None = None

    async def begin(self, deadline: float) -> str:
        """The current generation."""
        self._told, self._next = [], None
        self._held = await self._current()
        return identity(self._held)

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        """What differs between the generation of a position and the current one."""
        if self._next is not None and after.startswith(self._next[0] + ":"):
            return self._portion(int(after.rpartition(":")[2]), limit)
        current = await self._current()
        name = identity(current)
        if name == after:
            self._held = self._held or current
            return self._told_by(current, [], after)
        before = self._held
        if before is None or identity(before) != after:
            raise PositionLost("the files are others, and those before aren't held here")
        self._told = await self._threads.run_long(partial(compared, before, current, self._dataset, name))
        self._next = (name, current)
        return self._portion(0, limit)

    def _portion(self, start: int, limit: int) -> Batch:
        assert self._next is not None
        name, generation = self._next
        found = self._told[start : start + limit]
        if start + limit < len(self._told):
            return Batch(found, f"{name}:{start + limit}", True)
        self._held, self._told, self._next = generation, [], None
        return self._told_by(generation, found, name)

    def _told_by(self, generation: Generation, found: list[Change], position: str) -> Batch:
        """The last portion of a generation, which is as old as its files; not all where there is a warning."""
        whole = not warnings(self._dataset, generation)
        return Batch(found, position, False, None if whole else 0.0, generation.as_of.timestamp())

    async def release(self, position: str, deadline: float) -> None:
        """The files are nobody's to forget."""

    async def page(self, after: Json, limit: int, deadline: float) -> Page:
        """Some records of the generation that is loaded."""
        generation = self._held = self._held or await self._current()
        plain = {"limit": min(limit, _PAGE), "after": after}
        page = self._reads.one_page(self._dataset, generation, plain, Context(deadline))
        try:
            value = (await page).value
        except Changed:
            raise Retry(f"a file of {self._dataset.description.name} is being rewritten", retry_after=1.0) from None
        key = self._dataset.description.config.key
        return Page([((at(item, key),), item) for item in value["items"]], value["next"])

    async def retained(self, deadline: float) -> Retained:
        """Nothing that grows."""
        return Retained()

    async def close(self) -> None:
        """Lets the generation go."""
        self._held, self._told, self._next = None, [], None

    async def _current(self) -> Generation:
        await self._opened()
        return await self._threads.current(self._dataset)


def captured(asked: Asked, datasets: dict[str, Dataset]) -> Dataset:
    """The dataset that is to be captured; raises `ConfigError`."""
    found = datasets.get(asked.table)
    if found is None:
        raise ConfigError([ConfigProblem(f"there is no dataset '{asked.table}'")])
    if asked.method != "diff":
        raise ConfigError([ConfigProblem(f"files have no method '{asked.method}'; there is diff")])
    return found


def form_of(description: Description) -> Form:
    """What captured records can be asked for. How many digits a decimal has isn't known: it is left to the files."""
    kinds: Mapping[FieldType, Kind] = {"text": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
    known = {**(description.format.fields or {}), description.config.key: description.key_type}
    fields = {path: kinds[kind] for path, kind in known.items() if kind in kinds}
    return Form((description.config.key,), fields, True, False, True, False, "plain", description.digest)


def identity(generation: Generation) -> str:
    """What stands for a generation's files, in this process and the next."""
    known = [(part.path, part.version.inode, part.version.size, part.version.modified_ns) for part in generation.parts]
    return hashlib.blake2b(orjson.dumps(known), digest_size=12).hexdigest()


def compared(before: Generation, after: Generation, dataset: Dataset, name: str) -> list[Change]:
    """The changes from one generation to the other; raises `PositionLost` where that isn't told in memory."""
    key = dataset.description.config.key
    same = {id(part) for part in before.parts} & {id(part) for part in after.parts}
    old = [part for part in before.parts if id(part) not in same]
    new = [part for part in after.parts if id(part) not in same]
    if len(before) + len(after) > 2 * _MOST or any(_unsure(each) for each in (*old, *new)) or not _alike(old, new):
        raise PositionLost("the files differ in more than their records")
    try:
        had, has = _frames(old), _frames(new)
        differing = [(old[0], frame) for frame in had - has] + [(new[0], frame) for frame in has - had]
        keys = sorted({at(part.decoded(frame), key) for part, frame in differing})
        changes = [each for found in keys if (each := _change(before, after, found, name)) is not None]
    except Changed:
        raise PositionLost("a file was rewritten in place") from None
    deleted = sum(each.what is What.DELETE for each in changes)
    if deleted > max(10, _GONE * len(before)):
        raise PositionLost(f"{deleted} of {len(before)} records are gone at once")
    return changes


def _unsure(part: Part) -> bool:
    """Whether the bytes of a file's records don't say all: some can't be decoded, or come twice."""
    if part.reader is None or part.undecodable or part.lost is not None:
        return True
    return not part.plain if part.index is not None else len(set(part.keys)) != len(part.keys)


def _alike(old: Sequence[Part], new: Sequence[Part]) -> bool:
    """Whether equal bytes mean the same: what stands before the first record is equal."""
    heads = {_head(part) for part in (*old, *new)}
    return len(heads - {None}) <= 1


def _head(part: Part) -> bytes | None:
    first = next(_spans(part), None)
    try:
        return None if first is None else part.content.read(0, first[0])
    except Changed:
        return b"?"


def _spans(part: Part) -> Iterator[tuple[int, int]]:
    if part.index is not None:
        return ((start, stop) for _, _, start, stop in part.index.places())
    return zip(part.starts, part.ends, strict=True)


def _frames(parts: Sequence[Part]) -> set[bytes]:
    """The bytes of each record."""
    found: set[bytes] = set()
    for part in parts:
        found.update(part.frames(_spans(part)))
    return found


def _change(before: Generation, after: Generation, key: Json, name: str) -> Change | None:
    was, now = before.find(key), after.find(key)
    old = None if was is None else was.part.value(was.ordinal)
    new = None if now is None else now.part.value(now.ordinal)
    if old == new:
        return None
    what = What.DELETE if new is None else What.INSERT if old is None else What.UPDATE
    moment = now.part.as_of if now is not None else after.as_of
    return Change(f"{name}:{orjson.dumps(key).decode()}", what, (key,), new, moment)
