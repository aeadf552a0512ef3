"""Outboxes of the three databases: every change, spelt as the table is read, late commits included."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pyodbc
import pytest

from adapters.changes import Asked, Batch, Change, NotInstalled, Taken, What
from adapters.odbc.capture.outbox import Outbox
from adapters.odbc.session import Session

_TABLES = """
tables:
  cap_out:
    primary_key: [region, id]
    columns:
      - {name: region, type: text}
      - {name: id, type: integer}
      - {name: price, type: 'decimal(12,2)', nullable: true}
      - {name: note, type: text, nullable: true}
      - {name: seen, type: timestamptz, nullable: true}
      - {name: made, type: timestamp, nullable: true}
      - {name: day, type: date, nullable: true}
      - {name: flag, type: boolean, nullable: true}
      - {name: raw, type: binary, nullable: true}
      - {name: share, type: float, nullable: true}
"""
_COLUMNS = {
    "postgresql": "region text, id int, price numeric(12,2), note text, seen timestamptz, made timestamp, day date, "
    "flag boolean, raw bytea, share float8, primary key (region, id)",
    "mariadb": "region varchar(20), id int, price decimal(12,2), note text, seen timestamp null, made datetime(3), "
    "day date, flag tinyint(1), raw blob, share double, primary key (region, id)",
    "sqlite": "region text, id integer, price numeric, note text, seen text, made text, day text, flag integer, "
    "raw blob, share real, primary key (region, id)",
}
_BYTES = {"postgresql": "'\\x00ff41'", "mariadb": "x'00ff41'", "sqlite": "x'00ff41'"}


def _soon() -> float:
    return time.monotonic() + 20


@pytest.fixture
async def outbox(database: Any, make: Any) -> AsyncIterator[tuple[Outbox, Any, Any]]:
    """A captured table, its adapter, and the database."""
    database.fresh("cap_out", _COLUMNS[database.kind])
    adapter = make(database, _TABLES)
    capture = adapter.capture(Asked("rows", "cap_out", "outbox", "test_out"))
    assert isinstance(capture, Outbox)
    await capture.install(_soon())
    yield capture, adapter, database
    await capture.remove(_soon())
    database.run("DROP TABLE cap_out;")


async def _all(capture: Outbox, position: str, limit: int = 3) -> tuple[list[Change], str]:
    found: list[Change] = []
    while True:
        batch: Batch = await capture.changes(position, limit, _soon())
        found += batch.changes
        position = batch.position
        if not batch.more:
            await capture.release(position, _soon())
            return found, position


async def test_changes_are_spelt_as_the_table_is_read(outbox: Any, soon: Any) -> None:
    capture, adapter, database = outbox
    start = await capture.begin(_soon())
    raw = _BYTES[database.kind]
    database.run(
        f"INSERT INTO cap_out VALUES ('n', 1, 12.50, 'Zürich ''quoted'' and \"more\"', '2026-11-21 10:00:00', "
        f"'2026-11-21 10:00:00.5', '2026-11-21', {'true' if database.kind == 'postgresql' else 1}, {raw}, 0.1);"
        "INSERT INTO cap_out (region, id) VALUES ('n', 2);"
    )
    found, _ = await _all(capture, start)
    assert [each.what for each in found] == [What.INSERT, What.INSERT]
    listed = (await adapter.invoke("cap_out.list", {"limit": 10}, soon())).value["items"]
    assert [each.after for each in found] == listed
    assert all(each.at is not None and abs(each.at.timestamp() - time.time()) < 60 for each in found)


async def test_updates_deletes_and_changes_of_keys(outbox: Any) -> None:
    capture, _, database = outbox
    position = await capture.begin(_soon())
    database.run("INSERT INTO cap_out (region, id) VALUES ('n', 1), ('n', 2);")
    first, position = await _all(capture, position)
    database.run(
        "UPDATE cap_out SET note = 'x' WHERE id = 1; UPDATE cap_out SET id = 9 WHERE id = 1;"
        "DELETE FROM cap_out WHERE id = 2;"
    )
    found, position = await _all(capture, position)
    assert [(each.what.value, each.key) for each in found] == [
        ("update", ("n", 1)), ("delete", ("n", 1)), ("insert", ("n", 9)), ("delete", ("n", 2)),
    ]  # fmt: skip
    assert found[2].after is not None
    assert found[2].after["note"] == "x"
    assert len({each.id for each in first + found}) == 6
    assert (await _all(capture, position))[0] == []
    assert (await capture.retained(_soon())).size is None


async def test_what_is_stored_is_not_told_again_and_the_rest_is(outbox: Any) -> None:
    capture, _, database = outbox
    start = await capture.begin(_soon())
    database.run("INSERT INTO cap_out (region, id) VALUES ('n', 1), ('n', 2), ('n', 3), ('n', 4), ('n', 5);")
    first = await capture.changes(start, 2, _soon())
    again = await capture.changes(start, 2, _soon())
    assert again == first, "killed before it was stored"
    second = await capture.changes(first.position, 2, _soon())
    assert [each.key[1] for each in [*first.changes, *second.changes]] == [1, 2, 3, 4]


async def test_a_late_commit_is_told_though_its_numbers_are_passed(outbox: Any) -> None:
    capture, _, database = outbox
    if database.kind == "sqlite":
        return  # has one writer at a time: no commit can be late
    position = await capture.begin(_soon())
    late = pyodbc.connect(database.dsn, autocommit=False)
    try:
        late.execute("INSERT INTO cap_out (region, id) VALUES ('late', 1)")
        database.run("INSERT INTO cap_out (region, id) VALUES ('n', 2);")
        found, position = await _all(capture, position)
        assert [each.key for each in found] == [("n", 2)]
        late.commit()
        found, _ = await _all(capture, position)
        assert [each.key for each in found] == [("late", 1)]
    finally:
        late.close()


async def test_a_rollback_tells_nothing_and_truncation_is_told_where_it_can_be(outbox: Any) -> None:
    capture, _, database = outbox
    position = await capture.begin(_soon())
    database.run("BEGIN; INSERT INTO cap_out (region, id) VALUES ('n', 1); ROLLBACK;")
    assert (await _all(capture, position))[0] == []
    if database.kind == "postgresql":
        database.run("TRUNCATE cap_out;")
        assert [each.what for each in (await _all(capture, position))[0]] == [What.TRUNCATE]
    else:
        assert capture.guarantee.misses


async def test_a_writer_with_other_settings_changes_no_spelling(outbox: Any, soon: Any) -> None:
    capture, adapter, database = outbox
    position = await capture.begin(_soon())
    settings = {
        "postgresql": "SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET bytea_output = 'escape';",
        "mariadb": "SET time_zone = '+09:00';",
        "sqlite": "",
    }[database.kind]
    raw = _BYTES[database.kind]
    database.run(
        f"{settings} INSERT INTO cap_out (region, id, seen, made, day, raw) VALUES "
        f"('n', 1, '2026-07-01 00:30:00', '2026-07-01 00:30:00', '2026-07-01', {raw});"
    )
    found, _ = await _all(capture, position)
    listed = (await adapter.invoke("cap_out.list", {"limit": 10}, soon())).value["items"]
    assert [each.after for each in found] == listed


async def test_without_its_table_the_capture_says_so(outbox: Any) -> None:
    capture, _, _ = outbox
    await capture.remove(_soon())
    with pytest.raises(NotInstalled):
        await capture.begin(_soon())
    await capture.install(_soon())
    await capture.install(_soon())


async def test_triggers_made_anew_for_a_new_column_are_an_event(outbox: Any, make: Any) -> None:
    capture, _, database = outbox
    position = await capture.begin(_soon())
    database.run("INSERT INTO cap_out (region, id) VALUES ('n', 1);")
    _, position = await _all(capture, position)
    database.run("ALTER TABLE cap_out ADD COLUMN extra integer;")
    tables = _TABLES + "      - {name: extra, type: integer, nullable: true}\n"
    newer = make(database, tables).capture(Asked("rows", "cap_out", "outbox", "test_out"))
    database.run("INSERT INTO cap_out (region, id) VALUES ('n', 2);")
    await newer.install(_soon())
    database.run("INSERT INTO cap_out (region, id, extra) VALUES ('n', 3, 7);")
    found, _ = await _all(newer, position)
    assert [each.what.value for each in found] == ["insert", "schema", "insert"]
    assert found[1].after["columns"]["extra"] == "integer"
    assert found[2].after["extra"] == 7
    assert "extra" not in found[0].after


async def test_two_gateways_do_not_take_each_others_changes(outbox: Any) -> None:
    _, adapter, database = outbox
    first, second = (adapter.capture(Asked("rows", "cap_out", "outbox", "test_out", each * 8)) for each in "ab")
    position = await first.begin(_soon())
    with pytest.raises(Taken, match=r"another gateway .aaaaaaaa. captures rows"):
        await second.begin(_soon())
    database.run("INSERT INTO cap_out (region, id) VALUES ('n', 1);")
    batch = await first.changes(position, 10, _soon())
    for refused in (second.changes(position, 10, _soon()), second.release(batch.position, _soon())):
        with pytest.raises(Taken):
            await refused
    again = adapter.capture(Asked("rows", "cap_out", "outbox", "test_out", "a" * 8))
    found, position = await _all(again, position)
    assert [each.key for each in found] == [("n", 1)], "it is still there"
    await second.remove(_soon())
    await second.install(_soon())
    taken = await second.begin(_soon())
    assert (await _all(second, taken))[0] == []
    database.run("INSERT INTO cap_out (region, id) VALUES ('n', 2);")
    batch = await second.changes(taken, 10, _soon())
    with pytest.raises(Taken):
        await again.release(batch.position, _soon())
    assert len((await second.changes(taken, 10, _soon())).changes) == 1


async def test_who_writes_meanwhile_does_not_hinder_the_release(outbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, adapter, database = outbox
    capture = adapter.capture(Asked("rows", "cap_out", "outbox", "test_out", "c" * 8))
    position = await capture.begin(_soon())
    database.run("INSERT INTO cap_out (region, id) VALUES ('n', 1);")
    batch = await capture.changes(position, 10, _soon())
    execute = Session.execute

    def late(session: Session, sql: str, parameters: Any = ()) -> Any:
        if sql.startswith("DELETE"):
            database.run("INSERT INTO cap_out (region, id) VALUES ('n', 2);")
        return execute(session, sql, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "execute", late)
        await capture.release(batch.position, _soon())
    found, _ = await _all(capture, batch.position)
    assert [each.key for each in found] == [("n", 2)]
