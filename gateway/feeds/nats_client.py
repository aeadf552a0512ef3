"""A connection to NATS, by nats-py, with what it lacks: it begins anew only when it is told to, fails at once when the
connection is lost, and shows no credential to a server that was to encrypt and doesn't."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from nats import errors
from nats.aio.client import Client, RawCredentials
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError
from nkeys import NkeysError

from adapters.certificates import made
from adapters.errors import ConfigError
from adapters.tls import Texts
from gateway.feeds.telling import Refused
from gateway.routing.events_schema import Stream, StreamTls

_CONNECT, _ACKNOWLEDGE, _CLOSE = 5, 5.0, 1.0
_TOO_LARGE = 10054
"""JetStream's code for a message that is larger than its stream takes."""
_MOST_SAID = 200
_STRANGE = (ValueError, TypeError, LookupError, AttributeError, AssertionError)
"""What nats-py raises of answers that are none of a server's, which it takes as they come."""
_STREAM = "Nats-Expected-Stream"
_CREDENTIALS = ("BEGIN NATS USER JWT", "BEGIN USER NKEY SEED")
"""Lines of a credentials file. Without the first one nats-py looks for it for ever, and nobody else gets a turn."""
_DENIED = "the server doesn't let this user publish there, or hear of it"
_LOST = "the connection was lost; it isn't known whether the stream has it"
_TOO_LARGE_FOR_SERVER = Refused("it is larger than the server takes", lasting=True)


class _Client(Client):
    """One that speaks to whom it was to speak, encrypted."""

    def __init__(self, *, encrypted: bool) -> None:
        super().__init__()
        self._encrypted = encrypted

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # nats-py encrypts where the server asks for it, whatever the URL says; credentials come right after this.
        if initial_connection and self._encrypted and not info.get("tls_required"):
            raise errors.Error("it doesn't encrypt")
        await super()._process_info(info, initial_connection)

    def drop(self) -> None:
        """Lets go of the socket, which nats-py keeps where it can't send its last words."""
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]


class Connection:
    """One that was made; it doesn't come back when it's lost."""

    def __init__(self, client: _Client, stream: str) -> None:
        self._client, self._stream = client, stream
        self._jetstream = JetStreamContext(client)
        self._lost = asyncio.Event()
        self._denied = False

    @property
    def good(self) -> bool:
        """Whether it's there still."""
        return self._client.is_connected and not self._lost.is_set()

    async def lost(self) -> None:
        """Told by the client."""
        self._lost.set()

    async def said(self, error: Exception) -> None:
        """Told by the client, whose own way is to log it with all its frames."""
        if "permissions violation" in str(error).lower():
            self._denied = True
            self._lost.set()  # what is under way there gets no answer

    async def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> Refused | None:
        """None: the stream has it."""
        headers = {**headers, _STREAM: self._stream}
        # nats-py counts the body alone; a server that gets more than it takes ends the connection, each time anew.
        if _size(body, headers) > self._client.max_payload:
            return _TOO_LARGE_FOR_SERVER
        publish = self._jetstream.publish(subject, body, timeout=_ACKNOWLEDGE, headers=dict[str, Any](headers))
        publishing, losing = asyncio.ensure_future(publish), asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({publishing, losing}, return_when=asyncio.FIRST_COMPLETED)
            if not publishing.done():
                return Refused(_DENIED if self._denied else _LOST)
            publishing.result()
        except (errors.Error, OSError) as error:
            return self._refused(error)
        except _STRANGE:  # whoever hears of a subject may answer, too
            return Refused("what answers there isn't the stream")
        finally:
            publishing.cancel()
            losing.cancel()
        return None

    async def close(self) -> None:
        """Ends it."""
        try:
            with suppress(errors.Error, OSError, TimeoutError, AssertionError):  # the last one: it never began
                await asyncio.wait_for(self._client.close(), _CLOSE)
        finally:
            self._client.drop()

    def _refused(self, error: Exception) -> Refused:
        if isinstance(error, APIError) and error.err_code == _TOO_LARGE:
            return Refused("it is larger than the stream takes", lasting=True)
        return Refused(_why(error))


async def connected(model: Stream) -> Connection | Refused:
    """A new connection, or why there is none."""
    encrypted = model.url.startswith("tls://")
    if model.credentials is not None and not _whole(model.credentials.get_secret_value()):
        return Refused("its credentials aren't a JWT and a seed, as a credentials file has them")
    try:
        context = await asyncio.to_thread(_context, model.tls) if encrypted else None
    except ConfigError as error:
        return Refused(str(error))
    client = _Client(encrypted=encrypted)
    opened = Connection(client, model.stream)
    try:
        await client.connect(
            model.url,
            error_cb=opened.said,
            closed_cb=opened.lost,
            name="figway",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=_CONNECT,
            ping_interval=10,
            tls=context,
            **_credential(model),
        )
    except (errors.Error, NkeysError, OSError, TimeoutError, ImportError, *_STRANGE) as error:
        await opened.close()
        return Refused(_why(error))
    except asyncio.CancelledError:
        await opened.close()
        raise
    return opened


def _size(body: bytes, headers: Mapping[str, str]) -> int:
    """Bytes of a message as its server counts them: https://docs.nats.io/reference/reference-protocols/nats-protocol."""
    return len(body) + len("NATS/1.0\r\n\r\n") + sum(len(f"{name}: {each}\r\n") for name, each in headers.items())


def _whole(credentials: str) -> bool:
    return all(line in credentials for line in _CREDENTIALS)


def _context(tls: StreamTls) -> ssl.SSLContext:
    """Raises `ConfigError`."""
    ca, cert, key = (None if each is None else each.get_secret_value() for each in (tls.ca, tls.cert, tls.key))
    context = made(Texts(ca, cert, key))
    return context if isinstance(context, ssl.SSLContext) else ssl.create_default_context()


def _credential(model: Stream) -> dict[str, Any]:
    if model.credentials is not None:
        return {"user_credentials": RawCredentials(model.credentials.get_secret_value())}
    if model.nkey is not None:
        return {"nkeys_seed_str": model.nkey.get_secret_value().strip()}
    if model.token is not None:
        return {"token": model.token.get_secret_value()}
    if model.password is not None:
        return {"user": model.user, "password": model.password.get_secret_value()}
    return {}


def _why(error: Exception) -> str:
    """In words of ours, as errors of connecting may hold what was shown."""
    if isinstance(error, NoStreamResponseError):
        return "no stream of the server takes its subjects"
    if isinstance(error, APIError):
        return f"the server says no ({error.err_code}): {error.description}"[:_MOST_SAID]
    if isinstance(error, errors.AuthorizationError) or "authorization" in str(error).lower():
        return "the server doesn't know its credential"
    if str(error) == "it doesn't encrypt":
        return "the server doesn't encrypt, though its URL says tls"
    if isinstance(error, NkeysError):
        return "its seed isn't one of NATS"
    if isinstance(error, errors.TimeoutError | TimeoutError):
        return "the server doesn't answer"
    return f"the server can't be reached: {type(error).__name__}"
