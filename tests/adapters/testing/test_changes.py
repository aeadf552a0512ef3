"""The rule about changes: kept by an adapter that tells them as it should, broken by each that doesn't in one way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from adapters import registry
from adapters.changes import Asked, Batch, Change, Guarantee, Page, PositionLost, Retained, What
from adapters.contract import Kind
from adapters.testing import Changing, Sample, Subject
from adapters.testing.bench import Broken
from adapters.testing.rules import RULES, ask

Row = dict[str, Any]


@dataclass
class Log:
    """A system with a log of all that happened; `fault` is what the adapter in front of it does wrong."""

    fault: str = ""
    rows: dict[int, Row] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    read: int = 0
    readers: int = 0

    def change(self, number: int, value: int | None) -> None:
        before, after = self.rows.pop(number, None), None if value is None else {"id": number, "v": value}
        if after is not None:
            self.rows[number] = after
        what = What.DELETE if after is None else What.INSERT if before is None else What.UPDATE
        self.log.append(Change(f"c{len(self.log)}", what, (number,), after))

    def changing(self) -> Changing:
        self.rows, self.log = {number: {"id": number, "v": 0} for number in range(1, 6)}, []
        return Changing(
            asked=Asked("log", "log", "log"),
            change=self.change,
            row=lambda number, value: {"id": number, "v": value},
            key=lambda number: (number,),
        )


class Capture:
    """The changes of a log. Its position is how many it has told."""

    guarantee = Guarantee("all", "commit", True, "none")

    def __init__(self, system: Log) -> None:
        self._system, self._closed = system, False
        self._fault = system.fault
        system.readers += 1

    async def begin(self, deadline: float) -> str:
        return str(len(self._system.log))

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        system, fault = self._system, self._fault
        if not after.isdigit() and fault == "guesses":
            after = "0"
        elif not after.isdigit():
            raise ValueError("no number") if fault == "raises" else PositionLost("that is no position")
        start = max(int(after), system.read) if fault == "acknowledges" else int(after)
        if fault == "forgets" and system.readers > 1:
            raise PositionLost("another reader's")
        if fault == "hangs":
            await asyncio.sleep(3600)
        found = system.log[start : None if fault == "floods" else start + limit]
        system.read = end = start + len(found)
        return Batch(self._spelt(found), str(end), end < len(system.log))

    def _spelt(self, found: Sequence[Change]) -> list[Change]:
        fault, count = self._fault, self._system.readers
        if fault == "renames":
            return [each._replace(id=f"{count}-{each.id}") for each in found]
        if fault == "confuses":
            return [each._replace(id="same") for each in found]
        if fault == "hides deletes":
            return [each for each in found if each.what != What.DELETE]
        if fault == "merges":
            last = {each.key: each for each in found}
            return list(last.values())
        if fault == "swaps":
            return [each._replace(after={"id": each.key[0], "v": 77}) if each.after else each for each in found]
        return list(found)

    async def release(self, position: str, deadline: float) -> None:
        pass

    async def page(self, after: Any, limit: int, deadline: float) -> Page:
        rest = sorted(number for number in self._system.rows if number > (after or 0))
        if self._fault == "repeats":
            rest = sorted(number for number in self._system.rows if number >= (after or 0))
        shown = rest if self._fault == "pours" else rest[:limit]
        return Page([((n,), self._system.rows[n]) for n in shown], shown[-1] if len(rest) > len(shown) else None)

    async def retained(self, deadline: float) -> Retained:
        return Retained()

    async def close(self) -> None:
        if self._closed and self._fault == "closes once":
            raise RuntimeError("closed already")
        self._closed = True


class Adapter:
    """As much of an adapter as the rule asks for."""

    def __init__(self, system: Log) -> None:
        self._system = system

    def capture(self, asked: Asked) -> Capture:
        return Capture(self._system)

    async def close(self) -> None:
        pass


class Config(BaseModel):
    """Nothing."""


BREACHES = {
    "guesses": "a position that it never gave",
    "raises": "ValueError",
    "acknowledges": "isn't told again|isn't told|doesn't come to",
    "forgets": "can't go on from the position",
    "floods": "a portion has",
    "renames": "isn't told again by the same id",
    "confuses": "stands for two changes",
    "hides deletes": "doesn't come to what is at the source, of the rows",
    "merges": "not every change",
    "swaps": "doesn't come to what is at the source",
    "repeats": "twice",
    "pours": "a page has",
    "closes once": "RuntimeError",
    "hangs": "doesn't end by its deadline",
}


def held(system: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    build: Any = lambda name, config, workspace: Adapter(system)  # noqa: E731
    monkeypatch.setattr(registry, "kind", lambda _: Kind("log", Config, build))
    monkeypatch.setattr("adapters.testing.captures._SETTLED", 0.3)
    monkeypatch.setattr("adapters.testing.captures.SECONDS", 0.3)
    ask(RULES["changes"], Subject("log", lambda host, port: {}, [Sample("log.get")], changing=system.changing))


def test_an_adapter_that_tells_changes_as_it_should_keeps_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    held(Log(), monkeypatch)


@pytest.mark.parametrize("fault", BREACHES)
def test_each_fault_breaks_the_rule(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Broken, match=BREACHES[fault]):
        held(Log(fault), monkeypatch)
