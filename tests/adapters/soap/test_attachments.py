"""Content beside the message: multipart both ways, XOP, SOAP with Attachments; what lies about itself is refused."""

from __future__ import annotations

import base64
import email.policy
import random
import tracemalloc
from collections.abc import Callable
from email.parser import BytesParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.blob import Blob, Spool
from adapters.contract import Context
from adapters.errors import AdapterError, BadReply, Invalid, Retry, UnknownOutcome
from adapters.soap import SoapAdapter
from adapters.soap.multipart import Part, Torn, put_together, taken_apart

Documents = Callable[..., SoapAdapter]
Within = Callable[[float], Context]
S11 = "http://schemas.xmlsoap.org/soap/envelope/"
INCLUDE = '<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="{}"/>'
KIND_OF = 'multipart/related; boundary="b"; type="application/xop+xml"; start="<root>"; start-info="text/xml"'


def envelope(content: str, after: str = "") -> str:
    inner = f"<Name>n</Name><Content>{content}</Content>"
    document = f"<GetResponse xmlns='urn:test:documents'><Document>{inner}</Document>{after}</GetResponse>"
    return f"<e:Envelope xmlns:e='{S11}'><e:Body>{document}</e:Body></e:Envelope>"


def multipart(root: str, *parts: tuple[str, bytes], end: bytes = b"\r\n--b--\r\n") -> bytes:
    texts = [b"--b\r\nContent-ID: <root>\r\nContent-Type: application/xop+xml\r\n\r\n" + root.encode()]
    texts += [f"--b\r\n{head}\r\n\r\n".encode() + content for head, content in parts]
    return b"\r\n".join(texts) + end


async def got(wire: Any, reply: Any, documents: Documents, body: bytes, kind: str = KIND_OF, **options: Any) -> Any:
    server = await wire(reply("200 OK", body, f"Content-Type: {kind}"))
    context = Context(1e12, inline=options.pop("inline", None))
    return await documents(server.url, **options).invoke("Get", {"Name": "n", "Size": 1}, context)


@settings(deadline=None, database=None, derandomize=True, max_examples=100)
@given(
    st.lists(st.tuples(st.text("abc.@-", min_size=1, max_size=9), st.binary(max_size=60)), max_size=5),
    st.booleans(),
    st.sampled_from(["1.1", "1.2"]),
)
def test_what_is_put_together_is_read_by_ourselves_and_by_others(
    contents: list[tuple[str, bytes]], xop: bool, soap: Any
) -> None:
    parts = [Part(name, Blob(content, media_type="image/png")) for name, content in contents]
    kind, pieces = put_together(b"<a/>", parts, soap, "urn:a", xop=xop)
    body = b"".join(each if isinstance(each, bytes) else each.read() for each in pieces)
    spool = Spool()
    spool.write(body)
    read = taken_apart(spool.blob(), kind, 100)
    assert read.root.content.read() == b"<a/>"
    assert [(part.id, part.content.read()) for part in read.others] == contents
    parser = BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    others = [part.get_payload(decode=True) for part in message.iter_parts()]
    # The standard library changes line ends at the end of a part.
    assert [each.rstrip(b"\r\n") for each in others[1:]] == [each.rstrip(b"\r\n") for _, each in contents]


@settings(deadline=None, database=None, derandomize=True, max_examples=300)
@given(st.lists(st.sampled_from([b"--b", b"--", b"\r\n", b"\n", b"Content-ID: <r>", b"x", b"\r\n\r\n", b":", b" "])))
def test_any_bytes_are_parts_or_refused(pieces: list[bytes]) -> None:
    try:
        parts = taken_apart(Blob(b"".join(pieces)), KIND_OF, 1000)
    except Torn:
        return
    assert parts.root.content.size >= 0
    assert sum(part.content.size for part in parts.others) <= sum(map(len, pieces))


@pytest.mark.parametrize("before", [b"", b"a preamble\n--bogus\n"])
async def test_content_beside_the_message(before: bytes, wire: Any, reply: Any, documents: Documents) -> None:
    content = b"\r\n--c\r\n\0\xff--b\r--b\n"
    body = multipart(envelope(INCLUDE.format("cid:a%40b")), ("Content-ID: <a@b>", content))
    for each in (body, before + body.replace(b"\r\n", b"\n").replace(content.replace(b"\r\n", b"\n"), content)):
        result = await got(wire, reply, documents, each)
        assert base64.b64decode(result.value["Document"]["Content"]) == content
    assert result.warnings == ()


