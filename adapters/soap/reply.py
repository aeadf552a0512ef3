"""Tells one HTTP reply from another: an answer, a fault, an outage, a page, nothing, half of something.

XML is read without entities, DTD, network or huge trees. Faults come in SOAP 1.1 and 1.2 shapes whatever the envelope
says (SOAP 1.1, section 4.4; SOAP 1.2 part 1, section 5.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message as Header
from functools import lru_cache

from lxml import etree

from adapters.client import HttpReply
from adapters.contract import Effect
from adapters.errors import AdapterError, BadReply, Refused, Retry, UnknownOutcome
from adapters.soap.addressing import relates
from adapters.soap.verify import Unverified, Verifier

ENVELOPES: Mapping[str, str] = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
_ENVELOPES = frozenset(f"{{{namespace}}}Envelope" for namespace in ENVELOPES.values())
_BODIES = frozenset(f"{{{namespace}}}Body" for namespace in ENVELOPES.values())
_FAULTS = frozenset({"Fault", *(f"{{{namespace}}}Fault" for namespace in ENVELOPES.values())})


@dataclass(eq=False)
class Fault(Exception):
    """A SOAP fault. `code` and `subcodes` are local names; `detail` are the child elements of the detail."""

    code: str
    subcodes: tuple[str, ...]
    text: str
    detail: tuple[etree._Element, ...]
    status: int

    @property
    def client(self) -> bool:
        """Whether the server blames the message (SOAP 1.1 "Client", SOAP 1.2 "Sender")."""
        return self.code in ("Client", "Sender")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked, for the sentences; and whether a failure may have changed something."""

    system: str
    effect: Effect
    answers: bool
    """Whether the operation has an answer at all (a one-way one has none)."""
    message_id: str | None = None
    """The request's, where it was sent with WS-Addressing."""
    verifier: Verifier | None = None
    """What replies must be signed for."""

    def failed(self, sentence: str) -> AdapterError:
        """The server failed underway: a read may be tried again, what became of a write isn't known."""
        if self.effect is Effect.READ:
            return Retry(f"{self.system} {sentence}")
        return UnknownOutcome(f"{self.system} {sentence}; whether the change happened isn't known")


def body_of(reply: HttpReply, caller: Caller) -> list[etree._Element]:
    """The child elements of soap:Body; raises `Fault` or what `adapters.errors` defines."""
    envelope = _envelope(reply, caller)
    if envelope is None:
        return _without_soap(reply, caller)
    if caller.verifier is not None:
        try:
            caller.verifier.verify(envelope)
        except Unverified as error:
            raise BadReply(f"{caller.system} answered a message that {error}") from None
    if caller.message_id is not None and not relates(envelope, caller.message_id):
        raise BadReply(f"{caller.system} answered another message than the one it was sent")
    for part in envelope:
        if part.tag in _BODIES:
            break
    else:
        raise BadReply(f"{caller.system} answered a SOAP envelope without a body")
    nodes = list(part)
    if nodes and nodes[0].tag in _FAULTS:
        raise _fault(nodes[0], reply.status)
    if reply.status >= 300:
        raise caller.failed(f"answered HTTP {reply.status} with a SOAP message that isn't a fault")
    return nodes


def _envelope(reply: HttpReply, caller: Caller) -> etree._Element | None:
    """The reply's soap:Envelope; None when it isn't XML or another kind of XML."""
    kind, charset = _content_type(reply.headers.get("content-type", ""))
    named = charset if charset not in (None, "utf-8") and b"encoding" not in reply.body[:100] else None
    try:
        parser = _parser(named) if named or len(reply.body) > _SMALL_BYTES else _SMALL
        root = etree.fromstring(reply.body, parser)
    except (etree.XMLSyntaxError, LookupError) as error:
        if reply.status >= 400 or not _is_xml(kind, reply.body):
            return None
        raise _malformed(reply, caller, str(error)) from None
    if root.getroottree().docinfo.internalDTD is not None and root.tag in _ENVELOPES:
        raise BadReply(f"{caller.system} answered XML with a document type declaration, which is refused")
    return root if root.tag in _ENVELOPES else None


