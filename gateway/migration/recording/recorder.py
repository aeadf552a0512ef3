"""Records what legacy answers while somebody asks for it, in each worker; costs nothing while nobody does.

`figway route record` leaves a request in the folder `recording` of the state folder; each worker that sees it writes
its own file there until the time is over or the request is gone, and then gives the file its last name.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from base64 import b64decode
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from adapters.contract import Effect, Json
from gateway.call import Call
from gateway.migration.compare.comparer import compile_parity
from gateway.migration.compare.model import Observed
from gateway.migration.compare.redact import Redactor
from gateway.migration.model import Group
from gateway.migration.recording.blind import Blind
from gateway.migration.recording.model import MOST_BYTES, MOST_EXCHANGES, Exchange
from gateway.routing.model import Compiled, Route
from gateway.routing.parity_schema import ParityModel

logger = logging.getLogger("figway")

_PULSE = 0.25
_MOST_WAITING = 1000
_LARGEST = 2**20
OPEN, DONE, ABOUT, ASKED = ".open", ".done", ".about", ".json"
"""How the files of the folder end: one that is being written, one that is whole, what is said of it, and a request."""
_MANNER = frozenset({"authorization", "cookie", "idempotency-key", "prefer", "traceparent"})


class Answered(Protocol):
    """A response, as ingress sends it."""

    status: int
    body: bytes
    problem: str | None
    served_by: str | None


class _Seen(NamedTuple):
    """One call as it is kept until its turn to be written."""

    operation: str
    places: Mapping[str, Mapping[str, Json]]
    body: Json
    status: int
    answer: bytes
    problem: str | None


@dataclass(slots=True)
class _Recording:
    """One group's, in this process."""

    until: float
    path: Path
    blinds: Mapping[str, tuple[Route, Blind, Redactor]]
    """By operationId."""
    about: Mapping[str, Any]
    """The workspace's hash, and by which rules values are hidden."""
    waiting: deque[_Seen] = field(default_factory=deque)
    left_out: Counter[str] = field(default_factory=Counter)
    written: int = 0
    size: int = 0


