"""Claims as operations: take the next file, read on in it, finish or reject it."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from adapters.contract import Context, Effect, Json, Operation, Result, Source
from adapters.errors import FieldError, Invalid, NotFound, Retry, Unavailable
from adapters.files.claims import Claimed, Claims
from adapters.files.content import Changed
from adapters.files.dataset import Dataset, Description
from adapters.files.facts import late
from adapters.files.folder import Folder, Outside
from adapters.files.manifest import Mismatch
from adapters.files.part import Part
from adapters.files.query import MAX_LIMIT
from adapters.files.threads import Threads

_OPEN = 8
"""Claimed files that stay open, so that their pages are read without indexing them again."""
_LONGEST_REASON = 1000
_SETTLED = 60.0
"""Seconds since its last change after which a file that isn't what it says of itself won't become so."""


class Claiming:
    """The claims of one upstream."""

    def __init__(self, name: str, threads: Threads, folder: Folder) -> None:
        self._name = name
        self._threads = threads
        self._folder = folder
        self._parts: dict[str, tuple[str, Part]] = {}

    async def claim(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        """The next file, and its first records. With the same idempotency key it is the same one."""
        token, limit = _token(dataset, context.idempotency_key), _limit(input)
        entry, part = await self._threads.run_long(lambda: self._next(dataset, token, _owner(context)))
        return await self._threads.run(lambda: self._page(dataset, entry, part, 0, limit))

    async def claimed(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        """The claim, renewed, and further records."""
        limit, after = _limit(input), _after(input)

        def renewed() -> Result:
            claims = _claims(dataset)
            entry = claims.of(str(input.get("claim")), _owner(context))
            taken = claims.take_over(entry, entry.token, entry.owner)
            part = None if taken is None else self._read(dataset, claims, taken)
            if taken is None or part is None:
                raise Retry("the claimed file is being written or was taken over", retry_after=1.0)
            return self._page(dataset, taken, part, after, limit)

        return await self._threads.run_long(renewed)

    async def finish(self, dataset: Dataset, input: Mapping[str, Json], context: Context) -> Result:
        """Archives the file, or rejects it where a reason is given."""
        reason = input.get("reason")
        if reason is not None and (not isinstance(reason, str) or not 0 < len(reason) <= _LONGEST_REASON):
            fault = FieldError("/reason", f"must be a text of at most {_LONGEST_REASON} characters")
            raise Invalid("the file can't be rejected like that", errors=[fault])

        def finished() -> Result:
            claims = _claims(dataset)
            entry = claims.of(str(input.get("claim")), _owner(context))
            path = claims.finish(entry) if reason is None else claims.reject(entry, reason)
            self._parts.pop(entry.token, None)
            claims.sweep()
            now = datetime.now(UTC)
            return Result({"file": entry.name, "archived": path}, now, (Source(self._name, path, as_of=now),))

        return await self._threads.run(finished)

    async def lookup(self, dataset: Dataset, key: str, context: Context) -> Result | None:
        """The claim that was made with an idempotency key, None when there is none, or none any more."""
        token, owner = _token(dataset, key), _owner(context)
        entries = await self._threads.run(_claims(dataset).entries)
        known = any(entry.token == token and entry.owner == owner for entry in entries)
        return await self.claimed(dataset, {"claim": token}, context) if known else None

    def _next(self, dataset: Dataset, token: str, owner: str) -> tuple[Claimed, Part]:
        claims = _claims(dataset)
        entries = claims.entries()
        mine = [entry for entry in entries if (entry.token, entry.owner) == (token, owner)]
        free = [entry for entry in entries if entry.until < time.time() and entry not in mine]
        candidates: list[Callable[[], Claimed | None]] = []
        candidates += [partial(claims.take_over, entry, token, owner) for entry in (*mine, *free)]
        generation = dataset.refresh(force=True)
        self._put_away(dataset, claims, token, owner)
        waiting = sorted(generation.parts, key=lambda part: (part.as_of, part.path))
        candidates += [partial(self._taken, dataset, claims, part.path, token, owner) for part in waiting]
        for candidate in candidates:
            taken = candidate()
            part = None if taken is None else self._read(dataset, claims, taken)
            if taken is not None and part is not None:
                dataset.expire()
                return taken, part
        raise NotFound(f"no file of {dataset.description.name} is waiting")

    def _taken(self, dataset: Dataset, claims: Claims, path: str, token: str, owner: str) -> Claimed | None:
        arrival = dataset.description.config.arrival
        suffixes = tuple(filter(None, (arrival.marker, arrival.manifest)))
        for suffix in suffixes:
            claims.orphans(tuple(path.split("/")[:-1]), suffix)
        taken = claims.take(path, token, owner)
        if taken is not None:
            claims.companions(path, suffixes, taken)
        return taken

    def _put_away(self, dataset: Dataset, claims: Claims, token: str, owner: str) -> None:
        """Rejects the files that aren't what they say of themselves."""
        for path, reason in dataset.judging.wrong(for_seconds=_SETTLED).items():
            taken = claims.take(path, token, owner)
            if taken is not None:
                claims.reject(taken, f"the file {reason}")

    def _read(self, dataset: Dataset, claims: Claims, entry: Claimed) -> Part | None:
        """A claimed file's records; None: it was rejected, as some can't be decoded, or given back, as it is being
        written."""
        known = self._parts.get(entry.token)
        if known is not None and known[0] == entry.name:
            return known[1]
        reason = None
        try:
            part = dataset.alone(entry.name, self._folder.open("/".join((*claims.claimed, entry.file))))
            if part is not None and part.undecodable:
                first = part.bad[0] if part.bad else part.lost
                told = f"; the first: {first.where}: {first.reason}" if first is not None else ""
                reason = f"{part.undecodable} records can't be decoded{told}"
        except Mismatch as error:
            part, reason = None, f"the file {error}"
        except Changed:
            part = None
        except (OSError, Outside) as error:
            raise Unavailable("a claimed file can't be read", detail=str(error)) from error
        if reason is not None:
            claims.reject(entry, reason)
            return None
        if part is None:
            claims.give_back(entry)
            return None
        self._parts[entry.token] = (entry.name, part)
        for token in list(self._parts)[:-_OPEN]:
            self._parts.pop(token, None)
        return part

    def _page(self, dataset: Dataset, entry: Claimed, part: Part, after: int, limit: int) -> Result:
        first = 0 if part.index is None else 1
        ordinals = range(after, min(after + limit, part.found))
        try:
            items = [part.value(first + ordinal) for ordinal in ordinals]
        except Changed:
            self._parts.pop(entry.token, None)
            raise Retry("the claimed file is being written", retry_after=1.0) from None
        value = {
            "claim": entry.token,
            "file": entry.name,
            "until": datetime.fromtimestamp(entry.until, UTC).isoformat().replace("+00:00", "Z"),
            "records": part.found,
            "items": items,
            "next": ordinals.stop if ordinals.stop < part.found else None,
        }
        return Result(value, part.as_of, (Source(self._name, entry.name, as_of=part.as_of),), late(dataset))