def _parser(charset: str | None) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding=charset,
    )


# Making a parser costs more than parsing a small reply. A parser in use makes other threads wait, so that big replies
# have one of their own.
_SMALL = _parser(None)
_SMALL_BYTES = 64 * 1024


_NAMELESS = "nameless"
"""Stands for a charset whose name can't be one."""


@lru_cache(maxsize=64)
def _content_type(value: str) -> tuple[str, str | None]:
    header = Header()
    header["content-type"] = value or "text/xml"
    try:
        charset = header.get_content_charset()
    except ValueError:
        charset = _NAMELESS
    return header.get_content_type(), charset if charset is None or charset.isprintable() else _NAMELESS


def _is_xml(kind: str, body: bytes) -> bool:
    """Whether a body that can't be parsed was meant as XML; pages and plain text weren't."""
    start = body[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
    page = kind == "text/html" or start[:14].lower().startswith((b"<!doctype html", b"<html"))
    return start.startswith(b"<") and not page


def _malformed(reply: HttpReply, caller: Caller, detail: str) -> BadReply:
    if reply.body.rstrip().endswith(b"Envelope>"):
        return BadReply(f"{caller.system} answered XML that isn't well-formed", detail=detail[:300])
    return BadReply(f"{caller.system} answered only part of a message: it was cut off", detail=detail[:300])


def _without_soap(reply: HttpReply, caller: Caller) -> list[etree._Element]:
    """What a reply means that holds no SOAP: an empty answer of a one-way operation, or an error by its status."""
    status, empty = reply.status, not reply.body.strip()
    if status == 202 and not caller.answers:
        return []
    if status == 202:
        raise UnknownOutcome(f"{caller.system} accepted the call (HTTP 202) but gave no answer to it")
    if status < 300 and empty and not caller.answers:
        return []
    if status in (401, 403, 407):
        raise Refused(f"{caller.system} refused the gateway's credentials or rights (HTTP {status})")
    if status in (429, 503):
        sentence, delay = f"is not taking calls at the moment (HTTP {status})", reply.retry_after()
        if status == 429 or delay is not None:
            raise Retry(f"{caller.system} {sentence}", retry_after=delay)
        # A proxy says 503, too, when its server broke off.
        raise caller.failed(sentence)
    what = "an empty body" if empty else "something that isn't SOAP"
    if status >= 500:
        raise caller.failed(f"failed with HTTP {status} and {what}")
    if 300 <= status < 400:
        raise BadReply(f"{caller.system} answered a redirect (HTTP {status}), which isn't followed; mend its address")
    raise BadReply(f"{caller.system} answered HTTP {status} with {what}")


def _fault(node: etree._Element, status: int) -> Fault:
    parts = {_local(child): child for child in node}
    codes = [_name(text) for text in _codes(parts)]
    code, *dotted = (codes[0] if codes else "").split(".")
    reason = parts.get("faultstring")
    if reason is None and "Reason" in parts:
        reason = next(iter(parts["Reason"]), None)
    detail = parts.get("detail", parts.get("Detail"))
    text = "" if reason is None else " ".join((reason.text or "").split(" "))
    return Fault(code, (*dotted, *codes[1:]), text, () if detail is None else tuple(detail), status)


def _codes(parts: Mapping[str, etree._Element]) -> Iterator[str]:
    if "faultcode" in parts:
        yield parts["faultcode"].text or ""
    code = parts.get("Code")
    while code is not None:
        yield next((child.text or "" for child in code if _local(child) == "Value"), "")
        code = next((child for child in code if _local(child) == "Subcode"), None)


def _name(text: str) -> str:
    return text.strip().rpartition(":")[2]


def _local(node: etree._Element) -> str:
    return str(node.tag).rpartition("}")[2]