class Recorder:
    """One process's. `observe` and `pulse` belong to its event loop."""

    def __init__(self, folder: Path, compiled: Callable[[], Compiled]) -> None:
        self._folder, self._compiled = folder, compiled
        self._recordings: dict[str, _Recording] = {}

    def observe(self, call: Call, response: Answered, _: float) -> None:
        """Looks at a call that has ended (`gateway.ingress.http.Observer`)."""
        if not self._recordings:
            return
        for recording in self._recordings.values():
            found = recording.blinds.get(call.operation)
            if found is None or not _by_legacy(call, response, found[0]):
                continue
            why = _unfit(call, response)
            if not why and len(recording.waiting) >= _MOST_WAITING:
                why = "too many at once"
            if why:
                recording.left_out[why] += 1
                continue
            places = {"path": call.path, "query": call.query, "header": call.header}
            seen = (response.status, response.body, response.problem)
            recording.waiting.append(_Seen(call.operation, places, call.body, *seen))

    async def pulse(self) -> None:
        """Begins, writes and ends recordings; runs until it's cancelled."""
        try:
            while True:
                await asyncio.sleep(_PULSE)
                compiled = self._compiled()
                asked = await asyncio.to_thread(self._asked, compiled)
                for name in self._recordings.keys() | asked.keys():
                    await self._turn(name, asked.get(name))
        finally:
            for recording in self._recordings.values():
                _end(recording)
            self._recordings.clear()

    async def _turn(self, name: str, asked: _Recording | None) -> None:
        recording = self._recordings.get(name)
        if recording is None:
            if asked is not None:
                await asyncio.to_thread(_begin, asked)
                self._recordings[name] = asked
            return
        batch = list(recording.waiting)
        recording.waiting.clear()
        await asyncio.to_thread(_write, recording, batch)
        if asked is None:
            del self._recordings[name]
            await asyncio.to_thread(_end, recording)

    def _asked(self, compiled: Compiled) -> dict[str, _Recording]:
        """What is asked for now; a recording that runs already is only looked at for its end."""
        found = {}
        for path in self._folder.glob(f"*{ASKED}"):
            try:
                asked = orjson.loads(path.read_bytes())
                until, key = float(asked["until"]), b64decode(asked["key"])
                group, id, writes = compiled.groups.get(asked["group"]), str(asked["id"]), bool(asked["writes"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                logger.error("a request to record can't be read: %s", error)
                continue
            if group is not None and time.time() < until:
                file = self._folder / f"{id}.{os.getpid()}{OPEN}"
                known = id in self._recordings
                blinds = {} if known else dict(_blinds(compiled, group, key, writes=writes))
                samples = (group.parity or ParityModel()).samples.model_dump(mode="json")
                found[id] = _Recording(until, file, blinds, {"hash": compiled.hash, "samples": samples})
        return found


def _blinds(
    compiled: Compiled, group: Group, key: bytes, *, writes: bool
) -> Iterator[tuple[str, tuple[Route, Blind, Redactor]]]:
    parity = group.parity or ParityModel()
    for route in compiled.routes:
        both = route.legacy is not None and route.replacement is not None
        if route.group == group.name and both and (writes or route.effect is Effect.READ):
            yield route.operation_id, (route, *blind_of(route, group, parity, key))


def blind_of(route: Route, group: Group, parity: ParityModel, key: bytes) -> tuple[Blind, Redactor]:
    """What hides a route's replies, and what says of its request what may be kept."""
    today, redactor = datetime.now(UTC).date(), Redactor(parity.samples)
    comparer = compile_parity(parity, route.reply, today, owner=group.owner, expires=group.expires)
    return Blind(comparer, redactor, key), redactor


def _by_legacy(call: Call, response: Answered, route: Route) -> bool:
    """Whether legacy itself answered: neither the gateway nor a kept reply did."""
    if call.trying or not call.upstream_calls or response.status >= 500:
        return False
    if response.served_by is not None:
        return response.served_by == "legacy"
    assert route.legacy is not None
    return call.side != "replacement" and call.upstream_calls[-1].upstream == route.legacy.upstream


def _unfit(call: Call, response: Answered) -> str:
    """Why an exchange can't be played again; empty: it can."""
    if call.grant is not None and call.grant.narrows:
        return "its caller may not see everything"
    if call.page and call.query.get("cursor"):
        return "a further page"
    if call.sink is not None:
        return "all of a list"
    return "too large" if len(response.body) > _LARGEST else ""


def _write(recording: _Recording, batch: list[_Seen]) -> None:
    """Adds what was seen to the file; on a thread."""
    lines = []
    for seen in batch:
        line = _line(recording, seen)
        if line is None:
            continue
        if recording.written == MOST_EXCHANGES or recording.size + len(line) > MOST_BYTES:
            recording.left_out["the recording is full"] += 1
            continue
        recording.written, recording.size = recording.written + 1, recording.size + len(line)
        lines.append(line)
    if lines:
        descriptor = os.open(recording.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"".join(lines))


def _line(recording: _Recording, seen: _Seen) -> bytes | None:
    _, blind, redactor = recording.blinds[seen.operation]
    header = {name: value for name, value in seen.places["header"].items() if name.lower() not in _MANNER}
    request: dict[str, Json] = {**seen.places, "header": header}
    if isinstance(seen.body, dict | list | str | int | float | bool):
        request["body"] = seen.body
    if any(_is_secret(each, "", redactor) for each in request.values()):
        recording.left_out["its request holds what is redacted"] += 1
        return None
    try:
        reply = blind.reply(Observed(seen.status, orjson.loads(seen.answer) if seen.answer else None, seen.problem))
        return Exchange(seen.operation, request, reply).line()
    except (ValueError, RecursionError):
        recording.left_out["can't be written"] += 1
        return None


def _is_secret(value: Any, at: str, redactor: Redactor) -> bool:
    """Whether `samples.redact` names a part of it."""
    if isinstance(value, dict):
        named = ((f"{at}/{name.replace('~', '~0').replace('/', '~1')}", each) for name, each in value.items())
        return any(redactor.how(place) == "redact" or _is_secret(each, place, redactor) for place, each in named)
    return isinstance(value, list) and any(_is_secret(each, f"{at}/*", redactor) for each in value)


def _begin(recording: _Recording) -> None:
    _say(recording)
    recording.path.touch(0o600)


def _say(recording: _Recording) -> None:
    """Says beside the file what it is, and what was left out."""
    about = {**recording.about, "left_out": dict(recording.left_out)}
    recording.path.with_suffix(ABOUT).write_bytes(orjson.dumps(about))


def _end(recording: _Recording) -> None:
    """Gives the file its last name."""
    try:
        _say(recording)
        recording.path.rename(recording.path.with_suffix(DONE))
    except OSError as error:
        logger.error("a recording can't be ended: %s", error)