@pytest.mark.parametrize("encoding", ["base64", "BASE64", "binary", "8bit", "7bit"])
async def test_parts_in_other_spellings(encoding: str, wire: Any, reply: Any, documents: Documents) -> None:
    content = base64.encodebytes(b"content" * 30) if encoding.lower() == "base64" else b"content" * 30
    head = f"content-id:<a>\r\nCONTENT-TRANSFER-ENCODING: {encoding}"
    result = await got(wire, reply, documents, multipart(envelope(INCLUDE.format("cid:a")), (head, content)))
    assert base64.b64decode(result.value["Document"]["Content"]) == b"content" * 30


PLAIN = envelope("AA==")
A = ("Content-ID: <a>", b"x")


@pytest.mark.parametrize(
    ("body", "kind", "part"),
    [
        (multipart(envelope(INCLUDE.format("cid:b")), A), KIND_OF, "didn't come with it"),
        (multipart(envelope(INCLUDE.format("http://x/y")), A), KIND_OF, "didn't come with it"),
        (multipart(envelope(INCLUDE.format("cid:a") * 2), A), KIND_OF, "holds elements"),
        (multipart(envelope("<Other/>"), A), KIND_OF, "holds elements"),
        (multipart(envelope("AA==").replace("<Name>n", "<Name>" + INCLUDE.format("cid:a")), A), KIND_OF, "holds elem"),
        (multipart(PLAIN, A, end=b"\r\n--b"), KIND_OF, "cut off"),
        (multipart(PLAIN, A, end=b""), KIND_OF, "cut off"),
        (multipart(PLAIN)[:40], KIND_OF, "cut off"),
        (b"", KIND_OF, "without its boundary"),
        (b"--b--\r\n", KIND_OF, "without any part"),
        (multipart(PLAIN), "multipart/related", "without a boundary"),
        (multipart(PLAIN), "multipart/related; boundary=c", "without its boundary"),
        (multipart(PLAIN, ("Content-Transfer-Encoding: base64", b"!")), KIND_OF, "isn't the base64"),
        (multipart(PLAIN, ("Content-Transfer-Encoding: uuencode", b"!")), KIND_OF, "wasn't asked for"),
        (multipart(PLAIN, *[("a: b", b"")] * 1001), KIND_OF, "more than 1000 parts"),
        (multipart(PLAIN, ("a" * 20_000, b"")), KIND_OF, "no end to its header"),
        (multipart("<html/>"), KIND_OF, "isn't SOAP"),
        (multipart(PLAIN), "multipart/related; boundary*=undefined''b", "without a boundary"),
        (multipart(PLAIN), "multipart/related; boundary*0*=a%00b''b", "without a boundary"),
        (multipart(PLAIN, ("Content-Type: text/xml; charset*0*=a%00b''x", b"")), KIND_OF, "can't be read"),
    ],
)
async def test_messages_that_lie_are_refused(
    body: bytes, kind: str, part: str, wire: Any, reply: Any, documents: Documents
) -> None:
    with pytest.raises(BadReply, match=part):
        await got(wire, reply, documents, body, kind)


async def test_one_part_is_not_given_twice(wire: Any, reply: Any, documents: Documents) -> None:
    """Else a small reply could name one large part a thousand times."""
    twice = envelope(INCLUDE.format("cid:a"), f"<Document><Content>{INCLUDE.format('cid:a')}</Content></Document>")
    with pytest.raises(BadReply, match="another value refers to"):
        await got(wire, reply, documents, multipart(twice, A))


@pytest.mark.parametrize(("effect", "error"), [("Get", Retry), ("Put", UnknownOutcome)])
async def test_a_server_error_in_parts_is_a_server_error(
    effect: str, error: type[AdapterError], wire: Any, reply: Any, documents: Documents, within: Within
) -> None:
    server = await wire(reply("500 Oops", b"--b\r\n\r\nno", f"Content-Type: {KIND_OF}"))
    given = {"Name": "n", "Size": 1} if effect == "Get" else {"Document": {"Content": ""}}
    with pytest.raises(error) as caught:
        await documents(server.url).invoke(effect, given, within(20))
    assert type(caught.value) is error


