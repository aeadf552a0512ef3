"""What a call shows the service of who makes it: header blocks of the message, and HTTP headers."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import SecretStr

from adapters.callers import Callers
from adapters.contract import Context, Workspace
from adapters.errors import ConfigError, ConfigProblem
from adapters.oauth import Tokens
from adapters.soap import addressing
from adapters.soap.blocks import block, unset
from adapters.soap.config import Config, Credential, Signature
from adapters.soap.signature import BadKey, Signer
from adapters.soap.values import BadValue, escape
from adapters.soap.verify import Verifier
from adapters.soap.wsse import security, timestamp, username_token
from adapters.tls import pem

_NONCE_BYTES = 16


class Head(NamedTuple):
    """What one message's soap:Header holds, who signs the message, and the id that a reply must name."""

    blocks: str
    signer: Signer | None = None
    message_id: str | None = None


class Shown:
    """Who calls, as an upstream's configuration wants it shown, and how it sees who answers. `tokens` are an
    authorization server's, if it has one; `missing`: something that the configuration refers to isn't set; `verifier`:
    what replies must be signed for."""

    def __init__(self, config: Config, workspace: Workspace) -> None:
        """Raises `ConfigError`."""
        auth = config.auth
        self.tokens = Tokens(auth.oauth) if auth is not None and auth.oauth is not None else None
        self._own = auth
        self._callers = None if config.callers is None else Callers(config.callers)
        self._trace = None if config.trace is None else block(config.trace, "{}")
        self._addressing = config.addressing
        credentials = {"/auth": auth, **{f"/callers/{name}": each for name, each in (config.callers or {}).items()}}
        given = all(_given(list(credentials.values()))) and not any(map(unset, config.headers.values()))
        unset_tls = config.tls is not None and config.tls.missing
        self.verifier = _verifier(config, workspace)
        given = given and (config.verify is None or self.verifier is not None)
        self.missing = bool(self.tokens and self.tokens.missing) or not given or unset_tls
        self._blocks = "" if self.missing else _fixed(config)
        self._signers = dict(_signers(credentials, workspace))

    def of(self, context: Context) -> Credential | None:
        """What is shown for the caller of `context`; raises `NotMapped`."""
        return self._own if self._callers is None else self._callers.of(context)

    def head(self, credential: Credential | None, context: Context, action: str, to: str) -> Head:
        """The header of one message to address `to`."""
        signature = credential.signature if credential is not None else None
        blocks = ("" if credential is None else _security(credential)) + self._blocks
        if self._trace is not None and context.traceparent is not None:
            blocks += self._trace.format(escape(context.traceparent))
        message_id = None
        if self._addressing:
            message_id = addressing.new_id()
            blocks += addressing.blocks(action, to, message_id)
        return Head(blocks, None if signature is None else self._signers[id(signature)], message_id)

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


def _security(credential: Credential) -> str:
    """The wsse:Security block, or ""; a signature is added when the message is whole."""
    wsse, now, content = credential.wsse, datetime.now(UTC), ""
    if credential.signature is not None or (wsse is not None and wsse.timestamp):
        content = timestamp(now)
    if wsse is not None:
        password, nonce = wsse.password.get_secret_value(), os.urandom(_NONCE_BYTES)
        content += username_token(wsse.username, password, wsse.type, nonce=nonce, created=now)
    return security(content) if content else ""


def _given(credentials: list[Credential | None]) -> Iterator[bool]:
    for credential in credentials:
        if credential is None:
            continue
        for way in (credential.wsse, credential.basic):
            yield way is None or bool(way.username and way.password.get_secret_value())
        signature = credential.signature
        if signature is not None:
            cert = signature.cert
            yield bool(cert.get_secret_value() if isinstance(cert, SecretStr) else cert)
            yield bool(signature.key.get_secret_value())


def _fixed(config: Config) -> str:
    """The configuration's own header blocks; raises `ConfigError`."""
    try:
        return "".join(block(name, content) for name, content in config.headers.items())
    except BadValue as error:
        raise ConfigError([ConfigProblem(f"a header block {error.message}", "/headers")]) from None


def _verifier(config: Config, workspace: Workspace) -> Verifier | None:
    """None where nothing is to be verified, or the certificate isn't set; raises `ConfigError`."""
    problems: list[ConfigProblem] = []
    source = None if config.verify is None else config.verify.cert
    text = pem(source, workspace.files, "/verify/cert", problems)
    if problems:
        raise ConfigError(problems)
    try:
        return Verifier(text) if text else None
    except ValueError as error:
        raise ConfigError([ConfigProblem(f"cert {error}", "/verify/cert")]) from None


def _signers(credentials: dict[str, Credential | None], workspace: Workspace) -> Iterator[tuple[int, Signer]]:
    """By identity of the signature's configuration: who signs so, where all of it is set. Raises `ConfigError`."""
    for where, credential in credentials.items():
        signature = None if credential is None else credential.signature
        signer = None if signature is None else _signer(signature, f"{where}/signature", workspace)
        if signer is not None:
            yield id(signature), signer


def _signer(signature: Signature, where: str, workspace: Workspace) -> Signer | None:
    problems: list[ConfigProblem] = []
    text = pem(signature.cert, workspace.files, where + "/cert", problems)
    if problems:
        raise ConfigError(problems)
    key = signature.key.get_secret_value()
    if not text or not key:
        return None
    try:
        return Signer(text, key)
    except BadKey as error:
        raise ConfigError([ConfigProblem(f"the signature's {error}", where)]) from None
