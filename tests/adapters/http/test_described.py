"""Calls as an OpenAPI document describes them: what goes out, judged by other parsers, and what comes back."""

from __future__ import annotations

import base64
import email.parser
import email.policy
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.blob import Blob, Spool
from adapters.contract import Context
from adapters.errors import BadReply, DoNotRetry, Invalid, NotFound
from adapters.http.parameters import Parameter
from adapters.secret import Reference

PATH = "openapi/sources/next/api.yaml"
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


def document(path: str, method: str, parameters: str = "[]", body: str = "", responses: str = "{}") -> str:
    inner = f"operationId: op, parameters: {parameters}, responses: {responses}"
    inner += f", requestBody: {{required: true, content: {body}}}" if body else ""
    return f"{HEAD}  {path}: {{{method}: {{{inner}}}}}\n"


@pytest.fixture
def described(adapter: Any) -> Any:
    """`await described(answer, text)`: an adapter with this document on a server that answers so."""

    async def start(answer: Any, text: str, **config: Any) -> Any:
        return await adapter(answer, files={PATH: text.encode()}, openapi=PATH, **config)

    return start


# ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────

ARRAY = ["blue", "black", "brown"]
OBJECT = {"R": 100, "G": 200, "B": 150}
# The table of OpenAPI 3.1 section 4.8.12.6: style, explode, of a text, a list, an object.
STYLES = [
    ("path", "matrix", False, ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150"),
    ("path", "matrix", True, ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150"),
    ("path", "label", False, ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
    ("path", "label", True, ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
    ("path", "simple", False, "blue", "blue,black,brown", "R,100,G,200,B,150"),
    ("path", "simple", True, "blue", "blue,black,brown", "R=100,G=200,B=150"),
    ("query", "form", False, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"),
    ("query", "form", True, "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"),
    ("query", "spaceDelimited", False, None, "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150"),
    ("query", "pipeDelimited", False, None, "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150"),
    ("query", "deepObject", True, None, None, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    ("header", "simple", False, "blue", "blue,black,brown", "R,100,G,200,B,150"),
    ("header", "simple", True, "blue", "blue,black,brown", "R=100,G=200,B=150"),
]


@pytest.mark.parametrize(("where", "style", "explode", "text", "array", "object_"), STYLES)
async def test_styles_are_those_of_the_specification(
    described: Any,
    reply: Any,
    context: Context,
    where: str,
    style: str,
    explode: bool,
    text: Any,
    array: Any,
    object_: Any,
) -> None:
    path = "/a/{color}" if where == "path" else "/a"
    one = f"{{name: color, in: {where}, required: true, style: {style}, explode: {str(explode).lower()}}}"
    next_, server = await described(reply("200 OK", b"1"), document(path, "get", f"[{one}]"))
    for value, wanted in (("blue", text), (ARRAY, array), (OBJECT, object_)):
        if wanted is None:
            continue
        given_ = {"color": value}
        await next_.invoke("op", given_ if where == "path" else {where: given_}, context)
        seen = server.seen[-1]
        found = {
            "path": seen.target.removeprefix("/api/a/"),
            "query": seen.target.partition("?")[2],
            "header": seen.headers.get("color"),
        }
        assert found[where] == wanted


@given(st.text(min_size=1), st.booleans(), st.sampled_from(["form", "spaceDelimited", "pipeDelimited"]))
def test_a_query_says_what_it_was_given(value: str, reserved: bool, style: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    parameter = Parameter("näme", "query", False, style, True, reserved, True, "")
    assert parse_qsl("&".join(parameter.pairs(value)), keep_blank_values=True) == [("näme", value)]
    pairs = parse_qsl("&".join(parameter.pairs([value, "x"])), keep_blank_values=True)
    assert pairs == [("näme", value), ("näme", "x")]


@given(st.text(min_size=1) | st.lists(st.text(), min_size=1) | st.dictionaries(st.text(), st.text(), min_size=1))
def test_no_value_leaves_its_segment(value: Any) -> None:
    for style in ("simple", "label", "matrix"):
        for explode in (True, False):
            parameter = Parameter("p", "path", True, style, explode, False, True, "")
            try:
                text = parameter.path(value)
            except (Invalid, UnicodeEncodeError):
                continue
            assert not set("/\\?#%") & set(text.replace("%2F", "").replace("%5C", "")) - {"%"}
            assert not set("\x00\r\n") & set(unquote(text))
            assert ".." not in unquote(text).replace("\\", "/").split("/")


@pytest.mark.parametrize(
    ("parameters", "input", "pointers"),
    [
        ("[{name: n, in: query, required: true, schema: {type: integer}}]", {}, [""]),
        ("[{name: n, in: query, schema: {type: integer, maximum: 5}}]", {"query": {"n": 6}}, ["/query/n"]),
        ("[{name: n, in: query, schema: {type: integer}}]", {"query": {"n": "1"}}, ["/query/n"]),
        ("[{name: n, in: query}]", {"query": {"m": 1}}, ["/query"]),
        ("[{name: n, in: query}]", {"n": 1}, [""]),
        ("[{name: d, in: query, schema: {type: string, format: date}}]", {"query": {"d": "soon"}}, ["/query/d"]),
        ("[{name: X, in: header}]", {"header": {"X": {"a": {"b": 1}}}}, ["/header/X"]),
        ("[{name: X, in: header}]", {"header": {"X": "a\r\nY: b"}}, ["/header/X"]),
        ("[{name: q, in: query}]", {"query": {"q": [[1]]}}, ["/query/q"]),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_not_sent(
    described: Any, reply: Any, context: Context, parameters: str, input: Any, pointers: list[str]
) -> None:
    next_, server = await described(reply("200 OK", b"1"), document("/a", "get", parameters))
    with pytest.raises(Invalid) as caught:
        await next_.invoke("op", input, context)
    assert [each.pointer for each in caught.value.errors] == pointers
    assert server.seen == []


async def test_headers_of_the_gateways_own_are_nobodys(described: Any, reply: Any, context: Context) -> None:
    names = "Authorization, Idempotency-Key, accept, X-Api-Key, X-Trace"
    listed = ", ".join(f"{{name: {name}, in: header, required: true}}" for name in names.split(", ")[:3])
    others = ", ".join(f"{{name: {name}, in: header}}" for name in names.split(", ")[3:])
    auth = {"api_key": {"header": "X-Api-Key", "value": Reference("secret", "env:KEY")}}
    text = document("/a", "get", f"[{listed}, {others}]")
    next_, server = await described(reply("200 OK", b"1"), text, auth=auth)
    await next_.invoke("op", {"header": {"X-Trace": "a"}}, context)
    assert server.seen[0].headers["x-api-key"] == "secret"
    with pytest.raises(Invalid):
        await next_.invoke("op", {"header": {"X-Api-Key": "forged"}}, context)


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────

ANY_JSON = "{application/json: {schema: {type: object}}}"


async def test_a_json_body(described: Any, reply: Any, context: Context) -> None:
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


async def test_a_large_json_body_is_checked_and_written_too(described: Any, reply: Any, context: Context) -> None:
    body = "{application/json: {schema: {type: array, items: {type: string}}}}"
    next_, server = await described(reply("200 OK", b"1"), document("/a", "post", body=body))
    await next_.invoke("op", {"body": ["x" * 1000] * 400}, context)
    assert len(server.seen[0].body) > 400_000
    with pytest.raises(Invalid) as caught:
        await next_.invoke("op", {"body": [*["x" * 1000] * 400, 1]}, context)
    assert [each.pointer for each in caught.value.errors] == ["/body/400"]


async def test_a_form(described: Any, reply: Any, context: Context) -> None:
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
    described: Any, reply: Any, context: Context, media: str, value: Any, sent: bytes, told: str
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
    described: Any, reply: Any, context: Context, size: int, inline: int | None, is_blob: bool
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
    described: Any, reply: Any, context: Context
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
async def test_texts(described: Any, reply: Any, context: Context, head: str, body: bytes, value: str | None) -> None:
    text = document("/a", "get", responses=TEXT)
    next_, _ = await described(reply("200 OK", body, f"Content-Type: {head}"), text)
    if value is None:
        with pytest.raises(BadReply):
            await next_.invoke("op", {}, context)
    else:
        assert (await next_.invoke("op", {}, context)).value == value
    assert next_.operations()["op"].output == {"anyOf": [{"type": "string"}, {"type": "null"}]}


async def test_what_the_document_has_not_cannot_be_called(described: Any, reply: Any, context: Context) -> None:
    lookup = "GET /by-key/{idempotency_key}"
    next_, server = await described(reply("200 OK", b"1"), document("/a", "get"), lookup=lookup)
    for name in ("GET /b", "other", "POST /a"):
        with pytest.raises(DoNotRetry):
            await next_.invoke(name, {}, context)
    assert server.seen == []
    assert (await next_.lookup("op", "key", context)).value == 1


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────

LISTED = document(
    "/a", "get", "[{name: page, in: query, schema: {type: integer}}, {name: town, in: query, schema: {enum: [York]}}]"
)


async def test_a_described_list(described: Any, reply: Any, context: Context) -> None:
    async def pages(seen: Any) -> bytes:
        number = int(dict(parse_qsl(seen.target.partition("?")[2]))["page"])
        return reply("200 OK", b"[1, 2]" if number < 3 else b"[]")

    lists = {"GET /a": {"style": "page", "position": "page", "filters": {"town": "town"}}}
    next_, _ = await described(pages, LISTED, lists=lists)
    assert next_.operations()["op"].is_list
    assert next_.accepts("GET /a").is_list
    result = await next_.invoke("op", {"limit": 10, "where": [["town", "eq", "York"]]}, context)
    assert result.value == {"items": [1, 2, 1, 2], "next": None}
    with pytest.raises(Invalid):
        await next_.invoke("op", {"limit": 10, "where": [["town", "eq", "Leeds"]]}, context)


async def test_a_link_is_followed_as_the_api_spelt_it(described: Any, reply: Any, context: Context) -> None:
    async def pages(seen: Any) -> bytes:
        more = "page" not in seen.target
        return reply("200 OK", b"[1]", *(['Link: </a?page=2&token=x%20y>; rel="next"'] if more else []))

    next_, server = await described(pages, LISTED, lists={"GET /a": {"style": "link"}})
    result = await next_.invoke("GET /a", {"limit": 10}, context)
    assert result.value == {"items": [1, 1], "next": None}
    assert server.seen[1].target == "/api/a?page=2&token=x%20y"
