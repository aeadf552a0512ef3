"""Bodies and replies of every media type, judged by other parsers."""

from __future__ import annotations

import base64
import email.parser
import email.policy
from typing import Any
from urllib.parse import parse_qsl

import pytest

from adapters.blob import Blob, Spool
from adapters.contract import Context
from adapters.errors import BadReply, DoNotRetry, Invalid, NotFound

HEAD = "openapi: 3.1.0\ninfo: {title: API, version: '1'}\npaths:\n"
FILE = """
  /files:
    post:
      operationId: upload
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              type: object
              required: [file]
              additionalProperties: false
              properties:
                title: {type: string}
                tags: {type: array, items: {type: string}}
                meta: {type: object}
                file: {type: string, format: binary}
                more: {type: array, maxItems: 2, items: {type: string, format: binary}}
            encoding: {file: {contentType: 'application/pdf, image/png'}}
      responses: {204: {description: done}}
"""


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────

ANY_JSON = "{application/json: {schema: {type: object}}}"


async def test_a_json_body(described: Any, document: Any, reply: Any, context: Context) -> None:
    body = "{text/plain: {}, application/merge-patch+json: {schema: {type: object, required: [a]}}}"
    next_, server = await described(reply("200 OK", b"1"), document("/a", "patch", body=body))
    await next_.invoke("PATCH /a", {"body": {"a": None}}, context)
    assert (server.seen[0].body, server.seen[0].headers["content-type"]) == (
        b'{"a":null}',
        "application/merge-patch+json",
    )
    for wrong in ({}, {"body": {}}, {"body": []}, {"body": {"a": 2**70}}, {"body": {"a": "\ud800"}}):
        with pytest.raises(Invalid):
            await next_.invoke("op", wrong, context)
    assert len(server.seen) == 1


async def test_a_large_json_body_is_checked_and_written_too(
    described: Any, document: Any, reply: Any, context: Context
) -> None:
    body = "{application/json: {schema: {type: array, items: {type: string}}}}"
    next_, server = await described(reply("200 OK", b"1"), document("/a", "post", body=body))
    await next_.invoke("op", {"body": ["x" * 1000] * 400}, context)
    assert len(server.seen[0].body) > 400_000
    with pytest.raises(Invalid) as caught:
        await next_.invoke("op", {"body": [*["x" * 1000] * 400, 1]}, context)
    assert [each.pointer for each in caught.value.errors] == ["/body/400"]


async def test_a_form(described: Any, document: Any, reply: Any, context: Context) -> None:
    body = "{application/x-www-form-urlencoded: {schema: {type: object, properties: {a: {type: string}}}}}"
    next_, server = await described(reply("200 OK", b"1"), document("/a", "post", body=body))
    fields = {"a": "ä &=+\r\n%", "b": [1, True], "c": None, "d": {"x": 1}}
    await next_.invoke("op", {"body": fields}, context)
    seen = server.seen[0]
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(seen.body.decode()) == [("a", "ä &=+\r\n%"), ("b", "1"), ("b", "true"), ("d", '{"x":1}')]
    with pytest.raises(Invalid):
        await next_.invoke("op", {"body": {"a": 1}}, context)


def parts(seen: Any) -> list[tuple[str, str | None, str, bytes]]:
    """A multipart form as Python's own MIME parser reads it: (name, file's name, media type, content)."""
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + seen.body)
    return [
        (
            str(each.get_param("name", header="content-disposition")),
            each.get_filename(),
            each.get_content_type(),
            each.get_payload(decode=True),
        )  # type: ignore[misc]
        for each in message.iter_parts()
    ]


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def test_a_multipart_form(described: Any, reply: Any, context: Context) -> None:
    next_, server = await described(reply("204 No Content", b""), HEAD + FILE)
    form = {
        "title": "Ä\r\n--x",
        "tags": ["a", "b"],
        "meta": {"n": 1},
        "file": base64_of(b"\0\r\n--\xff"),
        "more": [
            {"content": base64_of(b"x"), "filename": 'a"\r\n.txt', "type": "text/plain"},
            Blob(b"y", media_type="image/png"),
        ],
    }
    result = await next_.invoke("upload", {"body": form}, context)
    assert result.value is None
    assert parts(server.seen[0]) == [
        ("title", None, "text/plain", "Ä\r\n--x".encode()),
        ("tags", None, "text/plain", b"a"),
        ("tags", None, "text/plain", b"b"),
        ("meta", None, "application/json", b'{"n":1}'),
        ("file", "file", "application/pdf", b"\0\r\n--\xff"),
        ("more", "a%22%0D%0A.txt", "text/plain", b"x"),
        ("more", "more", "image/png", b"y"),
    ]
    for wrong in (
        {"file": 1},
        {"title": "x"},
        {"file": "!"},
        {"file": "eA==", "more": ["eA=="] * 3},
        {"file": {"type": "a/b"}},
    ):
        with pytest.raises(Invalid):
            await next_.invoke("upload", {"body": wrong}, context)
    assert len(server.seen) == 1


