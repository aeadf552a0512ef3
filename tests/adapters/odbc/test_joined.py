"""Pages backwards, tables without a key, fields chosen, and rows joined along foreign keys."""

from __future__ import annotations

import random
from typing import Any

import pytest

from adapters.contract import rows_of
from adapters.errors import DoNotRetry, Invalid, NotFound

SEED = 20261121

SHOP = """
tables:
  customer:
    primary_key: [name]
    columns:
      - {name: name, type: text(20)}
      - {name: city, type: text(20), nullable: true}
      - {name: advisor, type: text(20), nullable: true}
    foreign_keys:
      - {columns: [advisor], table: customer, references: [name], parent: advised_by}
  purchase:
    table: order
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: buyer, type: text(20), nullable: true}
      - {name: total, type: 'decimal(8,2)'}
    foreign_keys:
      - {columns: [buyer], table: customer, references: [name]}
  line:
    primary_key: [purchase, number]
    columns: [{name: purchase, type: integer}, {name: number, type: integer}, {name: what, type: text(20)}]
    foreign_keys:
      - {columns: [purchase], table: order, references: [id]}
"""


@pytest.fixture
def shop(database, make):
    """Two hundred orders of three customers; the first has more than a hundred, one order has no buyer."""
    quote = "`" if database.kind == "mariadb" else '"'
    order = f"{quote}order{quote}"
    database.run(f"DROP TABLE IF EXISTS line; DROP TABLE IF EXISTS {order};")
    database.fresh("customer", "name VARCHAR(20) PRIMARY KEY, city VARCHAR(20), advisor VARCHAR(20)")
    database.fresh(order, "id INT PRIMARY KEY, buyer VARCHAR(20), total DECIMAL(8,2) NOT NULL")
    database.fresh("line", "purchase INT, number INT, what VARCHAR(20) NOT NULL, PRIMARY KEY (purchase, number)")
    database.run("INSERT INTO customer VALUES ('ann', 'Bonn', NULL), ('bob', NULL, 'ann'), ('o''c', 'Ulm', 'ann');")
    buyers = ["'ann'"] * 120 + ["'bob'"] * 79 + ["NULL"]
    orders = ", ".join(f"({key}, {buyer}, {key}.50)" for key, buyer in enumerate(buyers))
    lines = ", ".join(f"({key}, {number}, 'w{number}')" for key in range(0, 200, 10) for number in (2, 1))
    database.run(f"INSERT INTO {order} VALUES {orders}; INSERT INTO line VALUES {lines};")
    return make(database, SHOP)


async def test_a_row_referred_to_and_those_that_refer_come_along(shop, soon):
    asked = {"limit": 3, "sort": ["-id"], "expand": ["customer", "line"], "fields": ["id"]}
    answer = (await shop.invoke("purchase.list", asked, soon())).value
    ann, bob = {"name": "ann", "city": "Bonn", "advisor": None}, {"name": "bob", "city": None, "advisor": "ann"}
    none = {"items": [], "next": None}
    assert answer["items"] == [
        {"id": key, "customer": bob if key < 199 else None, "line": none} for key in (199, 198, 197)
    ]
    got = (await shop.invoke("purchase.get", {"id": 10, "expand": ["line", "customer"]}, soon())).value
    lines = [{"purchase": 10, "number": number, "what": f"w{number}"} for number in (1, 2)]
    assert got == {"id": 10, "buyer": "ann", "total": "10.50", "customer": ann, "line": {"items": lines, "next": None}}


async def test_children_are_bounded_and_go_on_as_a_list(shop, soon):
    children = (await shop.invoke("customer.get", {"name": "ann", "expand": ["purchase"]}, soon())).value["purchase"]
    assert [item["id"] for item in children["items"]] == list(range(100))
    more = {"limit": 100, "where": [["buyer", "eq", "ann"]], "after": children["next"]}
    rest = (await shop.invoke("purchase.list", more, soon())).value
    assert [item["id"] for item in rest["items"]] == list(range(100, 120))


async def test_a_table_that_refers_to_itself_tells_both_ends_apart(shop, soon):
    asked = {"name": "ann", "fields": ["city"], "expand": ["advised_by", "customer_of_advisor"]}
    got = (await shop.invoke("customer.get", asked, soon())).value
    advised = got.pop("customer_of_advisor")["items"]
    assert got == {"city": "Bonn", "advised_by": None}
    assert [each["name"] for each in advised] == ["bob", "o'c"]
    assert "customer_of_advisor" in shop.operations()["customer.get"].input["properties"]["expand"]["items"]["enum"]


async def test_it_costs_no_query_a_row(shop, soon, monkeypatch):
    from adapters.odbc.session import Session

    sent: list[str] = []
    execute = Session.execute
    monkeypatch.setattr(
        Session, "execute", lambda self, sql, values=(): (sent.append(sql), execute(self, sql, values))[1]
    )
    asked = {"limit": 200, "expand": ["customer", "line"]}
    items = (await shop.invoke("purchase.list", asked, soon(30))).value["items"]
    assert sum(len(item["line"]["items"]) for item in items) == 40
    # The page; two customers singly; the lines of two hundred orders by fifty.
    assert len(sent) <= 1 + 2 + 4


