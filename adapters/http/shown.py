"""What a call shows the upstream of who makes it: the gateway's own credential, the caller's, a token, a name."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from adapters.callers import Callers, name_of
from adapters.contract import Context
from adapters.http.config import Config, Credential
from adapters.oauth import Tokens

_NOTHING: Mapping[str, str] = {}
# What stands for itself in a header that others may split at commas and semicolons, or unquote.
_PLAIN = " !#$&'()*+-./:<=>?@[]^_`{|}~"


class Shown:
    """The headers that say who calls. `names` are theirs (lower-case), which no input may set; `missing` says what the
    environment left unset, or is ""; `tokens` are those of an authorization server, if it has one."""

    def __init__(self, config: Config, ca: str | None) -> None:
        """`ca`: authorities (PEM) that an authorization server may be known by."""
        auth = config.auth
        self.tokens = Tokens(auth.oauth, ca) if auth is not None and auth.oauth is not None else None
        self._own = _header(auth) if auth is not None and self.tokens is None else _NOTHING
        entries = {name: _header(each) for name, each in (config.callers or {}).items()}
        self._callers = None if config.callers is None else Callers(entries)
        self._name = config.caller.header if config.caller is not None else None
        exchanges = auth is not None and auth.oauth is not None and auth.oauth.exchange
        self.personal = exchanges or self._callers is not None or self._name is not None
        """Whether anything of it depends on who calls."""
        every = [self._own, *entries.values()]
        self.names = frozenset(
            name.lower() for each in every for name in (*each, *([self._name] if self._name else []))
        )
        self.printable = all(value.isprintable() for each in every for value in each.values())
        self.missing = next(self._unset(config, every), "")

    def _unset(self, config: Config, every: list[Mapping[str, str]]) -> Iterator[str]:
        if not config.base_url:
            yield "its base_url"
        if any(not value for each in every for value in each.values()) or (self.tokens and self.tokens.missing):
            yield "its credential"
        if config.tls is not None and config.tls.missing:
            yield "its TLS key or certificate"

    def headers(self, context: Context) -> Mapping[str, str]:
        """The headers of one call, a token's left out; raises `NotMapped`."""
        shown = self._own if self._callers is None else self._callers.of(context)
        if self._name is None:
            return shown
        return {**shown, self._name: quote(name_of(context), safe=_PLAIN)}

    async def own(self, context: Context) -> Mapping[str, str]:
        """The gateway's own headers, for a probe; raises what `Tokens.own` does."""
        return self._own if self.tokens is None else {"Authorization": await self.tokens.own(context)}

    async def close(self) -> None:
        """Ends requests for tokens."""
        if self.tokens is not None:
            await self.tokens.close()


def _header(credential: Credential) -> Mapping[str, str]:
    """The header of a credential; an unset secret makes it empty."""
    if credential.bearer is not None:
        token = credential.bearer.get_secret_value()
        return {"Authorization": token and f"Bearer {token}"}
    if credential.basic is not None:
        password = credential.basic.password.get_secret_value()
        pair = base64.b64encode(f"{credential.basic.username}:{password}".encode()).decode()
        return {"Authorization": password and f"Basic {pair}"}
    assert credential.api_key is not None
    return {credential.api_key.header: credential.api_key.value.get_secret_value()}
