"""The adapter: its operations, and the five verbs."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from adapters.contract import Context, Effect, Json, ListRequest, Operation, Probe, Result, Source, Workspace
from adapters.errors import AdapterError, BadReply, DoNotRetry, FieldError, Invalid, Unavailable
from figway_beanstalk.client import Client
from figway_beanstalk.config import Config

_OPEN_SECONDS = 5.0
_TUBE = r"^[A-Za-z0-9+/;.$_()][A-Za-z0-9+/;.$_()-]{0,199}$"
_WHOLE = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
_ID = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
_KEY = {"type": "object", "properties": {"id": _ID}, "required": ["id"]}
_JOB = {"type": "object", "properties": {"id": _ID, "body": {"type": "string"}}, "required": ["id", "body"]}
_NEW = {
    "type": "object",
    "properties": {
        "tube": {"type": "string", "pattern": _TUBE},
        "body": {"type": "string"},
        "priority": _WHOLE,
        "delay": _WHOLE,
        "time_to_run": _WHOLE,
    },
    "required": ["tube", "body"],
}
_ITEM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
_PAGE = {"type": "object", "properties": {"items": {"type": "array", "items": _ITEM}}, "required": ["items", "next"]}
_OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("job.get", Effect.READ, _KEY, _JOB, "A job, whoever's turn it is."),
        Operation("job.put", Effect.WRITE, _NEW, _KEY, "Puts a job into a tube."),
        Operation("job.delete", Effect.IDEMPOTENT_WRITE, _KEY, {"type": "null"}, "Takes a job away."),
        Operation("tube.list", Effect.READ, {"type": "object"}, _PAGE, "The tubes that have jobs or clients, by name.",
                  is_list=True, filters=frozenset(), sorts=False),
    )
}  # fmt: skip
_Verb = Callable[[Mapping[str, Json], float], Awaitable[Json]]


class BeanstalkAdapter:
    """Jobs and tubes of a beanstalkd."""

    def __init__(self, name: str, config: Config) -> None:
        self._name = name
        self._client = Client(config)
        self._verbs: dict[str, _Verb] = {
            "job.get": self._get,
            "job.put": self._put,
            "job.delete": self._delete,
            "tube.list": self._tubes,
        }

    @property
    def name(self) -> str:
        return self._name

    def operations(self) -> Mapping[str, Operation]:
        return _OPERATIONS

    async def open(self) -> None:
        """Asks whether the server is there; raises `Unavailable`."""
        try:
            await self._client.ask([b"use default\r\n"], _OPEN_SECONDS)
        except AdapterError as error:
            raise Unavailable(error.message, detail=error.detail) from error

    async def close(self) -> None:
        """Every call closes its own connection."""

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """One exchange. Raises `Invalid` for input that can't be said in the protocol, and what `Client.ask` raises."""
        verb = self._verbs.get(operation)
        if verb is None:
            raise DoNotRetry(f"There is no operation {operation}.")
        value = await verb(input, context.remaining())
        now = datetime.now(UTC)
        key = value.get("id", input.get("id")) if isinstance(value, dict) else input.get("id")
        return Result(value, now, (Source(self._name, operation, None if key is None else str(key), as_of=now),))

    async def probe(self, context: Context) -> Probe:
        started = time.monotonic()
        try:
            await self._client.ask([b"use default\r\n"], context.remaining())
        except AdapterError as error:
            return Probe(False, error.message, time.monotonic() - started)
        return Probe(True, "answers", time.monotonic() - started)

    async def _get(self, input: Mapping[str, Json], seconds: float) -> Json:
        number = _number(input, "id")
        reply = await self._client.ask([b"peek %d\r\n" % number], seconds)
        return {"id": number, "body": _text(reply.data)}

    async def _put(self, input: Mapping[str, Json], seconds: float) -> Json:
        tube, body = _of_text(input, "tube"), _of_text(input, "body").encode()
        if not re.fullmatch(_TUBE, tube):
            raise Invalid("The tube has no name of the queue's.", errors=[FieldError("/tube", "is no tube's name")])
        urgency = _number(input, "priority", 1024), _number(input, "delay", 0), _number(input, "time_to_run", 60)
        command = b"put %d %d %d %d\r\n%b\r\n" % (*urgency, len(body), body)
        reply = await self._client.ask([b"use %b\r\n" % tube.encode(), command], seconds)
        return {"id": int(reply.words[1])}

    async def _delete(self, input: Mapping[str, Json], seconds: float) -> Json:
        await self._client.ask([b"delete %d\r\n" % _number(input, "id")], seconds)
        return None

    async def _tubes(self, input: Mapping[str, Json], seconds: float) -> Json:
        page = ListRequest.of(input)
        text = _text((await self._client.ask([b"list-tubes\r\n"], seconds)).data)
        names = sorted(line.removeprefix("- ") for line in text.splitlines() if line.startswith("- "))
        rest = [name for name in names if page.after is None or name > page.after]
        shown = rest[: page.limit]
        return {
            "items": [{"name": name} for name in shown],
            "next": shown[-1] if len(shown) < len(rest) else None,
        }


def _number(input: Mapping[str, Json], name: str, default: int | None = None) -> int:
    value = input.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Invalid("A number is missing or wrong.", errors=[FieldError(f"/{name}", "must be a whole number")])
    return value


def _of_text(input: Mapping[str, Json], name: str) -> str:
    value = input.get(name)
    if not isinstance(value, str):
        raise Invalid("A text is missing or wrong.", errors=[FieldError(f"/{name}", "must be a text")])
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadReply("The job isn't text.", detail=str(error)) from error


def build(name: str, config: Config, workspace: Workspace) -> BeanstalkAdapter:
    """The adapter for a validated configuration, without touching the network."""
    return BeanstalkAdapter(name, config)
