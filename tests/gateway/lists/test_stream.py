"""All of a list as NDJSON or CSV: the same items as its pages, under the same rules, to the end or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.filters.renderings import csv as csv_of
from gateway.filters.renderings import csv_head

Article = Callable[[int], dict[str, Any]]
NDJSON, CSV = "application/x-ndjson", "text/csv"


def _lines(response: Any) -> list[Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson; charset=utf-8"
    assert "content-length" not in response.headers
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.parametrize("path", ["/articles", "/articles?sort=-sku&region=north", "/seen", "/stock", "/items"])
@pytest.mark.parametrize("name", ["all", "narrow", "masked", "mixed"])
def test_all_of_a_list_is_what_its_pages_are(world: Any, path: str, name: str) -> None:
    if world.get(path, name).status_code == 403:
        assert world.get(path, name, accept=NDJSON).status_code == 403
        return
    pages = world.walk(f"{path}{'&' if '?' in path else '?'}limit=100", name)
    response = world.get(path, name, accept=NDJSON)
    assert _lines(response) == [item for page in pages for item in page]


def test_a_composite_is_told_too(world: Any) -> None:
    assert [item["sku"] for item in _lines(world.get("/all", accept=NDJSON))] == [f"S-{n:04}" for n in range(200)]


def test_csv_says_all_that_the_contract_declares(world: Any, article_of: Article) -> None:
    response = world.get("/articles", accept=CSV)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text, newline=""), strict=True))
    wanted = [{name: "" if value is None else value for name, value in article_of(n).items()} for n in range(1000)]
    assert rows == wanted
    assert world.get("/articles?fields=price,sku", accept=CSV).text.splitlines()[:2] == ["price,sku", "0.25,S00000"]
    assert world.get("/articles?expand=made_by&fields=made_by", accept=CSV).text.splitlines()[1] == (
        '"{""id"":0,""name"":""Maker 0""}"'
    )


def test_a_column_of_what_one_may_not_see_isnt_there(world: Any) -> None:
    assert world.get("/articles", "masked", accept=CSV).text.splitlines()[0] == "sku,name,region,label"
    mixed = world.get("/articles?fields=sku,price", "mixed", accept=CSV).text.splitlines()[:4]
    assert mixed == ["sku,price", "S00000,0.25", "S00001,", "S00002,"]


def test_cells_come_back_as_they_were() -> None:
    rows = [["plain", " spaces ", 'say "hi"', "a,b", "line\r\nbreak", "", "é漢", "=1+1"]]
    text = (csv_head("abcdefgh") + csv_of("abcdefgh")([dict(zip("abcdefgh", rows[0], strict=True))])).decode()
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [list("abcdefgh"), *rows]
    empty = csv_of("abcde")([{"a": None, "b": "", "c": True, "d": 1.5, "e": [1, {"x": None}]}]).decode()
    assert empty == ',"",true,1.5,"[1,{""x"":null}]"\r\n'


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/csv, application/json", "application/json"),
        ("text/csv, application/json;q=0.9", CSV),
        ("text/*", CSV),
        ("application/x-ndjson;q=0.2, text/csv;q=0.1", NDJSON),
    ],
)
def test_the_caller_says_what_it_wants(world: Any, accept: str, media: str) -> None:
    response = world.get("/articles", accept=accept)
    assert response.headers["content-type"].partition(";")[0] == media
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/articles/S00003", CSV, 406),
        ("/articles", "text/html", 406),
        ("/articles?limit=5", NDJSON, 400),
        ("/articles?fields=nothing", CSV, 400),
        ("/articles?sort=nothing", NDJSON, 400),
        ("/articles?cursor=nonsense", NDJSON, 400),
    ],
)
def test_what_cant_be_told_is_refused_before_a_line_is(world: Any, path: str, accept: str, status: int) -> None:
    response = world.get(path, accept=accept)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


def test_a_cursor_says_where_to_begin(world: Any) -> None:
    page = world.get("/articles?limit=40&fields=sku").json()
    rest = _lines(world.get(page["next"].replace("limit=40&", "").replace("&limit=40", ""), accept=NDJSON))
    assert rest == [{"sku": f"S{number:05}"} for number in range(40, 1000)]


def test_a_head_has_no_body(world: Any) -> None:
    with world.client() as client:
        response = client.head("/articles", headers={"accept": NDJSON})
        assert (response.status_code, response.content) == (200, b"")
        assert client.get("/articles?limit=1").status_code == 200


def test_the_audit_has_it_announced_and_ended(world: Any) -> None:
    response = world.get("/articles?region=north", accept=NDJSON)
    id = response.headers["figway-lineage"]
    ended = world.audited(id)
    assert ended["noted"] == {"stream": NDJSON, "rows": 334}
    assert ended["reply_bytes"] == len(response.content)
    assert [(each["operation"], each["outcome"]) for each in ended["upstream_calls"]] == [("article.list", "ok")]
    kinds = [each["kind"] for each in world.get(f"/-/audit/{id}").json()["items"]]
    assert sorted(kinds) == ["call", "intent"]


def test_half_a_character_is_never_written() -> None:
    # As in JSON: what is announced as UTF-8 is.
    for value in ("a\ud800", ["\ud800"]):
        with pytest.raises((UnicodeEncodeError, TypeError)):
            csv_of(["a"])([{"a": value}])
