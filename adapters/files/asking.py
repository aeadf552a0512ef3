"""Exchanges: a request is written as a file, and its answer comes as a file with the same correlation key.

The key is made from the caller's idempotency key, so that whoever repeats a call, in whatever process, asks for the
same request; it is sent once, and what became of it can be looked up. Without an idempotency key it is random.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from adapters.contract import Context, Effect, Json, Operation, Result, Source
from adapters.errors import BadReply, FieldError, Invalid, Unavailable, UnknownOutcome
from adapters.files.appending import encoded
from adapters.files.calls import awaited
from adapters.files.config import Exchange
from adapters.files.content import Changed
from adapters.files.dataset import Dataset, Description
from adapters.files.facts import late
from adapters.files.generation import Found, Generation
from adapters.files.ledger import Ledger
from adapters.files.owner import Owners, without
from adapters.files.threads import Threads

_T = TypeVar("_T")

LONGEST_KEY = 26
SHORTEST_KEY = 12
"""Characters of a correlation key: 5 bits each."""

_EVERY = 0.1
"""Seconds between two looks for an answer, and, times ten, at how long a look takes at most."""
_TIDY = 300.0


@dataclass(frozen=True, slots=True)
class Parts:
    """An exchange's datasets and its ledger."""

    name: str
    config: Exchange
    request: Dataset
    answer: Dataset
    ledger: Ledger


def asking(name: str, request: Description, answer: Description) -> Operation:
    """`<exchange>.ask`."""
    schema = without(without(request.format.input_schema(), request.config.key), request.config.owner)
    about = (
        f"Writes a request of {request.name} as a file, and waits for its answer among {answer.name}. With the same "
        "idempotency key it is written once; no answer before the deadline is an unknown outcome."
    )
    return Operation(f"{name}.ask", Effect.WRITE, schema, answer.format.output_schema(), about)


class Asking:
    """The exchanges of one upstream."""

    def __init__(self, name: str, threads: Threads, owners: Owners, parts: Mapping[str, Parts]) -> None:
        self._name = name
        self._threads = threads
        self._owners = owners
        self._parts = parts
        self._looks: dict[str, Future[Generation]] = {}
        self._tidied: dict[str, float] = {}

    async def ask(self, name: str, input: Mapping[str, Json], context: Context) -> Result:
        """The answer to a request, which is sent unless it was. Raises `UnknownOutcome` at the deadline."""
        parts = self._parts[name]
        description = parts.request.description
        owner = self._owners.of(description, context)
        if description.config.key in input:
            fault = FieldError(f"/{description.config.key}", "is filled by the gateway: leave it out")
            raise Invalid("the request names itself", errors=[fault])
        id = self._id(parts, context.idempotency_key)
        asked = {**input, description.config.key: id}
        file, data = await self._threads.run(lambda: encoded(description, asked, owner))
        await self._run(lambda: _send(parts, id, data, file))
        self._tidy(parts)
        return await self._answered(parts, id)

    async def lookup(self, operation: str, key: str, context: Context) -> Result | None:
        """What became of the request with that idempotency key; None: it wasn't sent, and nobody will who was about to.
        Raises `UnknownOutcome` while there is no answer."""
        parts = self._parts.get(operation.removesuffix(".ask"))
        if parts is None:
            raise UnknownOutcome(f"what became of it can't be told of {operation}")
        id = self._id(parts, key)
        state = await self._run(lambda: parts.ledger.state(id))
        if state == "prepared" and await self._run(lambda: parts.ledger.withdraw(id)):
            return None
        if state in ("none", "withdrawn"):
            return None
        found = await self._found(parts, id)
        if found is None:
            raise UnknownOutcome(f"the request of {parts.name} was sent; its answer hasn't come")
        return found

    def _id(self, parts: Parts, key: str | None) -> str:
        """The correlation key of a call."""
        made_of = secrets.token_bytes(32) if key is None else f"{self._name}\0{parts.name}\0{key}".encode()
        text = base64.b32encode(hashlib.sha256(made_of).digest()).decode()
        return text[: room(parts.request.description, parts.answer.description)]

    async def _answered(self, parts: Parts, id: str) -> Result:
        while True:
            started = time.monotonic()
            found = await self._found(parts, id)
            if found is not None:
                return found
            await asyncio.sleep(max(_EVERY, 10 * (time.monotonic() - started)))

    async def _found(self, parts: Parts, id: str) -> Result | None:
        """The answer that is kept, or has come."""
        kept = await self._run(lambda: parts.ledger.answer(id))
        generation = await self._seen(parts.answer)
        found, value = await self._threads.found(generation, id)
        if found is not None and found.bad is not None and kept is None:
            raise BadReply(f"the answer of {parts.name} can't be decoded ({found.bad.where}): {found.bad.reason}")
        if found is not None and value is not None:
            answer = kept or _spelt(found, value)
            await self._run(lambda: _settle(parts, id, found, answer))
            parts.answer.expire()
            kept = answer
        return None if kept is None else self._result(parts, id, kept)

    def _result(self, parts: Parts, id: str, kept: Mapping[str, Json]) -> Result:
        as_of = datetime.fromisoformat(kept["as_of"])
        source = Source(self._name, kept["file"], id, tuple(kept["span"]), as_of)
        return Result(kept["value"], as_of, (source,), late(parts.answer))

    async def _seen(self, dataset: Dataset) -> Generation:
        """The answers as they are now; who waits together looks together."""
        name = dataset.description.name
        looking = self._looks.get(name)
        if looking is None or looking.done():
            looking = self._looks[name] = self._threads.look(dataset, force=True)
        return await asyncio.shield(awaited(looking))

    async def _run(self, work: Callable[[], _T]) -> _T:
        try:
            return await self._threads.run(work)
        except FileNotFoundError as error:
            raise Unavailable("a folder of the exchange isn't there", detail=str(error)) from error

    def _tidy(self, parts: Parts) -> None:
        """Now and then, beside the calls: answers that nobody waited for are kept, too, and old ones removed."""
        now = time.monotonic()
        if now - self._tidied.get(parts.name, 0.0) > _TIDY:
            self._tidied[parts.name] = now
            awaited(self._threads.beside(lambda: tidy(parts)))


