"""Tapes: what an adapter answered to real calls, in a file, so that tests can ask again where the system isn't.

A tape is text, a JSON value a line: what the adapter can do, then each exchange in the order in which it ended. Secrets
that the process was configured with are left out of it, as are the fields that are named as hidden, wherever their
values are said again, and an error's `detail`. What stands in their place has their type, so that it fits its schema.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters import errors
from adapters.contract import Adapter, Context, Effect, Json, Operation, Probe, Result, Source
from adapters.errors import AdapterError, DoNotRetry, FieldError
from adapters.secret import without_secrets

LONGEST = 256 * 2**20
"""Bytes of a tape at most."""
_VERSION = 1
_TELLING = 4
"""Characters of which a text is told apart from others within a longer one."""

_OURS = frozenset({"as_of", "kind"})
"""Members that hold nothing of the system's."""


class InvalidTape(ValueError):
    """The file is no tape, or has become too long; the message says which."""


class Taping:
    """An adapter whose calls are written to a tape. It has the five verbs, and no further capability."""

    def __init__(self, adapter: Adapter, path: Path, hide: Iterable[str] = ()) -> None:
        """Begins the tape at `path`, in place of one that is there; `hide` names fields, at any depth."""
        self._adapter = adapter
        self._hide = frozenset(hide)
        self._path = path
        self._turn = asyncio.Lock()
        listed = [_listed(operation) for operation in adapter.operations().values()]
        head = {"tape": _VERSION, "name": adapter.name, "hide": sorted(self._hide), "operations": listed}
        path.write_text(json.dumps(head) + "\n", encoding="utf-8")

    @property
    def name(self) -> str:
        return self._adapter.name

    def operations(self) -> Mapping[str, Operation]:
        return self._adapter.operations()

    async def open(self) -> None:
        await self._adapter.open()

    async def close(self) -> None:
        await self._adapter.close()

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """What the adapter answers or raises, once that stands on the tape; raises `InvalidTape` when it is full."""
        try:
            result = await self._adapter.invoke(operation, input, context)
        except AdapterError as error:
            await self._keep(operation, input, None, "error", _error(error))
            raise
        told = _result(result)
        await self._keep(operation, input, told.pop("value"), "result", told)
        return result

    async def probe(self, context: Context) -> Probe:
        return await self._adapter.probe(context)

    async def _keep(self, operation: str, input: Mapping[str, Json], value: Json, what: str, told: Json) -> None:
        names = self._hide
        said = {text for each in (input, value) for text in _hidden_texts(each, names)}
        exchange = {
            "operation": operation,
            "input": hidden(input, names),
            what: _unsaid(told, said),
            "value": hidden(value, names),
        }
        async with self._turn:
            await asyncio.to_thread(self._append, json.dumps(exchange))

    def _append(self, line: str) -> None:
        if self._path.stat().st_size + len(line) > LONGEST:
            raise InvalidTape(f"the tape has {LONGEST // 2**20} MiB, which is as long as one may be")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class Replaying:
    """An adapter that answers from a tape, whatever the system does now.

    The same call gets the answers that it had, in their order. The last one of a read is given again as often as it
    is asked for; a write that happened once doesn't happen again, and is refused.
    """

    def __init__(self, path: Path) -> None:
        """Reads a tape; raises `InvalidTape`."""
        try:
            if path.stat().st_size > LONGEST:
                raise InvalidTape(f"the tape is longer than {LONGEST // 2**20} MiB")
            head, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            self._read(head, lines)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            if isinstance(error, InvalidTape):
                raise
            raise InvalidTape("the file is no tape, or only a part of one") from error

    def _read(self, head: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> None:
        if head["tape"] != _VERSION:
            raise InvalidTape(f"the tape is of version {head['tape']}, and {_VERSION} is known")
        self._name = str(head["name"])
        self._hide = frozenset(head["hide"])
        self._operations = {each["name"]: _operation(each) for each in head["operations"]}
        self._answers: dict[str, deque[Result | AdapterError]] = {}
        for line in lines:
            key = _key(line["operation"], line["input"])
            self._answers.setdefault(key, deque()).append(_answer(line))

    @property
    def name(self) -> str:
        return self._name

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def open(self) -> None:
        """There is nothing to connect to."""

    async def close(self) -> None:
        """There is nothing to give back."""

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """The next answer to this call; raises what was raised, or `DoNotRetry` where the tape has none."""
        answers = self._answers.get(_key(operation, hidden(dict(input), self._hide)))
        if not answers:
            raise DoNotRetry(f"The tape has no answer, or no further one, to this call of {operation}.")
        known = self._operations.get(operation)
        effect = context.effect or (known.effect if known is not None else Effect.WRITE)
        answer = answers[0] if len(answers) == 1 and effect is Effect.READ else answers.popleft()
        if isinstance(answer, AdapterError):
            raise answer
        return answer

    async def probe(self, context: Context) -> Probe:
        return Probe(True, "a tape answers", 0.0)


def hidden(value: Json, names: frozenset[str]) -> Json:
    """The value without secrets, and with nothing said in the fields of these names."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {name: _nothing(each) if name in names else hidden(each, names) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(each, names) for each in value]
    return value


def _nothing(value: Json) -> Json:
    """Of the same type, and always the same."""
    if isinstance(value, str):
        return "…"
    if isinstance(value, Mapping):
        return {name: _nothing(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_nothing(each) for each in value]
    return value if value is None else type(value)()


def _hidden_texts(value: Json, names: frozenset[str], inside: bool = False) -> Iterator[str]:
    """What stands in the fields of these names, as text."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _hidden_texts(each, names, inside or name in names)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _hidden_texts(each, names, inside)
    elif inside and value not in (None, "") and not isinstance(value, bool):
        yield str(value)


def _unsaid(value: Json, said: Iterable[str]) -> Json:
    """The same without secrets, and without texts that are to be hidden: a source's key may be one, or hold it."""
    if isinstance(value, str):
        if value in said:
            return "…"
        for text in said:
            value = value.replace(text, "…") if len(text) >= _TELLING else value
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {name: each if name in _OURS else _unsaid(each, said) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_unsaid(each, said) for each in value]
    return value


def _key(operation: str, input: Mapping[str, Json]) -> str:
    return json.dumps([operation, input], sort_keys=True)


def _listed(operation: Operation) -> dict[str, Json]:
    listed = asdict(operation)
    return {**listed, "filters": None if operation.filters is None else sorted(operation.filters)}


def _operation(listed: Mapping[str, Any]) -> Operation:
    filters = listed["filters"]
    return Operation(
        **{**listed, "effect": Effect(listed["effect"]), "filters": None if filters is None else frozenset(filters)}
    )


def _result(result: Result) -> dict[str, Json]:
    sources = [
        {**source._asdict(), "as_of": None if source.as_of is None else source.as_of.isoformat()}
        for source in result.sources
    ]
    return {
        "value": result.value,
        "as_of": result.as_of.isoformat(),
        "sources": sources,
        "warnings": list(result.warnings),
    }


def _error(error: AdapterError) -> dict[str, Json]:
    said: dict[str, Json] = {"kind": type(error).__name__, "message": error.message}
    if isinstance(error, errors.Retry):
        said["retry_after"] = error.retry_after
    if isinstance(error, errors.Invalid):
        said["errors"] = [asdict(each) for each in error.errors]
    if isinstance(error, errors.Unacknowledged):
        said["answered"] = error.answered
    return said


def _answer(line: Mapping[str, Any]) -> Result | AdapterError:
    if "error" in line:
        said = dict(line["error"])
        kind = getattr(errors, said.pop("kind"))
        if not issubclass(kind, AdapterError):
            raise InvalidTape("the tape has an error that is none of an adapter's")
        if "errors" in said:
            said["errors"] = [FieldError(**each) for each in said["errors"]]
        raised: AdapterError = kind(**said)
        return raised
    told = line["result"]
    sources = tuple(
        Source(**{**each, "span": each["span"] and tuple(each["span"]), "as_of": _moment(each["as_of"])})
        for each in told["sources"]
    )
    return Result(line["value"], datetime.fromisoformat(told["as_of"]), sources, tuple(told["warnings"]))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
