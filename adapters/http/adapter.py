"""The adapter: one request per operation, through the one HTTP client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from adapters.client import ClientOptions, HttpClient, HttpReply, http_client
from adapters.contract import Context, Effect, Json, Operation, Probe, Result, Source, Workspace
from adapters.errors import (
    AdapterError,
    BadReply,
    ConfigError,
    ConfigProblem,
    DoNotRetry,
    NotFound,
    NotTried,
    Unacknowledged,
    Unavailable,
    UnknownOutcome,
    pointer,
)
from adapters.http.config import Config
from adapters.http.described import Catalogue, heavy
from adapters.http.document import opened
from adapters.http.media import JSON_ONLY
from adapters.http.pages import Page, Pages, list_operation, read, unknown
from adapters.http.replies import applied, as_of, value_of
from adapters.http.shown import Shown
from adapters.http.template import Known, Request, template
from adapters.tls import Texts, texts

_NO_PROOF = "The upstream was asked to change nothing, and doesn't say that it did so: the change may have been made."
_UNSURE = "The upstream was asked to change nothing and gave no answer: where it ignores that, it made the change."


class Got(NamedTuple):
    """A request, its reply, and the moment before it was sent: what was true then may have changed since."""

    request: Request
    reply: HttpReply
    begun: datetime


class HttpAdapter:
    """A REST API. Operations are those of its document, or, without one, named by the bindings: see `accepts`."""

    def __init__(
        self, name: str, config: Config, client: HttpClient, shown: Shown, catalogue: Catalogue | None = None
    ) -> None:
        self._name = name
        self._config = config
        self._client = client
        self._shown = shown
        self._catalogue = catalogue

    @property
    def name(self) -> str:
        return self._name

    def operations(self) -> Mapping[str, Operation]:
        """Those of the document; without one none are known offline, and every well-formed name is accepted."""
        return {} if self._catalogue is None else self._catalogue

    def accepts(self, name: str) -> Operation | None:
        """The operation called `name`, "METHOD /path/{parameter}", or by its operationId in the document; None when it
        isn't well-formed, or the document has none."""
        known = self._known(name)
        if known is None:
            return None
        pages = self._config.lists.get(known.template)
        return known.operation() if pages is None else list_operation(known, pages)

    def _known(self, name: str) -> Known | None:
        """Look-ups needn't be described: they are the gateway's own."""
        if self._catalogue is None or name == self._config.lookup:
            return template(name)
        return self._catalogue.of(name)

    def reads_caller(self, operation: str) -> bool:
        """Whether requests show in whose name they are made; see `SupportsSharing`."""
        return self._shown.personal

    def element(self, operation: str, pointer: str) -> str | None:
        """The pointer into the response's body itself; see `SupportsElements`."""
        return f"{operation}#{pointer}" if self.accepts(operation) is not None else None

    async def open(self) -> None:
        """Checks that address and credentials are set; connections are opened by calls."""
        if self._shown.missing:
            raise Unavailable(f"The upstream '{self._name}' can't be called: {self._shown.missing} isn't set.")

    async def close(self) -> None:
        await self._shown.close()
        await self._client.close()

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """One request. Raises what README.md's table says."""
        known = self._known(operation)
        if known is None:
            raise DoNotRetry("The route is bound to an operation that the upstream doesn't have.", detail=operation)
        pages = self._config.lists.get(known.template)
        return await (self._call(known, input, context) if pages is None else self._list(known, pages, input, context))

    async def probe(self, context: Context) -> Probe:
        """GETs the configured path: up when the answer is below 500 and isn't a refusal of the credential."""
        start = time.monotonic()
        try:
            await self.open()
            headers = {"Accept": JSON_ONLY.accept, **await self._shown.own(context)}
            url = self._url(self._config.probe)
            reply = await self._client.send("GET", url, headers=headers, deadline=context.deadline, repeatable=True)
        except AdapterError as error:
            return Probe(False, error.message, time.monotonic() - start)
        ok = reply.status < 500 and reply.status not in (401, 403)
        return Probe(ok, f"GET {self._config.probe} answers {reply.status}", time.monotonic() - start)

    def tries(self, operation: str) -> bool | None:
        """Only a binding knows whether the API takes dry runs (`Prefer: dry-run`); a read is none."""
        known = self._known(operation)
        return False if known is None or known.effect is Effect.READ else None

    async def dry_run(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """One request with `Prefer: dry-run` (RFC 7240), and no idempotency key. What succeeds counts only when the
        reply says `Preference-Applied: dry-run`; else it raises `Unacknowledged`, as the change may have been made."""
        known = self._known(operation)
        if known is None:
            raise NotTried(f"there is no dry run of {operation}")
        context = context._replace(idempotency_key=None)
        begun = datetime.now(UTC)
        try:
            request, reply = await self._sent(known, input, context, dry_run=True)
        except (UnknownOutcome, BadReply) as error:
            raise Unacknowledged(_UNSURE, detail=error.detail, answered=False) from error
        got = Got(request, reply, begun)
        return await self._result(known, got, context, acknowledged=applied(reply))

    async def _call(self, known: Known, input: Mapping[str, Json], context: Context) -> Result:
        begun = datetime.now(UTC)
        request, reply = await self._sent(known, input, context)
        return await self._result(known, Got(request, reply, begun), context)

    async def _list(self, known: Known, pages: Pages, input: Mapping[str, Json], context: Context) -> Result:
        """A page of a list, by as many requests as that takes; as old as the oldest of them."""
        times: list[datetime] = []

        async def fetch(asked: Mapping[str, Json]) -> Page:
            begun = datetime.now(UTC)
            _, reply = await self._sent(known, asked, context)
            value = await value_of(reply, Effect.READ)
            times.append(as_of(reply, begun))
            return Page(value, reply.headers)

        value = await read(pages, known, input, fetch)
        at = min(times)
        return Result(value, at, (Source(self._name, known.name, as_of=at),))

    async def _result(self, known: Known, got: Got, context: Context, *, acknowledged: bool = True) -> Result:
        request, reply, begun = got
        if not acknowledged and 200 <= reply.status < 300:
            raise Unacknowledged(_NO_PROOF, detail=f"HTTP {reply.status}", answered=True)
        try:
            value = await value_of(reply, context.effect or known.effect, known.outcome, context.inline)
        except UnknownOutcome as error:
            if acknowledged:
                raise
            raise Unacknowledged(_UNSURE, detail=error.detail, answered=False) from error
        at = as_of(reply, begun)
        return Result(value, at, (Source(self._name, known.name, request.key, as_of=at),))

    async def _sent(
        self, known: Known, input: Mapping[str, Json], context: Context, *, dry_run: bool = False
    ) -> tuple[Request, HttpReply]:
        shown = self._shown.headers(context)
        if heavy(input):
            request = await asyncio.to_thread(known.request, input, self._shown.names)
        else:
            request = known.request(input, self._shown.names)
        await self.open()
        headers = {"Accept": known.outcome.accept, **shown, **request.headers}
        effect = context.effect or known.effect
        if dry_run:
            headers = {name: value for name, value in headers.items() if name.lower() != "prefer"}
            headers["Prefer"] = "dry-run"
        if request.body is not None:
            headers["Content-Type"] = request.media
        if context.traceparent is not None:
            headers["traceparent"] = context.traceparent
        if context.idempotency_key is not None and effect is not Effect.READ:
            headers["Idempotency-Key"] = context.idempotency_key
        send = partial(
            self._client.send,
            known.method,
            self._url(request.target),
            body=request.body,
            deadline=context.deadline,
            spool="" if known.outcome.bytes else None,
            repeatable=effect is not Effect.WRITE,
        )
        tokens = self._shown.tokens
        if tokens is None:
            return request, await send(headers=headers)
        return request, await tokens.send(context, lambda token: send(headers={**headers, "Authorization": token}))

    def _url(self, target: str) -> str | tuple[str, ...]:
        bases = self._config.base_url
        return bases[0] + target if len(bases) == 1 else tuple(base + target for base in bases)


class LookupHttpAdapter(HttpAdapter):
    """A REST API that also tells what became of a write."""

    async def lookup(self, operation: str, idempotency_key: str, context: Context) -> Result | None:
        """The result of the write with that key; None when the upstream answers that there was none (404)."""
        try:
            return await self.invoke(self._config.lookup or "", {"idempotency_key": idempotency_key}, context)
        except NotFound:
            return None


class DescribedHttpAdapter(HttpAdapter):
    """A REST API with a document, which may describe more than can be called."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """Operation of the document → what it uses that can't be expressed."""
        return {} if self._catalogue is None else self._catalogue.left_out


class DescribedLookupHttpAdapter(LookupHttpAdapter, DescribedHttpAdapter):
    """One that has both."""


_CLASSES = {
    (False, False): HttpAdapter,
    (True, False): LookupHttpAdapter,
    (False, True): DescribedHttpAdapter,
    (True, True): DescribedLookupHttpAdapter,
}


def build(name: str, config: Config, workspace: Workspace) -> HttpAdapter:
    """The adapter for a validated configuration; raises `ConfigError`."""
    problems: list[ConfigProblem] = []
    tls = Texts()
    try:
        tls = texts(config.tls, workspace.files)
    except ConfigError as error:
        problems.extend(error.problems)
    shown = Shown(config, tls.ca)
    if not shown.printable:
        problems.append(ConfigProblem("a secret holds a line break or another control character", "/auth"))
    catalogue = _catalogue(config, workspace, problems)
    if problems:
        raise ConfigError(problems)
    client = http_client(ClientOptions(config.concurrency, config.keep_alive, config.max_body, *tls))
    kind = _CLASSES[config.lookup is not None, catalogue is not None]
    return kind(name, config, client, shown, catalogue)


def _catalogue(config: Config, workspace: Workspace, problems: list[ConfigProblem]) -> Catalogue | None:
    """What the document describes, if there is one; what is wrong is added to `problems`."""
    if config.openapi is None:
        return None
    try:
        catalogue = Catalogue(opened(config.openapi, workspace.files), config.lists)
    except ConfigError as error:
        problems.extend(error.problems)
        return None
    for name, pages in config.lists.items():
        problems.extend(
            ConfigProblem(message, pointer("lists", name)) for message in unknown(catalogue.of(name), pages)
        )
    return catalogue
