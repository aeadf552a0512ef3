"""What a call shows the service of who makes it: header blocks of the message, and HTTP headers."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from datetime import UTC, datetime

from adapters.callers import Callers
from adapters.contract import Context
from adapters.oauth import Tokens
from adapters.soap.config import Config, Credential
from adapters.soap.values import escape
from adapters.soap.wsse import username_token

_NONCE_BYTES = 16


class Shown:
    """Who calls, as an upstream's configuration wants it shown. `tokens` are an authorization server's, if it has one;
    `missing`: something that the configuration refers to isn't set."""

    def __init__(self, config: Config) -> None:
        auth = config.auth
        self.tokens = Tokens(auth.oauth) if auth is not None and auth.oauth is not None else None
        self._own = auth
        self._callers = None if config.callers is None else Callers(config.callers)
        self._trace = _block(config.trace) if config.trace is not None else None
        credentials = [auth, *(config.callers or {}).values()]
        self.missing = bool(self.tokens and self.tokens.missing) or not all(_given(credentials))

    def of(self, context: Context) -> Credential | None:
        """What is shown for the caller of `context`; raises `NotMapped`."""
        return self._own if self._callers is None else self._callers.of(context)

    def blocks(self, credential: Credential | None, context: Context) -> str:
        """The content of soap:Header, or ""."""
        wsse = credential.wsse if credential is not None else None
        blocks = ""
        if wsse is not None:
            password, nonce = wsse.password.get_secret_value(), os.urandom(_NONCE_BYTES)
            blocks = username_token(wsse.username, password, wsse.type, nonce=nonce, created=datetime.now(UTC))
        if self._trace is not None and context.traceparent is not None:
            blocks += self._trace.format(escape(context.traceparent))
        return blocks

    def fields(self, credential: Credential | None, context: Context) -> dict[str, str]:
        """The HTTP headers, a token's left out."""
        fields = {} if context.traceparent is None else {"traceparent": context.traceparent}
        basic = credential.basic if credential is not None else None
        if basic is not None:
            pair = f"{basic.username}:{basic.password.get_secret_value()}"
            fields["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return fields

    async def close(self) -> None:
        """Ends requests for tokens."""
        if self.tokens is not None:
            await self.tokens.close()


def _given(credentials: list[Credential | None]) -> Iterator[bool]:
    for credential in credentials:
        for way in (credential.wsse, credential.basic) if credential is not None else ():
            yield way is None or bool(way.username and way.password.get_secret_value())


def _block(name: str) -> str:
    """A header block of that name (`{namespace}name`), with a place for its text."""
    namespace, _, local = name[1:].rpartition("}")
    return f'<t:{local} xmlns:t="{escape(namespace)}">{{}}</t:{local}>'