async def test_a_media_type_of_a_part_ends_no_line(described: Any, reply: Any, context: Context) -> None:
    fields = "{title: {type: string}, file: {type: string, format: binary}}"
    forged = r"""{contentType: "text/plain\r\nContent-Disposition: form-data; name=role"}"""
    form = f"{{schema: {{type: object, properties: {fields}}}, encoding: {{title: {forged}, file: {forged}}}}}"
    body = f"requestBody: {{content: {{multipart/form-data: {form}}}}}"
    text = f"{HEAD}  /files: {{post: {{operationId: upload, {body}, responses: {{}}}}}}\n"
    next_, server = await described(reply("204 No Content", b""), text)
    await next_.invoke("upload", {"body": {"title": "x", "file": "eA=="}}, context)
    assert parts(server.seen[0]) == [
        ("title", None, "text/plain", b"x"),
        ("file", "file", "application/octet-stream", b"x"),
    ]
    assert b"role" not in server.seen[0].body


async def test_a_large_file_is_streamed(described: Any, reply: Any, context: Context) -> None:
    spool = Spool()
    for _ in range(64):
        spool.write(b"0123456789abcdef" * 4096)
    next_, server = await described(reply("204 No Content", b""), HEAD + FILE)
    await next_.invoke("upload", {"body": {"file": spool.blob()}}, context)
    assert [(len(each[3]), each[3][:16]) for each in parts(server.seen[0])] == [(4 * 2**20, b"0123456789abcdef")]


@pytest.mark.parametrize(
    ("media", "value", "sent", "told"),
    [
        ("text/csv", "ä;b\n", "ä;b\n".encode(), "text/csv; charset=utf-8"),
        ("application/xml", "<a/>", b"<a/>", "application/xml; charset=utf-8"),
        ("application/octet-stream", base64_of(b"\0\1"), b"\0\1", "application/octet-stream"),
        ("image/png", base64_of(b"\0\1"), b"\0\1", "image/png"),
        ('"*/*"', Blob(b"\0\1", media_type="image/gif"), b"\0\1", "image/gif"),
    ],
    ids=["csv", "xml", "bytes", "png", "any"],
)
async def test_texts_and_bytes(
    described: Any, document: Any, reply: Any, context: Context, media: str, value: Any, sent: bytes, told: str
) -> None:
    next_, server = await described(reply("200 OK", b"1"), document("/a", "put", body=f"{{{media}: {{}}}}"))
    await next_.invoke("op", {"body": value}, context)
    assert (server.seen[0].body, server.seen[0].headers["content-type"]) == (sent, told)


# ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────

PDF = "{200: {description: ok, content: {application/pdf: {}, application/json: {schema: {type: object}}}}}"
TEXT = "{200: {description: ok, content: {text/plain: {}}}, 204: {description: none}}"


@pytest.mark.parametrize(
    ("size", "inline", "is_blob"),
    [(10, None, False), (10, 9, True), (10, 10, False), (2**20, 100, True), (2**20, None, False)],
)
async def test_bytes_are_base64_or_a_blob(
    described: Any, document: Any, reply: Any, context: Context, size: int, inline: int | None, is_blob: bool
) -> None:
    content = b"\0\xff" * (size // 2)
    next_, server = await described(
        reply("200 OK", content, "Content-Type: application/pdf"), document("/a", "get", responses=PDF)
    )
    result = await next_.invoke("op", {}, context._replace(inline=inline))
    if is_blob:
        assert isinstance(result.value, Blob)
        assert (result.value.read(), result.value.media_type) == (content, "application/pdf")
    else:
        assert base64.b64decode(result.value) == content
    assert server.seen[0].headers["accept"] == "application/pdf, application/json, application/problem+json"


async def test_an_operation_with_bytes_answers_json_and_errors_too(
    described: Any, document: Any, reply: Any, context: Context
) -> None:
    answers = [
        reply("200 OK", b'{"a": 1}', "Content-Type: application/json"),
        reply("404 Not Found", b"%PDF", "Content-Type: application/pdf"),
        reply("200 OK", b"<html>", "Content-Type: text/html"),
        reply("200 OK", b"x" * 2000, "Content-Type: application/pdf"),
    ]

    async def next_answer(_: Any) -> bytes:
        return answers.pop(0)

    next_, _ = await described(next_answer, document("/a", "get", responses=PDF), max_body=1024)
    assert (await next_.invoke("op", {}, context)).value == {"a": 1}
    for kind in (NotFound, BadReply, BadReply):
        with pytest.raises(kind):
            await next_.invoke("op", {}, context)


@pytest.mark.parametrize(
    ("head", "body", "value"),
    [
        ("text/plain", "ä".encode(), "ä"),
        ("text/plain; charset=iso-8859-1", b"\xe4", "ä"),
        ("text/plain; charset=nothing", b"a", None),
        ("text/plain", b"\xff", None),
        ("text/html", b"<login>", None),
    ],
)
async def test_texts(
    described: Any, document: Any, reply: Any, context: Context, head: str, body: bytes, value: str | None
) -> None:
    text = document("/a", "get", responses=TEXT)
    next_, _ = await described(reply("200 OK", body, f"Content-Type: {head}"), text)
    if value is None:
        with pytest.raises(BadReply):
            await next_.invoke("op", {}, context)
    else:
        assert (await next_.invoke("op", {}, context)).value == value
    assert next_.operations()["op"].output == {"anyOf": [{"type": "string"}, {"type": "null"}]}


async def test_what_the_document_has_not_cannot_be_called(
    described: Any, document: Any, reply: Any, context: Context
) -> None:
    lookup = "GET /by-key/{idempotency_key}"
    next_, server = await described(reply("200 OK", b"1"), document("/a", "get"), lookup=lookup)
    for name in ("GET /b", "other", "POST /a"):
        with pytest.raises(DoNotRetry):
            await next_.invoke(name, {}, context)
    assert server.seen == []
    assert (await next_.lookup("op", "key", context)).value == 1