def _send(parts: Parts, id: str, data: bytes, file: str) -> None:
    """A request that was taken back is sent by a new call only, never by the one that had prepared it."""
    template = parts.request.description.template
    assert template is not None
    state = parts.ledger.state(id)
    if state in ("sent", "answered"):
        return
    if state == "none":
        parts.ledger.prepare(id, data)
    parts.ledger.send(id, "withdrawn" if state == "withdrawn" else "prepared", template.folders, file)
    parts.request.expire()
    if parts.ledger.state(id) in ("prepared", "withdrawn"):
        raise Unavailable(f"the request of {parts.name} was taken back; nothing was sent")


def _spelt(found: Found, value: Json) -> dict[str, Json]:
    span = list(found.part.span(found.ordinal))
    return {"value": value, "as_of": found.part.as_of.isoformat(), "file": found.part.path, "span": span}


def _settle(parts: Parts, id: str, found: Found, answer: Json) -> None:
    """Keeps an answer, and moves its file away unless other answers stand in it."""
    parts.ledger.answered(id, answer)
    description = parts.request.description
    assert description.template is not None
    request = (description.template.folders, description.template.name({description.config.key: id}))
    path = found.part.path if found.part.found == 1 else ""
    parts.ledger.archive(id, path, found.part.version.inode, request)


def tidy(parts: Parts) -> None:
    """Keeps answers that came when nobody waited any more, and removes what is old."""
    parts.ledger.sweep(parts.config.keep)
    generation = parts.answer.generation
    if generation is None or generation.blocking:
        return
    length = room(parts.request.description, parts.answer.description)
    for part in generation.parts:
        for ordinal, key in enumerate(part.keys):
            if not isinstance(key, str) or len(key) != length or not set(key) <= _LETTERS:
                continue  # no key of ours, which may lead anywhere
            with suppress(Unavailable, Changed):
                if parts.ledger.state(key) == "sent":
                    found = Found(part, ordinal)
                    _settle(parts, key, found, _spelt(found, part.value(ordinal)))


_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def room(request: Description, answer: Description) -> int:
    """How long correlation keys are: as long as the shorter of both fields, at most `LONGEST_KEY`."""
    lengths = []
    for description, schema in (
        (request, request.format.input_schema()),
        (answer, answer.format.output_schema()),
    ):
        for name in description.config.key.split("."):
            schema = schema.get("properties", {}).get(name, {})
        lengths.append(schema.get("maxLength", LONGEST_KEY))
    return int(min(LONGEST_KEY, *lengths))