async def test_what_can_not_be_joined_is_refused(shop, soon):
    for names, pointer in ((["line", "line"], "/expand/1"), (["x"], "/expand/0"), ("line", "/expand")):
        with pytest.raises(Invalid) as caught:
            await shop.invoke("purchase.list", {"limit": 1, "expand": names}, soon())
        assert caught.value.errors[0].pointer == pointer
    with pytest.raises(Invalid):
        await shop.invoke("purchase.list", {"limit": 1, "fields": ["id", "id"]}, soon())
    with pytest.raises(DoNotRetry):  # whose rows are narrowed sees nothing else by this way
        await shop.invoke("purchase.list", {"limit": 1, "expand": ["line"], "rows": [[["id", "eq", 1]]]}, soon())
    with pytest.raises(NotFound):
        await shop.invoke("purchase.get", {"id": 999, "fields": ["id"]}, soon())


@pytest.mark.parametrize("sort", [[], ["-buyer"], ["buyer", "-total"], ["-id"]])
async def test_pages_go_back_as_they_came(shop, soon, sort):
    whole = (await shop.invoke("purchase.list", {"limit": 1000, "sort": sort}, soon())).value["items"]
    page: dict[str, Any] = {"next": None}
    pages = []
    for _ in range(5):
        request = {"limit": 45, "sort": sort, "after": page["next"], "before": None}
        page = (await shop.invoke("purchase.list", request, soon())).value
        pages.append(page)
    assert [item for each in pages for item in each["items"]] == whole
    assert pages[0]["previous"] is None
    place = pages[-1]["previous"]
    for each in reversed(pages[:-1]):
        back = (await shop.invoke("purchase.list", {"limit": 45, "sort": sort, "before": place}, soon())).value
        assert back["items"] == each["items"]
        forth = {"limit": 45, "sort": sort, "after": back["next"]}
        assert (await shop.invoke("purchase.list", forth, soon())).value["items"] == pages[pages.index(each) + 1][
            "items"
        ]
        place = back["previous"]
    assert place is None


KEYLESS = """
tables:
  log:
    columns:
      - {name: a, type: integer, nullable: true}
      - {name: t, type: text(10), nullable: true}
"""


@pytest.mark.parametrize("sort", [[], ["-t"]])
async def test_a_table_without_key_gives_each_of_its_equal_rows_once(database, make, soon, sort):
    database.fresh("log", "a INT, t VARCHAR(10)")
    draw = random.Random(SEED)
    print("seed", SEED)
    rows = [(draw.choice([None, 1, 2]), draw.choice([None, "", "x"])) for _ in range(60)]
    values = ", ".join(f"({'NULL' if a is None else a}, {'NULL' if text is None else repr(text)})" for a, text in rows)
    database.run(f"INSERT INTO log VALUES {values};")
    adapter = make(database, KEYLESS)
    assert set(adapter.operations()) == {"log.list", "log.insert"}
    whole = (await adapter.invoke("log.list", {"limit": 100, "sort": sort}, soon())).value["items"]
    assert sorted(map(repr, whole)) == sorted(repr({"a": a, "t": text}) for a, text in rows)
    for limit in (1, 7):
        found, after = [], None
        for _ in range(200):
            page = (await adapter.invoke("log.list", {"limit": limit, "sort": sort, "after": after}, soon())).value
            found += page["items"]
            after = page["next"]
            if after is None:
                break
        assert found == whole
    with pytest.raises(Invalid):
        await adapter.invoke("log.list", {"limit": 1, "before": after or {"sort": ["a", "t"], "at": [1, "x"]}}, soon())
    for skip in (-1, True, 10**9, "1"):
        request = {"limit": 1, "after": {"sort": ["a", "t"], "at": [1, "x"], "skip": skip}}
        with pytest.raises(Invalid):
            await adapter.invoke("log.list", request, soon())


async def test_a_table_without_key_takes_new_rows(database, make, soon):
    database.fresh("log", "a INT, t VARCHAR(10)")
    adapter = make(database, KEYLESS)
    for row in ({"a": 1, "t": "x"}, {"a": 1, "t": "x"}, {"t": None}, {}):
        assert (await adapter.invoke("log.insert", row, soon())).value is None
    assert (await adapter.dry_run("log.insert", {"a": 7}, soon())).value is None
    found = (await adapter.invoke("log.list", {"limit": 10}, soon())).value["items"]
    assert found == [{"a": 1, "t": "x"}] * 2 + [{"a": None, "t": None}] * 2
    with pytest.raises(Invalid):
        await adapter.invoke("log.insert", {"a": "much"}, soon())
    with pytest.raises(DoNotRetry):  # nobody could tell whether the new row may be seen
        await adapter.invoke("log.insert", {"a": 1}, soon(rows=rows_of([[["a", "eq", 1]]])))
    assert "log.insert" not in make(database, KEYLESS, read_only=True).operations()
