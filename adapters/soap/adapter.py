"""The SOAP adapter: validates, renders, sends, decodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec, TypeVar

from adapters.bodies import Pieces
from adapters.client import ClientOptions, HttpClient, HttpReply, http_client
from adapters.contract import Context, Json, Operation, Probe, Result, Source, Tried, Workspace
from adapters.errors import AdapterError, DoNotRetry, Unavailable, UnknownOutcome, parts_of
from adapters.soap import exchange
from adapters.soap.compiler import form_of
from adapters.soap.config import Config, Credential
from adapters.soap.elements import element
from adapters.soap.faults import error_of
from adapters.soap.form import Form, PortForm
from adapters.soap.plan import Operations, Plan
from adapters.soap.ports import address, chosen
from adapters.soap.reply import Caller, Fault
from adapters.soap.respelt import respelt
from adapters.soap.shown import Head, Shown
from adapters.soap.values import heavier
from adapters.tls import texts
from adapters.zones import zone

P = ParamSpec("P")
T = TypeVar("T")

_INLINE = 64 * 1024
"""Requests and replies of more bytes than this are checked, rendered and decoded on a thread."""
_THREADS = 2
_PROBE_SECONDS = 2.0
_SHOWN = 64 * 1024
"""Bytes of a message that a preview shows."""


def build(name: str, config: Config, workspace: Workspace) -> SoapAdapter:
    """The adapter of upstream `name`, without touching the network. Raises `ConfigError`."""
    form = form_of(config.wsdl, workspace)
    port = chosen(form, config, workspace)
    values = config.values
    if values is not None:
        form = respelt(form, numbers=values.decimal == "number", texts=values.long == "string")
    options = ClientOptions(
        connections=config.connections or config.concurrency or ClientOptions().connections,
        keep_alive=config.keep_alive,
        max_body=config.max_body,
        **texts(config.tls, workspace.files)._asdict(),
    )
    shown = Shown(config, workspace)
    return SoapAdapter(name, config, form, port, address(config, port), http_client(options), shown)


class SoapAdapter:
    """One port of one SOAP service. `left_out` says which operations can't be called, and what they use."""

    def __init__(
        self, name: str, config: Config, form: Form, port: PortForm, address: str, client: HttpClient, shown: Shown
    ) -> None:
        self._name = name
        self._config = config
        self._form, self._port = form, port
        self._address = address
        self._client = client
        self._operations = Operations(form, port, zone(config.time_zone), attaches=config.attachments == "swa")
        self._shown = shown
        self._threads: ThreadPoolExecutor | None = None

    @property
    def name(self) -> str:
        """The upstream's name."""
        return self._name

    @property
    def left_out(self) -> Mapping[str, str]:
        """Operation → what it uses that can't be expressed, such as "rpc/encoded messages"."""
        return self._port.left_out

    def operations(self) -> Mapping[str, Operation]:
        """The port's operations, each compiled when first asked for."""
        return self._operations

    async def open(self) -> None:
        """Checks that what the configuration refers to is set; connections are made by the first call."""
        self._ready()

    async def close(self) -> None:
        """Closes connections and threads; a later call opens new ones."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
        await self._shown.close()
        await self._client.close()

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """Calls `operation`; the value is the content of the reply's wrapper."""
        plan = await self._plan(operation)
        return await self._called(plan, input, context, self._shown.of(context))

    def previews(self, operation: str) -> bool:
        """See `SupportsPreview`."""
        return operation in self._operations

    async def preview(self, operation: str, input: Mapping[str, Json], context: Context) -> Tried:
        """The message that would be sent, without the header blocks of the configuration, which hold credentials, and
        unsigned; raises as `invoke` does before anything is sent."""
        plan = await self._plan(operation)
        self._shown.of(context)
        self._ready()
        try:
            message = await self._threaded(context, exchange.shown, plan, input)
        except TimeoutError:
            raise Unavailable(f"the deadline passed before the message to {self._name} was made") from None
        return Tried(message=message[:_SHOWN].decode("utf-8", "replace"))

    async def _called(
        self, plan: Plan, input: Mapping[str, Json], context: Context, credential: Credential | None, own: bool = False
    ) -> Result:
        """`own`: with the gateway's own token, where there are tokens."""
        self._ready()
        head = self._shown.head(credential, context, plan.form.addressed, self._address)
        headers, body = await self._request(plan, input, head, context)
        headers.update(self._shown.fields(credential, context))
        effect = context.effect or plan.operation.effect
        caller = Caller(self._name, effect, plan.form.output is not None, head.message_id, self._shown.verifier)
        as_of = datetime.now(UTC)  # what it answers may have changed since it was asked
        try:
            reply = await self._sent("POST", self._address, headers, body, context, own)
            value, warnings = await self._decoded(plan, caller, reply, context)
        except Fault as fault:
            raise error_of(fault, caller, self._config.faults, plan.detail(fault)) from fault
        source = Source(self._name, self._object(plan), as_of=as_of)
        return Result(value, as_of, (source,), warnings)

    def reads_caller(self, operation: str) -> bool:
        """Whether messages show in whose name they are sent; see `SupportsSharing`."""
        auth = self._config.auth
        exchanges = auth is not None and auth.oauth is not None and auth.oauth.exchange
        return exchanges or self._config.callers is not None

    def element(self, operation: str, pointer: str) -> str | None:
        """The path of the reply's elements, as the WSDL names them; see `SupportsElements`."""
        if operation not in self._operations:
            return None
        return element(self._form, self._operations.plan(operation).form, parts_of(pointer))

    async def probe(self, context: Context) -> Probe:
        """Makes the configured call, or fetches the address with `?wsdl`; any answer that isn't an outage will do."""
        start = time.monotonic()
        deadline = min(context.deadline, start + _PROBE_SECONDS)
        facts = {"operations": len(self._operations), "left_out": len(self.left_out), "soap": self._port.soap}
        try:
            detail = await self._probed(Context(deadline, context.traceparent))
        except AdapterError as error:
            return Probe(False, error.message, time.monotonic() - start, facts)
        return Probe(True, detail, time.monotonic() - start, facts)

    async def _probed(self, context: Context) -> str:
        self._ready()
        call, auth = self._config.probe, self._config.auth
        if call is not None:
            await self._called(await self._plan(call.operation), call.input, context, auth, own=True)
            return f"{call.operation} answered"
        mark = "&" if "?" in self._address else "?"
        headers = self._shown.fields(auth, context)
        reply = await self._sent("GET", f"{self._address}{mark}wsdl", headers, None, context, own=True)
        if reply.status >= 500:
            raise Unavailable(f"{self._name} answered HTTP {reply.status}")
        return f"answered HTTP {reply.status}"

    async def _plan(self, name: str) -> Plan:
        if name not in self._operations:
            reason = self.left_out.get(name)
            raise DoNotRetry(
                f"{self._name} has no operation '{name}'"
                if reason is None
                else f"operation '{name}' of {self._name} can't be called: it uses {reason}"
            )
        if self._operations.ready(name):
            return self._operations.plan(name)
        return await asyncio.to_thread(self._operations.plan, name)

    async def _sent(
        self, method: str, url: str, headers: dict[str, str], body: bytes | Pieces | None, context: Context, own: bool
    ) -> HttpReply:
        tokens = self._shown.tokens
        send = partial(self._client.send, method, url, body=body, deadline=context.deadline, spool="multipart/")
        if tokens is None:
            return await send(headers=headers)
        if own:
            return await send(headers={**headers, "Authorization": await tokens.own(context)})
        return await tokens.send(context, lambda token: send(headers={**headers, "Authorization": token}))

    async def _request(self, plan: Plan, input: Mapping[str, Json], head: Head, context: Context) -> exchange.Request:
        way = self._config.attachments
        if head.signer is None and not heavier(input, _INLINE):
            return exchange.request(plan, input, head, way)
        try:
            return await self._threaded(context, exchange.request, plan, input, head, way)
        except TimeoutError:
            raise Unavailable(f"the deadline passed before {self._name} could be called; nothing was sent") from None

    def _ready(self) -> None:
        """Raises `Unavailable` when something that the configuration refers to isn't set."""
        if not self._address:
            raise Unavailable(f"the address of {self._name} isn't set")
        if self._shown.missing:
            raise Unavailable(f"the credentials of {self._name} aren't set")

    async def _decoded(
        self, plan: Plan, caller: Caller, reply: HttpReply, context: Context
    ) -> tuple[Json, tuple[str, ...]]:
        inline, most = context.inline, self._config.max_body
        size = len(reply.body) if reply.spooled is None else reply.spooled.size
        if size <= _INLINE:
            return exchange.answer(plan, caller, reply, inline, most)
        try:
            return await self._threaded(context, exchange.answer, plan, caller, reply, inline, most)
        except TimeoutError:
            raise UnknownOutcome(f"{self._name} answered too late for its reply to be read in time") from None

    async def _threaded(self, context: Context, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """`work` on one of few threads; raises `TimeoutError` at the deadline."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, f"soap-{self._name}")
        call = asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **named))
        return await asyncio.wait_for(call, context.remaining())

    def _object(self, plan: Plan) -> str:
        parts = plan.form.output.parts if plan.form.output is not None else ()
        element = f"/{parts[0].name}" if parts else ""
        return f"{self._port.service}.{plan.operation.name}{element}"