async def test_what_nobody_names_is_told_or_given(wire: Any, reply: Any, documents: Documents) -> None:
    body = multipart(PLAIN, ("Content-ID: <p@x>\r\nContent-Type: image/png", b"png"), ("X: y", b"?"))
    plain = await got(wire, reply, documents, body)
    assert plain.value == {"Document": {"Name": "n", "Content": "AA=="}}
    assert plain.warnings == ("docs attached what its WSDL doesn't name; it was left out",)
    given = await got(wire, reply, documents, body, attachments="swa")
    assert given.value["#attachments"] == [
        {"id": "p@x", "type": "image/png", "content": base64.b64encode(b"png").decode()},
        {"id": "part-2", "type": "text/plain", "content": base64.b64encode(b"?").decode()},
    ]
    assert given.warnings == ()
    assert "#attachments" in documents("http://127.0.0.1:1", attachments="swa").operations()["Get"].output["properties"]


async def test_soap_with_attachments_is_sent(wire: Any, documents: Documents, within: Within) -> None:
    server = await wire(None)
    adapter = documents(server.url, "1.2", attachments="swa")
    items = [
        {"id": "photo@x", "type": "image/png", "content": base64.b64encode(b"png").decode()},
        {"content": ""},
        {"type": "a\r\nX: y", "content": ""},
    ]
    with pytest.raises(UnknownOutcome):
        await adapter.invoke("Whoami", {"Text": "cid:photo@x", "#attachments": items}, within(20))
    (seen,) = server.seen
    assert 'type="application/soap+xml"' in seen.headers["content-type"]
    assert b'action="urn:test:documents/Whoami"' in seen.body
    parts = taken_apart(Blob(seen.body), seen.headers["content-type"], 10_000)
    assert b"cid:photo@x" in parts.root.content.read()
    assert [(each.content.media_type, each.content.read()) for each in parts.others] == [
        ("image/png", b"png"),
        ("application/octet-stream", b""),
        ("application/octet-stream", b""),
    ]
    assert parts.others[0].id == "photo@x"


@pytest.mark.parametrize(
    ("items", "pointer"),
    [
        ([{"content": "no!"}], "/#attachments/0/content"),
        ([{"id": "a\r\nb", "content": ""}], "/#attachments/0/id"),
        ([{"content": "", "name": "x"}], "/#attachments/0"),
        ([{"content": ""}] * 101, "/#attachments"),
    ],
)
async def test_attachments_that_are_none_never_leave(
    items: Any, pointer: str, documents: Documents, within: Within
) -> None:
    adapter = documents("http://127.0.0.1:1", attachments="swa")
    with pytest.raises(Invalid) as caught:
        await adapter.invoke("Whoami", {"Text": "x", "#attachments": items}, within(20))
    assert caught.value.errors[0].pointer == pointer


@pytest.mark.parametrize("text", ["no base64!" * 200, "A" * 2001, "é" * 2000])
async def test_content_that_is_no_base64_never_leaves(text: str, documents: Documents, within: Within) -> None:
    for way in (None, "mtom"):
        adapter = documents("http://127.0.0.1:1", attachments=way)
        with pytest.raises(Invalid) as caught:
            await adapter.invoke("Put", {"Document": {"Content": text}}, within(20))
        assert caught.value.errors[0].pointer == "/Document/Content"


SIZE = 50 * 2**20


def spooled(size: int) -> Blob:
    spool, chunk = Spool(), random.Random(5).randbytes(2**20)
    for _ in range(size // 2**20):
        spool.write(chunk)
    return spool.blob("application/pdf")


async def test_fifty_megabytes_there_and_back_are_never_held(gsoap: Any, documents: Documents, within: Within) -> None:
    """What is measured is Python's memory at its highest, server apart."""
    adapter = documents(gsoap[0], attachments="mtom", max_body=SIZE * 2)
    content = spooled(SIZE)
    assert not content.in_memory
    tracemalloc.start()
    try:
        put = await adapter.invoke("Put", {"Document": {"Name": "n", "Content": content}}, within(100))
        context = within(100)._replace(inline=2**20)
        value = (await adapter.invoke("Get", {"Name": "n", "Size": SIZE}, context)).value
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (put.value["Size"], put.value["Type"]) == (SIZE, "application/pdf")
    answer = value["Document"]["Content"]
    assert isinstance(answer, Blob)
    assert (answer.size, answer.media_type) == (SIZE, "application/pdf")
    assert answer.read(2**20, 4) == bytes((at * 7 + (at >> 8)) % 256 for at in range(2**20, 2**20 + 4))
    assert peak < 6 * 2**20


async def test_a_blob_goes_into_a_plain_message_as_text(gsoap: Any, documents: Documents, within: Within) -> None:
    value = (await documents(gsoap[0]).invoke("Put", {"Document": {"Content": spooled(2**20)}}, within(60))).value
    assert value["Size"] == 2**20
