"""What is captured of upstreams that can tell no changes: their answers, read again and again.

By *diff*, all of an operation's answer is read every so often, and what differs from the replica is what changed. By
*watermark*, a table's rows are read whose column is greater than before; how far back that looks is for rows that are
committed late. What it misses, deletes among it, the comparison of everything finds, every so often.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import orjson

from adapters.changes import Batch, Change, Guarantee, Page, PositionLost, Retained, What
from adapters.contract import Adapter, Context, Json
from adapters.errors import BadReply
from gateway.events.model import key_text, row_bytes
from gateway.routing.capture_checks import key_of
from gateway.routing.captured_operations import PagesModel, path_of
from gateway.routing.captures import CaptureModel
from gateway.routing.mapping import expression
from gateway.routing.model import MappingFailed

_HOURLY, _MINUTELY = 3600.0, 60.0
_PAGE = 1_000
"""Rows of a page: the most that a list answers, as each page of a slow system is as long as a call of it."""


class Polled:
    """Entities that an operation answers, compared every so often."""

    def __init__(
        self, adapter: Adapter, model: CaptureModel, name: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._adapter, self._model, self._clock = adapter, model, clock
        self._operation = model.operation or f"{model.table or name}.list"
        self._paged = adapter.operations()[self._operation].is_list
        self._key = key_of(adapter, model, name)
        self._items = expression(model.items)
        self._read = 0.0
        self.every = model.every or (_MINUTELY if model.operation is not None else _HOURLY)
        self.guarantee = Guarantee(
            "found by comparison", "none", False, f"up to {self.every:g} s, and as long as reading everything takes",
            "what came and went between two looks",
        )  # fmt: skip

    async def begin(self, deadline: float) -> str:
        """From now on."""
        return orjson.dumps({"since": self._clock()}).decode()

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        """Nothing, until it is time to read everything anew."""
        position = _read(after)
        self.due(position)
        return Batch([], after, False, position["since"])

    def due(self, position: Mapping[str, Json]) -> None:
        """Raises `PositionLost` when it is time to read everything anew."""
        # What takes long to read isn't begun anew before it is over.
        now, since = self._clock(), position.get("since", 0.0)
        if now < since or now - max(since, self._read) >= self.every:
            raise PositionLost("it is time to compare everything")

    async def release(self, position: str, deadline: float) -> None:
        """The source keeps nothing."""

    async def page(self, after: Json, limit: int, deadline: float) -> Page:
        """A page of the list, or all of an answer that isn't one."""
        asked, pages = dict(self._model.input), self._model.pages
        if self._paged:
            asked |= {"limit": min(limit, _PAGE), "after": after}
        elif pages is not None:
            asked = {pages.limit: min(limit, _PAGE), **asked, **({} if after is None else {pages.after: after})}
        started = self._clock()
        result = await self._adapter.invoke(self._operation, asked, Context(deadline))
        self._read = 2 * self._clock() - started  # the pause behind a page is shorter than the page
        following = result.value["next"] if self._paged else _next(pages, result.value)
        if following is not None and following == after:
            raise BadReply("a page leads to itself")
        return Page([(self.key_of(item), item) for item in self.items(result.value)], following)

    def items(self, value: Json) -> list[Mapping[str, Json]]:
        """The entities of an answer; raises `BadReply`."""
        try:
            found = self._items(value)
        except MappingFailed as error:
            raise BadReply("the answer isn't what items expects", detail=str(error)) from error
        # A list of one element is spelt as that element by some systems, and an empty one left out.
        found = [] if found is None else [found] if isinstance(found, Mapping) else found
        if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            raise BadReply("items leads to something that is no list of entities")
        return found

    def key_of(self, item: Mapping[str, Json]) -> tuple[Json, ...]:
        """An entity's key; raises `BadReply`."""
        key = tuple(item.get(name) for name in self._key)
        if None in key:
            raise BadReply("an entity has no key")
        return key

    async def retained(self, deadline: float) -> Retained:
        """Nothing."""
        return Retained()

    async def pause(self, seconds: float) -> None:
        """It tells nothing by itself."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Nothing is open."""


class Watermark(Polled):
    """Rows whose column grew."""

    def __init__(
        self, adapter: Adapter, model: CaptureModel, name: str, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(adapter, model, name, clock)
        self._column = model.column or ""
        self.guarantee = Guarantee(
            "found by reconciliation", "none", False, "some 2 s",
            f"deletes, and what is committed more than {model.overlap:g} s late, until everything is compared "
            f"(every {self.every:g} s); a row whose column is NULL",
        )  # fmt: skip

    async def begin(self, deadline: float) -> str:
        """What is greatest now."""
        asked = {"limit": 1, "sort": ["-" + self._column], "where": [[self._column, "null", False]]}
        found = (await self._adapter.invoke(self._operation, asked, Context(deadline))).value["items"]
        position = {"since": self._clock(), "mark": found[0][self._column] if found else None}
        return orjson.dumps(position).decode()

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        """Rows from the mark on, and some before it."""
        position = _read(after)
        self.due(position)
        mark, cursor = position.get("mark"), position.get("next")
        asked = {"limit": _PAGE, "after": cursor, "sort": [self._column], "where": self._where(position)}
        value = (await self._adapter.invoke(self._operation, asked, Context(deadline))).value
        changes = [self._change(item) for item in value["items"]]
        greatest = value["items"][-1][self._column] if value["items"] else mark
        following = {"since": position["since"], "mark": mark, "low": position.get("low", mark), "next": value["next"]}
        if value["next"] is None:
            following = {"since": position["since"], "mark": greatest}
        # What it misses is found when everything is compared: until then no more than that is all there is.
        return Batch(changes, orjson.dumps(following).decode(), value["next"] is not None, position["since"])

    def _where(self, position: Mapping[str, Json]) -> list[Json]:
        mark = position.get("low", position.get("mark"))
        if mark is None:
            return [[self._column, "null", False]]
        return [[self._column, "ge", _earlier(mark, self._model.overlap)]]

    def _change(self, item: Mapping[str, Json]) -> Change:
        key = self.key_of(item)
        digest = hashlib.blake2b(row_bytes(item), digest_size=8).hexdigest()
        return Change(
            f"{key_text(key)}@{item[self._column]}:{digest}", What.STATE, key, item, _moment(item[self._column])
        )


def polled(adapter: Adapter, model: CaptureModel, name: str) -> Polled:
    """What captures by reading again and again."""
    kind = Watermark if model.method == "watermark" else partial(Polled)
    return kind(adapter, model, name)


def _read(position: str) -> Mapping[str, Json]:
    try:
        found = orjson.loads(position)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise PositionLost("what is stored isn't a position")
    return found


def _next(pages: PagesModel | None, value: Json) -> Json:
    """What an operation's next page is asked with; None: there is none."""
    for name in path_of(pages.next) if pages is not None else ():
        value = value.get(name) if isinstance(value, Mapping) else None
    return None if pages is None else value


def _earlier(mark: Json, overlap: float) -> Json:
    """A value that is so much less: seconds of an instant, or as many numbers."""
    moment = _moment(mark)
    if moment is not None:
        return (moment - timedelta(seconds=overlap)).isoformat().replace("+00:00", "Z")
    return mark - int(overlap) if isinstance(mark, int) else mark


def _moment(value: Json) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if found.tzinfo is None else found.astimezone(UTC)