def _claims(dataset: Dataset) -> Claims:
    assert dataset.claims is not None
    return dataset.claims


def _token(dataset: Dataset, key: str | None) -> str:
    made_of = secrets.token_bytes(32) if key is None else f"{dataset.description.name}\0{key}".encode()
    return base64.b32encode(hashlib.sha256(made_of).digest()).decode()[:26].lower()


def _owner(context: Context) -> str:
    """Who claims, so that nobody else can finish it."""
    return hashlib.sha256(f"{context.tenant}\0{context.principal}".encode()).hexdigest()[:16]


def _limit(input: Mapping[str, Json]) -> int:
    limit = input.get("limit", MAX_LIMIT)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise Invalid("the file can't be read like that", errors=[FieldError("/limit", f"must be 1 to {MAX_LIMIT}")])
    return limit


def _after(input: Mapping[str, Json]) -> int:
    after = input.get("after") or 0
    if isinstance(after, bool) or not isinstance(after, int) or after < 0:
        raise Invalid(
            "the file can't be read like that", errors=[FieldError("/after", "isn't a position of this file")]
        )
    return after


def claim_operations(description: Description) -> list[Operation]:
    """`<dataset>.claim`, `.claimed` and `.finish`, where files can be claimed."""
    if description.config.claim is None:
        return []
    name = description.name
    token = {"type": "string", "description": "What the claim answered."}
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}
    file = {
        "claim": {"type": "string"},
        "file": {"type": "string"},
        "until": {"type": "string", "format": "date-time"},
        "records": {"type": "integer"},
        "items": {"type": "array", "items": description.format.output_schema()},
        "next": {"type": ["integer", "null"]},
    }
    taken, ended = _object(file, *file), _object({"file": {"type": "string"}, "archived": {"type": "string"}}, "file")
    read_on = _object({"claim": token, "after": {"type": ["integer", "null"]}, "limit": limit}, "claim")
    ending = _object({"claim": token, "reason": {"type": ["string", "null"], "maxLength": _LONGEST_REASON}}, "claim")
    lease = f"{description.config.claim.lease:g} s"
    return [
        Operation(f"{name}.claim", Effect.WRITE, _object({"limit": limit}), taken,
                  f"Takes the oldest file of {name} that waits, for {lease}, and tells its first records."),
        Operation(f"{name}.claimed", Effect.IDEMPOTENT_WRITE, read_on, taken,
                  f"Renews a claim for {lease}, and tells further records of its file."),
        Operation(f"{name}.finish", Effect.WRITE, ending, ended,
                  "Archives a claimed file; with a reason it is rejected."),
    ]  # fmt: skip


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": [*required], "additionalProperties": False}
