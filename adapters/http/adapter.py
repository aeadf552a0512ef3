"""The adapter: one request per operation, through the one HTTP client."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from adapters.client import ClientOptions, HttpClient, http_client
from adapters.contract import Context, Effect, Json, Operation, Probe, Result, Source, Workspace
from adapters.errors import AdapterError, ConfigError, ConfigProblem, DoNotRetry, NotFound, Unavailable
from adapters.http.config import Config
from adapters.http.replies import as_of, value_of
from adapters.http.shown import Shown
from adapters.http.template import Template, template
from adapters.tls import Texts, texts


class HttpAdapter:
    """A REST API. Operations are named by the bindings, "GET /v2/customers/{id}": see `accepts`."""

    def __init__(self, name: str, config: Config, client: HttpClient, shown: Shown) -> None:
        self._name = name
        self._config = config
        self._client = client
        self._shown = shown
        self._headers = {"Accept": "application/json, application/problem+json"}

    @property
    def name(self) -> str:
        return self._name

    def operations(self) -> Mapping[str, Operation]:
        """None are known offline; every well-formed name is accepted."""
        return {}

    def accepts(self, name: str) -> Operation | None:
        """The operation called `name`, "METHOD /path/{parameter}"; None when it isn't well-formed."""
        known = template(name)
        return None if known is None else known.operation()

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
        known = template(operation)
        if known is None:
            raise DoNotRetry("The route is bound to an operation that isn't METHOD /path.", detail=operation)
        return await self._call(known, input, context)

    async def probe(self, context: Context) -> Probe:
        """GETs the configured path: up when the answer is below 500 and isn't a refusal of the credential."""
        start = time.monotonic()
        try:
            await self.open()
            url = self._config.base_url + self._config.probe
            headers = {**self._headers, **await self._shown.own(context)}
            reply = await self._client.send("GET", url, headers=headers, deadline=context.deadline)
        except AdapterError as error:
            return Probe(False, error.message, time.monotonic() - start)
        ok = reply.status < 500 and reply.status not in (401, 403)
        return Probe(ok, f"GET {self._config.probe} answers {reply.status}", time.monotonic() - start)

    async def _call(self, known: Template, input: Mapping[str, Json], context: Context) -> Result:
        shown = self._shown.headers(context)
        request = known.request(input, self._shown.names)
        await self.open()
        headers = {**self._headers, **shown, **request.headers}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if context.traceparent is not None:
            headers["traceparent"] = context.traceparent
        effect = context.effect or known.effect
        if context.idempotency_key is not None and effect is not Effect.READ:
            headers["Idempotency-Key"] = context.idempotency_key
        url = self._config.base_url + request.target
        send = partial(self._client.send, known.method, url, body=request.body, deadline=context.deadline)
        tokens = self._shown.tokens
        if tokens is None:
            reply = await send(headers=headers)
        else:
            reply = await tokens.send(context, lambda token: send(headers={**headers, "Authorization": token}))
        value = await value_of(reply, effect)
        at = as_of(reply, datetime.now(UTC))
        return Result(value, at, (Source(self._name, known.name, request.key, as_of=at),))


class LookupHttpAdapter(HttpAdapter):
    """A REST API that also tells what became of a write."""

    async def lookup(self, operation: str, idempotency_key: str, context: Context) -> Result | None:
        """The result of the write with that key; None when the upstream answers that there was none (404)."""
        try:
            return await self.invoke(self._config.lookup or "", {"idempotency_key": idempotency_key}, context)
        except NotFound:
            return None


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
    if problems:
        raise ConfigError(problems)
    client = http_client(ClientOptions(config.concurrency, config.keep_alive, config.max_body, *tls))
    kind = HttpAdapter if config.lookup is None else LookupHttpAdapter
    return kind(name, config, client, shown)
