"""An adapter with no system behind it, found through its entry point as a third party's would be.

`item.get` answers at once; `item.list` pages through a thousand items; `item.put` writes into a journal file, `seconds`
after it's asked (or raises `refuse` instead, only `once` if so asked), and answers `after` more seconds, or raises
`error`;
`item.wait` answers after the seconds it is asked for, or, when `stubborn`, never, whatever the deadline; `item.fail`
raises what it is asked for; `item.raw` answers what it is given;
`item.aged` answers what was true `age` seconds ago; `item.last` the note of the last `item.put` of `sku` in the
journal; `item.who` the name of its caller, which no other operation looks at;
`item.note` notes `sku` in the journal and answers it `seconds` later, or raises `error`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from adapters import errors
from adapters.contract import Adapter, Context, Effect, Json, Kind, ListRequest, Operation, Probe, Result, Source
from adapters.contract import Workspace as AdapterWorkspace

_ANY: Mapping[str, Any] = {"type": "object"}
_KEYED = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}
COUNT = 1000


class Config(BaseModel):
    """`label` is part of every answer, so that one can tell which configuration gave it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = "lab"
    journal: Path | None = None
    down: bool = False
    tells: bool = False
    """Whether it can say what became of a write."""


class LabAdapter:
    """Does what a test asks for."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self._config = config
        self._refused: set[str] = set()
        self._operations: dict[str, Callable[[Mapping[str, Json], Context], Awaitable[Json]]] = {
            "item.get": self._get,
            "item.list": self._list,
            "item.put": self._put,
            "item.wait": self._wait,
            "item.fail": self._fail,
            "item.raw": self._raw,
            "item.note": self._noted,
            "item.aged": self._get,
            "item.last": self._last,
            "item.who": self._who,
        }

    def operations(self) -> Mapping[str, Operation]:
        return {name: self._operation(name) for name in self._operations}

    def _operation(self, name: str) -> Operation:
        effect = Effect.WRITE if name == "item.put" else Effect.READ
        schema = _KEYED if name in ("item.get", "item.put") else _ANY
        return Operation(name, effect, schema, _ANY, is_list=name == "item.list")

    def element(self, operation: str, pointer: str) -> str | None:
        return f"{operation}:{pointer}"

    async def open(self) -> None:
        if self._config.down:
            raise errors.Unavailable("The lab is closed.")

    async def close(self) -> None:
        if self._config.journal:
            await asyncio.to_thread(self._note, "closed")

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        if self._config.down:
            raise errors.Unavailable("The lab is closed.")
        value = await self._operations[operation](input, context)
        now = datetime.now(UTC) - timedelta(seconds=float(input.get("age", 0)))
        return Result(value, now, (Source(self.name, operation, str(input.get("sku")), as_of=now),))

    async def probe(self, context: Context) -> Probe:
        return Probe(not self._config.down, "open" if not self._config.down else "closed", 0.0)

    async def _get(self, input: Mapping[str, Json], context: Context) -> Json:
        return {"sku": input["sku"], "name": f"Deep groove ball bearing ({self._config.label})", "on_hand": 42}

    async def _list(self, input: Mapping[str, Json], context: Context) -> Json:
        request = ListRequest.of(input)
        start = int(request.after or 0)
        end = min(start + request.limit, COUNT)
        items = [
            {"sku": f"S-{number:04}", "name": self._config.label, "on_hand": number} for number in range(start, end)
        ]
        return {"items": items, "next": end if end < COUNT else None, "asked": dict(input)}

    async def _put(self, input: Mapping[str, Json], context: Context) -> Json:
        if input.get("refuse") and not self._again(input, context):
            raise getattr(errors, str(input["refuse"]))("The lab refused as asked.")
        await asyncio.sleep(float(input.get("seconds", 0)))
        await asyncio.to_thread(self._note, json.dumps({**input, "known_by": context.idempotency_key}))
        await asyncio.sleep(float(input.get("after", 0)))
        if input.get("error"):
            raise getattr(errors, str(input["error"]))("The lab lost its answer as asked.")
        return {"sku": input["sku"], "name": "put", "on_hand": 1}

    def _again(self, input: Mapping[str, Json], context: Context) -> bool:
        """Whether what is to be refused `once` was refused before."""
        key = context.idempotency_key or ""
        known = bool(input.get("once")) and key in self._refused
        self._refused.add(key)
        return known

    def _note(self, line: str) -> None:
        if self._config.journal is not None:
            with self._config.journal.open("a") as file:
                file.write(line + "\n")

    async def _wait(self, input: Mapping[str, Json], context: Context) -> Json:
        if input.get("stubborn"):
            await asyncio.Event().wait()
        try:
            async with asyncio.timeout(context.remaining()):
                await asyncio.sleep(float(input["seconds"]))
        except TimeoutError:
            raise errors.UnknownOutcome("The lab didn't answer before the deadline.") from None
        except asyncio.CancelledError:
            await asyncio.to_thread(self._note, "cancelled")
            raise
        return {"sku": "waited", "name": self._config.label, "on_hand": 0}

    async def _fail(self, input: Mapping[str, Json], context: Context) -> Json:
        raise getattr(errors, str(input["error"]))("The lab failed as asked.", detail="a secret of the operator's")

    async def _noted(self, input: Mapping[str, Json], context: Context) -> Json:
        self._note(str(input["sku"]))  # a line of some bytes: quicker than a thread would be
        if input.get("seconds"):
            await asyncio.sleep(float(input["seconds"]))
        if input.get("error"):
            raise getattr(errors, str(input["error"]))("The lab failed as asked.")
        return {"sku": input["sku"], "name": self._config.label, "on_hand": 42}

    async def _last(self, input: Mapping[str, Json], context: Context) -> Json:
        """Reads some lines: quicker than a thread would be."""
        assert self._config.journal is not None
        lines = self._config.journal.read_text().splitlines() if self._config.journal.exists() else []
        puts = [json.loads(line) for line in lines if line.startswith("{")]
        notes = [each.get("note") for each in puts if each["sku"] == input["sku"]]
        self._note(str(input["sku"]))
        if input.get("seconds"):
            await asyncio.sleep(float(input["seconds"]))
        return {"sku": input["sku"], "name": notes[-1] if notes else "never put", "on_hand": len(notes)}

    async def _who(self, input: Mapping[str, Json], context: Context) -> Json:
        return {"sku": input["sku"], "name": context.principal, "on_hand": 0}

    def reads_caller(self, operation: str) -> bool:
        return operation == "item.who"

    async def _raw(self, input: Mapping[str, Json], context: Context) -> Json:
        return input["value"]


class TellingLabAdapter(LabAdapter):
    """Also says what became of a write, by the journal."""

    async def lookup(self, operation: str, idempotency_key: str, context: Context) -> Result | None:
        lines = (self._config.journal or Path()).read_text().splitlines()
        known = [line for line in lines if line != "closed" and json.loads(line)["known_by"] == idempotency_key]
        value = {"sku": json.loads(known[0])["sku"], "name": "looked up", "on_hand": 1} if known else None
        return Result(value, datetime.now(UTC)) if known else None


def build(name: str, config: Config, workspace: AdapterWorkspace) -> Adapter:
    return TellingLabAdapter(name, config) if config.tells else LabAdapter(name, config)


KIND = Kind("lab", Config, build)


def suspicious(text: str) -> bool:
    """A scanner of another package, which can't look at everything."""
    if "unlucky" in text:
        raise ValueError("as asked")
    return "0xBEEF" in text
