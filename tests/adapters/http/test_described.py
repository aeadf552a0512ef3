"""Calls as an OpenAPI document describes them: what goes out, judged by other parsers, and what comes back."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Context
from adapters.errors import Invalid
from adapters.http.parameters import Parameter
from adapters.secret import Reference

PATH = "openapi/sources/next/api.yaml"
HEAD = "openapi: 3.1.0\ninfo: {title: API, version: '1'}\npaths:\n"
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
    document: Any,
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
        ("[{name: q, in: query}, {name: t, in: query}]", {"query": {"t": "a", "q": {"t": "b"}}}, ["/query/q"]),
        ("[{name: q, in: query}, {name: t, in: query}]", {"query": {"q": {"T": "b"}}}, ["/query/q"]),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_not_sent(
    described: Any, document: Any, reply: Any, context: Context, parameters: str, input: Any, pointers: list[str]
) -> None:
    next_, server = await described(reply("200 OK", b"1"), document("/a", "get", parameters))
    with pytest.raises(Invalid) as caught:
        await next_.invoke("op", input, context)
    assert [each.pointer for each in caught.value.errors] == pointers
    assert server.seen == []


async def test_headers_of_the_gateways_own_are_nobodys(
    described: Any, document: Any, reply: Any, context: Context
) -> None:
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


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────

LISTED = "[{name: page, in: query, schema: {type: integer}}, {name: town, in: query, schema: {enum: [York]}}]"


async def test_a_described_list(described: Any, document: Any, reply: Any, context: Context) -> None:
    async def pages(seen: Any) -> bytes:
        number = int(dict(parse_qsl(seen.target.partition("?")[2]))["page"])
        return reply("200 OK", b"[1, 2]" if number < 3 else b"[]")

    lists = {"GET /a": {"style": "page", "position": "page", "filters": {"town": "town"}}}
    next_, _ = await described(pages, document("/a", "get", LISTED), lists=lists)
    assert next_.operations()["op"].is_list
    assert next_.accepts("GET /a").is_list
    result = await next_.invoke("op", {"limit": 10, "where": [["town", "eq", "York"]]}, context)
    assert result.value == {"items": [1, 2, 1, 2], "next": None}
    with pytest.raises(Invalid):
        await next_.invoke("op", {"limit": 10, "where": [["town", "eq", "Leeds"]]}, context)


async def test_a_link_is_followed_as_the_api_spelt_it(
    described: Any, document: Any, reply: Any, context: Context
) -> None:
    async def pages(seen: Any) -> bytes:
        more = "page" not in seen.target
        return reply("200 OK", b"[1]", *(['Link: </a?page=2&token=x%20y>; rel="next"'] if more else []))

    next_, server = await described(pages, document("/a", "get", LISTED), lists={"GET /a": {"style": "link"}})
    result = await next_.invoke("GET /a", {"limit": 10}, context)
    assert result.value == {"items": [1, 1], "next": None}
    assert server.seen[1].target == "/api/a?page=2&token=x%20y"
