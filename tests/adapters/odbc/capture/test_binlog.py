"""The binary log of a real MariaDB: every change once, in order, wherever the reader was cut off."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pyodbc
import pytest

from adapters.changes import Asked, Change, NotInstalled, PositionLost, What
from adapters.odbc.capture.binlog import Binlog
from adapters.odbc.capture.stream import Failed, Passed, settings

_TABLES = """
tables:
  cap_log:
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
      - {name: part, type: float, nullable: true}
      - {name: doc, type: json, nullable: true}
      - {name: lasts, type: interval, nullable: true}
      - {name: big, type: integer, nullable: true}
"""
_COLUMNS = (
    "region varchar(20), id int, price decimal(12,2), note text, seen timestamp(3) null, made datetime(6), day date, "
    "flag tinyint(1), raw blob, share double, part float, doc json, lasts time(3), big bigint unsigned, "
    "primary key (region, id)"
)
_FULL = (
    "('n', 1, -12.50, 'Zürich ''q'' \\\\ 🙂', '2026-07-21 10:00:00.5', '2026-11-21 10:00:00.000001', '2026-11-21', 1, "
    "x'00ff41', 0.1, 1.1, '{\"a\": [1, 2.5]}', '-26:00:00.5', 9007199254740993)"
)


def _soon() -> float:
    return time.monotonic() + 20


@pytest.fixture
async def binlog(mariadb: Any, make: Any) -> AsyncIterator[tuple[Binlog, Any]]:
    """A captured table, and its adapter."""
    mariadb.sql(f"DROP TABLE IF EXISTS cap_log; CREATE TABLE cap_log ({_COLUMNS});")
    adapter = make(mariadb, _TABLES)
    capture = adapter.capture(Asked("rows", "cap_log", "binlog", "test_log"))
    assert isinstance(capture, Binlog)
    yield capture, adapter
    await capture.close()


async def test_every_type_is_spelt_as_the_table_is_read(binlog: Any, mariadb: Any, soon: Any, drained: Any) -> None:
    capture, adapter = binlog
    start = await capture.begin(_soon())
    mariadb.sql(f"SET time_zone = '+09:00'; INSERT INTO cap_log VALUES {_FULL};")
    mariadb.sql("INSERT INTO cap_log (region, id) VALUES ('n', 2);")
    found, _ = await drained(capture, start)
    assert [each.what for each in found] == [What.INSERT, What.INSERT]
    listed = (await adapter.invoke("cap_log.list", {"limit": 10}, soon())).value["items"]
    assert [each.after for each in found] == listed


async def test_updates_deletes_keys_and_truncation(binlog: Any, mariadb: Any, drained: Any) -> None:
    capture, _ = binlog
    position = await capture.begin(_soon())
    mariadb.sql("INSERT INTO cap_log (region, id) VALUES ('n', 1), ('n', 2);")
    found, position = await drained(capture, position)
    mariadb.sql(
        "UPDATE cap_log SET note = 'x' WHERE id = 1; UPDATE cap_log SET id = 9 WHERE id = 1;"
        "DELETE FROM cap_log WHERE id = 2; /* gone */ TRUNCATE TABLE cap_log; ALTER TABLE cap_log ADD extra int;"
        "INSERT INTO cap_log (region, id) VALUES ('n', 3);"
    )
    more, _ = await drained(capture, position)
    assert [(each.what.value, each.key) for each in found + more] == [
        ("insert", ("n", 1)), ("insert", ("n", 2)), ("update", ("n", 1)), ("delete", ("n", 1)), ("insert", ("n", 9)),
        ("delete", ("n", 2)), ("truncate", ()), ("schema", ()), ("insert", ("n", 3)),
    ]  # fmt: skip
    assert more[-2].after is not None
    assert more[-2].after["columns"]["extra"] == "int(11)"
    assert len({each.id for each in found + more}) == 9


async def test_a_transaction_is_resumed_within(binlog: Any, mariadb: Any, make: Any) -> None:
    capture, adapter = binlog
    position = await capture.begin(_soon())
    mariadb.sql("INSERT INTO cap_log (region, id) SELECT 'n', seq FROM seq_1_to_3000;")
    seen: list[Change] = []
    while True:
        batch = await capture.changes(position, 700, _soon())
        seen += batch.changes
        position = batch.position
        await capture.close()
        capture = adapter.capture(Asked("rows", "cap_log", "binlog", "test_log"))
        if not batch.more:
            break
    assert [each.key[1] for each in seen] == list(range(1, 3001))
    assert len({each.id for each in seen}) == 3000


async def test_late_commits_rollbacks_and_a_log_that_is_rotated(binlog: Any, mariadb: Any, drained: Any) -> None:
    capture, _ = binlog
    position = await capture.begin(_soon())
    late = pyodbc.connect(mariadb.dsn, autocommit=False)
    try:
        late.execute("INSERT INTO cap_log (region, id) VALUES ('late', 1)")
        mariadb.sql("INSERT INTO cap_log (region, id) VALUES ('n', 2); FLUSH BINARY LOGS;")
        mariadb.sql("BEGIN; INSERT INTO cap_log (region, id) VALUES ('n', 5); ROLLBACK;")
        found, position = await drained(capture, position)
        assert [each.key for each in found] == [("n", 2)]
        late.commit()
        found, position = await drained(capture, position)
        assert [each.key for each in found] == [("late", 1)]
    finally:
        late.close()
    await capture.close()
    assert (await drained(capture, position))[0] == []


async def test_a_change_ends_the_pause(binlog: Any, mariadb: Any, drained: Any) -> None:
    capture, _ = binlog
    _, position = await drained(capture, await capture.begin(_soon()))
    started = time.monotonic()
    await capture.pause(0.2)
    assert time.monotonic() - started >= 0.19, "nothing has changed"
    mariadb.sql("INSERT INTO cap_log (region, id) VALUES ('n', 1);")
    await capture.pause(30.0)
    assert time.monotonic() - started < 10
    found, _ = await drained(capture, position)
    assert [each.key for each in found] == [("n", 1)]


async def test_a_log_that_is_gone_and_one_that_says_too_little(binlog: Any, mariadb: Any, drained: Any) -> None:
    capture, _ = binlog
    with pytest.raises(PositionLost):
        await drained(capture, "log.000000:4:0")
    mariadb.sql("SET GLOBAL binlog_row_image = MINIMAL;")
    try:
        with pytest.raises(NotInstalled, match="binlog_row_image=FULL"):
            await capture.begin(_soon())
    finally:
        mariadb.sql("SET GLOBAL binlog_row_image = FULL;")


def test_a_connection_string_says_how_the_log_is_reached() -> None:
    text = "Driver=x;Server=db;Port=3307;Uid=u;Pwd={a;}}b};SSLCA=/ca.pem;SSLVERIFY=1"
    found = settings(text)
    assert (found["host"], found["port"], found["user"], found["password"]) == ("db", 3307, "u", "a;}b")
    assert (found["ssl_ca"], found["ssl_verify_cert"]) == ("/ca.pem", True)


async def test_what_other_tables_do_is_no_reason_to_look_sooner(binlog: tuple[Binlog, Any]) -> None:
    capture, _ = binlog
    began = time.monotonic()
    capture._unread.append(Passed(("log.000001", 4)))
    await capture.pause(0.1)
    assert time.monotonic() - began >= 0.09
    capture._unread.append(Failed("it ended", lost=False))
    await capture.pause(10)
    assert time.monotonic() - began < 5
