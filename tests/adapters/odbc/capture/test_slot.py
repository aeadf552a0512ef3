"""The logical slot of a real PostgreSQL: every change once, in order, whatever is cut off."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.changes import Asked, Change, NotInstalled, PositionLost, Taken, What
from adapters.odbc.capture.decoding import Proof, Seen
from adapters.odbc.capture.slot import Slot

_TABLES = """
tables:
  cap_slot:
    primary_key: [region, id]
    columns:
      - {name: region, type: text}
      - {name: id, type: integer}
      - {name: price, type: 'decimal(12,2)', nullable: true}
      - {name: note, type: text, nullable: true}
      - {name: seen, type: timestamptz, nullable: true}
      - {name: made, type: timestamp, nullable: true}
      - {name: flag, type: boolean, nullable: true}
      - {name: raw, type: binary, nullable: true}
      - {name: share, type: float, nullable: true}
      - {name: doc, type: json, nullable: true}
      - {name: tags, type: 'text[]', nullable: true}
      - {name: code, type: char(5), nullable: true}
      - {name: lasts, type: interval, nullable: true}
"""
_COLUMNS = (
    "region text, id int, price numeric(12,2), note text, seen timestamptz, made timestamp, flag boolean, raw bytea, "
    "share float8, doc jsonb, tags text[], code char(5), lasts interval, primary key (region, id)"
)
_FULL = (
    "('n', {id}, 12.50, 'Zürich ''quoted'' \\ back', '2026-11-21 10:00:00.5+02', '2026-11-21 10:00:00', true, "
    "'\\x00ff41', 0.1, '{{\"a\": [1, 2.5]}}', '{{\"x y\",NULL,z}}', 'ab', '26 hours')"
)


def _soon() -> float:
    return time.monotonic() + 20


@pytest.fixture
async def slot(postgres: Any, make: Any) -> AsyncIterator[tuple[Slot, Any]]:
    """A captured table, and its adapter."""
    postgres.sql(f"DROP TABLE IF EXISTS cap_slot; CREATE TABLE cap_slot ({_COLUMNS});")
    adapter = make(postgres, _TABLES)
    capture = adapter.capture(Asked("rows", "cap_slot", "slot", "test_slot"))
    assert isinstance(capture, Slot)
    await capture.install(_soon())
    yield capture, adapter
    await capture.close()
    await capture.remove(_soon())


async def _listed(adapter: Any, soon: Any) -> list[Any]:
    return list((await adapter.invoke("cap_slot.list", {"limit": 1000}, soon())).value["items"])


async def test_every_type_is_spelt_as_the_table_is_read(slot: Any, postgres: Any, soon: Any, drained: Any) -> None:
    capture, adapter = slot
    start = await capture.begin(_soon())
    postgres.sql(f"INSERT INTO cap_slot VALUES {_FULL.format(id=1)}; INSERT INTO cap_slot VALUES ('n', 2);")
    found, _ = await drained(capture, start)
    assert [each.what for each in found] == [What.INSERT, What.INSERT]
    assert [each.key for each in found] == [("n", 1), ("n", 2)]
    assert [each.after for each in found] == await _listed(adapter, soon)
    assert all(each.at is not None and each.at.tzinfo is not None for each in found)


async def test_updates_deletes_changes_of_keys_and_truncation(slot: Any, postgres: Any, drained: Any) -> None:
    capture, _ = slot
    start = await capture.begin(_soon())
    postgres.sql(
        "INSERT INTO cap_slot (region, id) VALUES ('n', 1), ('n', 2); UPDATE cap_slot SET note = 'x' WHERE id = 1;"
        "UPDATE cap_slot SET id = 9 WHERE id = 1; DELETE FROM cap_slot WHERE id = 2; TRUNCATE cap_slot;"
    )
    found, _ = await drained(capture, start)
    assert [(each.what.value, each.key) for each in found] == [
        ("insert", ("n", 1)), ("insert", ("n", 2)), ("update", ("n", 1)), ("delete", ("n", 1)), ("insert", ("n", 9)),
        ("delete", ("n", 2)), ("truncate", ()),
    ]  # fmt: skip
    assert found[4].after is not None
    assert found[4].after["note"] == "x"
    assert len({each.id for each in found}) == len(found)


async def test_a_large_value_that_did_not_change_is_there_all_the_same(slot: Any, postgres: Any, drained: Any) -> None:
    capture, _ = slot
    start = await capture.begin(_soon())
    postgres.sql(
        "INSERT INTO cap_slot (region, id, note) SELECT 'n', 1, string_agg(md5(g::text), '') FROM "
        "generate_series(1, 500) g; UPDATE cap_slot SET price = 1 WHERE id = 1;"
    )
    found, _ = await drained(capture, start)
    assert found[1].after is not None
    assert found[0].after is not None
    assert len(found[1].after["note"]) == 16000
    assert found[1].after["note"] == found[0].after["note"]


async def test_a_new_column_is_told_once_and_before_the_rows_that_have_it(
    slot: Any, postgres: Any, drained: Any
) -> None:
    capture, _ = slot
    start = await capture.begin(_soon())
    postgres.sql("INSERT INTO cap_slot (region, id) VALUES ('n', 1);")
    _, position = await drained(capture, start)
    postgres.sql(
        "ALTER TABLE cap_slot ADD COLUMN extra int; INSERT INTO cap_slot (region, id) VALUES ('n', 2), ('n', 3);"
    )
    found, end = await drained(capture, position)
    assert [each.what.value for each in found] == ["schema", "insert", "insert"]
    assert found[0].after is not None
    assert found[0].after["columns"]["extra"] == "integer"
    again, _ = await drained(capture, position)
    assert again == found
    postgres.sql("INSERT INTO cap_slot (region, id) VALUES ('n', 4);")
    assert [each.what.value for each in (await drained(capture, end))[0]] == ["insert"]


async def test_a_transaction_of_any_length_is_resumed_within(slot: Any, postgres: Any) -> None:
    capture, _ = slot
    start = await capture.begin(_soon())
    postgres.sql("INSERT INTO cap_slot (region, id) SELECT 'n', g FROM generate_series(1, 9000) g;")
    seen: list[Change] = []
    position = start
    while True:
        batch = await capture.changes(position, 2000, _soon())
        seen += batch.changes
        position = batch.position
        await capture.release(position, _soon())
        capture._reading = None  # as after a kill: the cursor is gone
        if not batch.more:
            break
    assert [each.key[1] for each in seen] == list(range(1, 9001))
    assert len({each.id for each in seen}) == 9000


async def test_many_short_transactions_are_read_on_though_the_slot_moves_seldom(
    slot: Any, postgres: Any, drained: Any
) -> None:
    capture, _ = slot
    position = await capture.begin(_soon())
    postgres.sql("".join(f"INSERT INTO cap_slot (region, id) VALUES ('n', {each});" for each in range(300)))
    seen: list[int] = []
    for _ in range(60):
        batch = await capture.changes(position, 50, _soon())
        seen += [each.key[1] for each in batch.changes]
        position = batch.position
        await capture.release(position, _soon())
        if not batch.more:
            break
    assert seen == list(range(300))
    again = capture.__class__(capture._base)
    try:
        assert (await drained(again, position))[0] == []
    finally:
        await again.close()


@pytest.mark.parametrize(("inserted", "told"), [(100, 7.0), (101, 5.0), (8192 + 24, 7.0)])
def test_what_is_not_on_the_disk_yet_is_not_proven(inserted: int, told: float) -> None:
    proof, flushed = Proof(), inserted if inserted == 100 else inserted // 8192 * 8192 or 100
    assert proof.told(Seen(5.0, 0, 100, 100)) == (5.0, True)
    assert proof.told(Seen(7.0, 0, flushed, inserted)) == (told, told == 7.0)
    assert proof.told(Seen(8.0, 0, inserted, inserted + 50)) == (7.0, False)
    assert proof.told(Seen(9.0, 0, inserted + 50, inserted + 50)) == (9.0, True)


async def test_a_commit_that_comes_late_is_told_when_it_comes(
    slot: Any, postgres: Any, servers: Any, drained: Any
) -> None:
    import pyodbc

    capture, _ = slot
    start = await capture.begin(_soon())
    late = pyodbc.connect(postgres.dsn)
    try:
        late.execute("INSERT INTO cap_slot (region, id) VALUES ('late', 1)")
        postgres.sql("INSERT INTO cap_slot (region, id) VALUES ('n', 2);")
        found, position = await drained(capture, start)
        assert [each.key for each in found] == [("n", 2)]
        await capture.release(position, _soon())
        late.commit()
        found, _ = await drained(capture, position)
        assert [each.key for each in found] == [("late", 1)]
    finally:
        late.close()


async def test_a_slot_that_is_gone_or_was_read_by_another_is_said_so(slot: Any, postgres: Any) -> None:
    capture, _ = slot
    start = await capture.begin(_soon())
    postgres.sql("INSERT INTO cap_slot (region, id) VALUES ('n', 1);")
    postgres.sql("SELECT pg_replication_slot_advance('test_slot_rows', pg_current_wal_lsn());")
    with pytest.raises(PositionLost):
        await capture.changes(start, 10, _soon())
    postgres.sql("SELECT pg_drop_replication_slot('test_slot_rows');")
    with pytest.raises(PositionLost):
        await capture.changes(start, 10, _soon())


async def test_without_a_publication_nothing_is_made(slot: Any, postgres: Any) -> None:
    capture, _ = slot
    postgres.sql("DROP PUBLICATION test_slot_rows;")
    with pytest.raises(NotInstalled):
        await capture.begin(_soon())
    assert postgres.sql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'test_slot_rows'").strip() == "0"
    assert any("CREATE PUBLICATION" in each for each in capture.script())


async def test_what_others_write_moves_the_slot_along(slot: Any, postgres: Any, drained: Any) -> None:
    capture, _ = slot
    position = await capture.begin(_soon())
    postgres.sql("CREATE TABLE IF NOT EXISTS cap_other (t text);")
    for _ in range(3):
        postgres.sql("INSERT INTO cap_other SELECT repeat('x', 200) FROM generate_series(1, 20000);")
        found, position = await drained(capture, position)
        assert found == []
        await capture.release(position, _soon())
    behind = int(
        postgres.sql(
            "SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM pg_replication_slots "
            "WHERE slot_name = 'test_slot_rows'"
        )
    )
    assert behind < 2 * 2**20
    retained = await capture.retained(_soon())
    assert retained.size is not None
    assert retained.size > 0
    postgres.sql("DROP TABLE cap_other;")
    json.dumps(capture.guarantee.document())


async def test_two_gateways_do_not_take_each_others_changes(slot: Any, postgres: Any, drained: Any) -> None:
    capture, adapter = slot
    await capture.remove(_soon())
    await capture.install(_soon())
    first, second = (adapter.capture(Asked("rows", "cap_slot", "slot", "test_slot", each * 8)) for each in "ab")
    try:
        position = await first.begin(_soon())
        with pytest.raises(Taken, match=r"another gateway .aaaaaaaa. captures rows"):
            await second.begin(_soon())
        postgres.sql("INSERT INTO cap_slot (region, id) VALUES ('n', 1);")
        with pytest.raises(PositionLost):
            await second.changes(position, 10, _soon())
        assert [each.key for each in (await drained(first, position))[0]] == [("n", 1)]
        position = await first.begin(_soon())  # its own slot it makes anew
        await second.remove(_soon())
        await second.install(_soon())
        await second.begin(_soon())
        with pytest.raises(PositionLost):
            await first.changes(position, 10, _soon())
        with pytest.raises(Taken, match="bbbbbbbb"):
            await first.begin(_soon())
    finally:
        await first.close()
        await second.close()
