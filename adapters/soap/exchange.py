"""One call's two messages: from an input to what is sent, and from what came back to a value and its warnings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeVar

from adapters.bodies import Pieces
from adapters.client import HttpReply
from adapters.contract import Json
from adapters.depth import deep
from adapters.errors import BadReply, FieldError, Invalid, pointer
from adapters.soap.attachments import ATTACHMENTS, Incoming, Outgoing, beside, incoming
from adapters.soap.multipart import Torn, put_together, taken_apart
from adapters.soap.notes import Notes
from adapters.soap.plan import Plan, header_text
from adapters.soap.reply import Caller, body_of
from adapters.soap.shown import Head
from adapters.soap.values import BadValue

T = TypeVar("T")

_DEEPEST = 200
"""Levels of a result: what writes JSON knows no more than 254."""

Way = Literal["mtom", "swa"]


class Request(NamedTuple):
    """What is sent: HTTP headers and a body, in pieces where content travels beside the message."""

    headers: dict[str, str]
    body: bytes | Pieces


def request(plan: Plan, input: Mapping[str, Json], head: Head, way: Way | None) -> Request:
    """The request, after every check that can be made before a byte leaves; raises `Invalid`."""
    return _checked(plan, input, lambda: _request(plan, input, head, way))


def shown(plan: Plan, input: Mapping[str, Json]) -> bytes:
    """The same message with all content within, and with no header block but those of the input; raises `Invalid`."""
    return _checked(plan, input, lambda: plan.envelope(input, ""))


def _checked(plan: Plan, input: Mapping[str, Json], make: Callable[[], T]) -> T:
    if errors := plan.errors(input):
        raise Invalid(f"the input of {plan.operation.name} breaks its schema", errors=errors)
    try:
        return make()
    except BadValue as error:
        found = FieldError(pointer(*error.path), error.message)
    except RecursionError:
        found = FieldError("", "is nested too deep")
    raise Invalid(f"the input of {plan.operation.name} breaks its schema", errors=[found])


def _request(plan: Plan, input: Mapping[str, Json], head: Head, way: Way | None) -> Request:
    attached = beside(input.get(ATTACHMENTS, ())) if plan.attaches else []
    out = Outgoing() if way == "mtom" else None
    envelope = plan.envelope(input, head.blocks, out, "" if head.signer is None else head.signer.declared)
    headers = plan.headers()
    if head.signer is not None:
        envelope = head.signer.signed(envelope)
    if out is None and not attached:
        return Request(headers, envelope)
    parts = attached if out is None else [*out.parts, *attached]
    action = header_text(plan.form.action)
    headers["Content-Type"], body = put_together(envelope, parts, plan.soap, action, xop=out is not None)
    return Request(headers, body)


def answer(plan: Plan, caller: Caller, reply: HttpReply, inline: int | None, most: int) -> tuple[Json, tuple[str, ...]]:
    """The reply's value and warnings; raises `Fault` or what `adapters.errors` defines. `inline`: attached content of
    more bytes is a `Blob`; `most`: the largest SOAP message in bytes."""
    if caller.verifier is not None and reply.spooled is not None:
        raise BadReply(f"{caller.system} answered a message of several parts, which its signature doesn't cover")
    reply, attached = _opened(reply, caller, inline, most)
    nodes = body_of(reply, caller)
    if not caller.answers:
        return {}, ()
    notes = Notes(attached=attached)
    try:
        value = plan.decoder.body(nodes, notes)
    except BadValue as error:
        place = pointer(*error.path)
        what = f"a value at {place} that {error.message}" if place else f"a message that {error.message}"
        raise BadReply(f"{caller.system} answered {what}") from None
    if plan.recurs and deep(value, _DEEPEST):
        raise BadReply(f"{caller.system} answered a message that is nested too deep")
    others = attached.beside()
    warnings = notes.warnings(caller.system)
    if plan.attaches and isinstance(value, dict):
        value[ATTACHMENTS] = others
    elif others:
        warnings = (*warnings, f"{caller.system} attached what its WSDL doesn't name; it was left out")
    return value, warnings


def _opened(reply: HttpReply, caller: Caller, inline: int | None, most: int) -> tuple[HttpReply, Incoming]:
    """The reply as its SOAP part alone says it, and what came beside."""
    if reply.spooled is None:
        return reply, Incoming()
    kind = reply.headers.get("content-type", "")
    try:
        parts = taken_apart(reply.spooled, kind, most)
    except Torn as error:
        if reply.status >= 400:
            # Told by its status, like any page that a failing server sends.
            return HttpReply(reply.status, {**reply.headers, "content-type": "text/plain"}, b"-"), Incoming()
        raise BadReply(f"{caller.system} answered a multipart message {error}") from None
    root = parts.root.content
    charset = f"; charset={parts.root.charset}" if parts.root.charset else ""
    headers = {**reply.headers, "content-type": f"text/xml{charset}"}
    return HttpReply(reply.status, headers, root.read()), incoming(parts.others, inline)
