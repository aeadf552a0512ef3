"""Files of Access, by the real tools over a real file.

The file is from meza's tests (https://github.com/reubano/meza, MIT; its licence stands beside it): records of a London
guild as Access 2000 wrote them, with dates of the 16th century that the tools can't tell.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters import registry
from adapters.contract import Workspace
from adapters.errors import BadReply, ConfigError, DoNotRetry, Invalid, NotFound, Unavailable

DATA = Path(__file__).parent / "access" / "merchant_taylors.mdb.gz"
TABLES = """
tables:
  member:
    table: merchant_taylors
    primary_key: [Id No]
    columns:
      - {name: Id No, type: integer}
      - {name: Surname, type: text, nullable: true}
      - {name: Forenames, type: text, nullable: true}
      - {name: How Admitted, type: text, nullable: true}
      - {name: Notes, type: text, nullable: true}
      - {name: Freedom, type: timestamp, nullable: true}
"""
PLAIN = ["Id No", "Surname", "Forenames", "How Admitted", "Notes"]
FAKE = """
tables:
  t:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: price, type: 'decimal(10,4)', nullable: true}
      - {name: ok, type: boolean, nullable: true}
      - {name: day, type: date, nullable: true}
      - {name: 'a "quoted" name', type: text, nullable: true}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "drop" / "members.mdb"
    path.parent.mkdir()
    path.write_bytes(gzip.decompress(DATA.read_bytes()))
    return path


@pytest.fixture
async def access(tmp_path: Path) -> Any:
    """`access(path, tables)`: the adapter."""
    made: list[Any] = []

    def build(path: Path, tables: str = TABLES, **config: Any) -> Any:
        kind = registry.kind("odbc")
        files = {"openapi/sources/guild/tables.yaml": tables.encode()}
        workspace = Workspace(files, tmp_path / "cache")
        made.append(kind.build("guild", kind.config(access=str(path), **config), workspace))
        return made[-1]

    yield build
    for each in made:
        await each.close()


def _printed(path: Path) -> list[dict[str, Any]]:
    """The rows as the tools' own client prints them, NULL as nothing."""
    command = ["mdb-export", str(path), "merchant_taylors"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [{name: row[name] or None for name in PLAIN} for row in csv.DictReader(io.StringIO(text))]
    return [{**row, "Id No": int(row["Id No"] or 0)} for row in rows]


async def test_rows_are_what_the_tools_print(file, access, soon):
    adapter, wanted = access(file), _printed(file)
    assert len(wanted) == 20
    found: list[Any] = []
    after = None
    while True:
        request = {"limit": 7, "after": after, "fields": PLAIN}
        page = (await adapter.invoke("member.list", request, soon())).value
        found += page["items"]
        after = page["next"]
        if after is None:
            break
    assert found == sorted(wanted, key=lambda row: row["Id No"])
    for row in wanted:
        got = await adapter.invoke("member.get", {"Id No": row["Id No"], "fields": PLAIN}, soon())
        assert got.value == row
    assert [row async for batch in adapter.bulk("member.list", {"fields": PLAIN}, soon()) for row in batch] == found
    with pytest.raises(NotFound):
        await adapter.invoke("member.get", {"Id No": 12345}, soon())


async def test_it_is_asked_like_any_database(file, access, soon):
    adapter = access(file)
    request = {"limit": 50, "fields": ["Forenames"], "sort": ["-Forenames"], "where": [["Surname", "eq", "Abbott"]]}
    names = [item["Forenames"] for item in (await adapter.invoke("member.list", request, soon())).value["items"]]
    assert names == sorted([row["Forenames"] for row in _printed(file) if row["Surname"] == "Abbott"], reverse=True)
    with pytest.raises(Invalid):
        await adapter.invoke("member.list", {"limit": 50, "where": [["nothing", "eq", 1]]}, soon())
    assert set(adapter.operations()) == {"member.list", "member.get"}


async def test_dates_that_the_tools_can_not_tell_are_bad_replies(file, access, soon):
    adapter = access(file)
    found = await adapter.invoke("member.get", {"Id No": 22}, soon())
    assert found.value["Freedom"] == "1911-11-07T00:00:00Z"
    with pytest.raises(BadReply):  # they print 1900-01-00 for all days before their first
        await adapter.invoke("member.get", {"Id No": 23}, soon())


async def test_a_file_that_changes_is_read_anew_and_calls_go_on(file, access, soon):
    adapter = access(file)
    first = await adapter.invoke("member.get", {"Id No": 22}, soon())
    assert abs((datetime.now(UTC) - first.as_of).total_seconds()) < 60
    assert first.sources[0].as_of == first.as_of
    ended = asyncio.Event()

    async def reading() -> int:
        calls = 0
        while not ended.is_set():
            assert (await adapter.invoke("member.get", {"Id No": 22}, soon())).value == first.value
            calls += 1
        return calls

    readers = [asyncio.create_task(reading()) for _ in range(8)]
    for turn in range(4):
        draft = file.with_suffix(".draft")
        draft.write_bytes(file.read_bytes())
        os.utime(draft, (1_700_000_000 + turn, 1_700_000_000))
        draft.replace(file)
        assert (await adapter.probe(soon())).ok
    ended.set()
    assert all(await asyncio.gather(*readers))
    kept = list((file.parents[1] / "cache").glob("*.db"))
    assert len(kept) == 1
    assert (await adapter.invoke("member.get", {"Id No": 22}, soon())).as_of > first.as_of


async def test_while_it_can_not_be_read_the_last_snapshot_serves(file, access, soon):
    adapter, whole = access(file), file.read_bytes()
    first = await adapter.invoke("member.get", {"Id No": 22}, soon())
    for broken in (b"", whole[:5000], b"\0" * len(whole)):
        file.write_bytes(broken)
        probed = await adapter.probe(soon())
        assert not probed.ok
        assert "an earlier snapshot serves" in probed.detail
        later = await adapter.invoke("member.get", {"Id No": 22}, soon())
        assert later.warnings
        assert (later.value, later.as_of) == (first.value, first.as_of)
    file.unlink()
    await adapter.probe(soon())
    assert (await adapter.invoke("member.get", {"Id No": 22}, soon())).as_of == first.as_of
    file.write_bytes(whole)
    assert (await adapter.probe(soon())).ok
    again = await adapter.invoke("member.get", {"Id No": 22}, soon())
    assert again.as_of > first.as_of
    assert again.warnings == ()


async def test_without_any_snapshot_it_is_told(file, access, soon, tmp_path):
    adapter = access(tmp_path / "nothing.mdb")
    with pytest.raises(Unavailable):
        await adapter.open()
    assert not (await adapter.probe(soon())).ok
    file.rename(tmp_path / "nothing.mdb")
    assert (await adapter.probe(soon())).ok
    assert (await adapter.invoke("member.get", {"Id No": 22}, soon())).value["Surname"] == "Abbott"
    garbage = tmp_path / "garbage.mdb"
    garbage.write_bytes(b"no file of Access")
    with pytest.raises(BadReply) as told:
        await access(garbage).open()
    assert "garbage" not in told.value.message
    with pytest.raises(BadReply):
        await access(tmp_path / "nothing.mdb", TABLES.replace("merchant_taylors", "nobody")).open()


Tool = Callable[[str], None]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Puts a shell script in the place of `mdb-json`, for what no file at hand holds."""

    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "mdb-json").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "mdb-json").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


async def test_values_pass_exactly_and_are_only_values(file, access, soon, tool):
    hostile = "'); DROP TABLE t; -- ü 漢"
    tool(
        f"""echo '{{"id":1,"price":12.3400,"ok":true,"day":"2026-11-21 00:00:00","a \\"quoted\\" name":"x"}}'
cat <<'END'
{{"id":2,"price":99999999999999.1234,"a \\"quoted\\" name":"{hostile}"}}
{{"id":3,"day":"2026-11-21 10:00:00"}}
END"""
    )
    adapter = access(file, FAKE)
    first = (await adapter.invoke("t.get", {"id": 1}, soon())).value
    assert first == {"id": 1, "price": "12.3400", "ok": True, "day": "2026-11-21", 'a "quoted" name': "x"}
    request = {"limit": 5, "where": [["price", "gt", "12.3399"], ["price", "lt", "12.3401"]]}
    assert [item["id"] for item in (await adapter.invoke("t.list", request, soon())).value["items"]] == [1]
    second = (await adapter.invoke("t.get", {"id": 2, "fields": ['a "quoted" name']}, soon())).value
    assert second == {'a "quoted" name': "'); DROP TABLE t; -- ü 漢"}
    with pytest.raises(BadReply):  # a time of day is no date
        await adapter.invoke("t.get", {"id": 3}, soon())


@pytest.mark.parametrize(
    "script",
    [
        "echo '{\"id\":1}'; exit 3",
        "echo '{\"id\":1}'; kill -9 $$",
        "echo '{\"id\":1'",
        "echo '{\"id\":1}'; echo '{\"id\":1}'",
        """cat <<'END'
{"id": 1, "a \\"quoted\\" name": "a\\u0000b"}
END""",
    ],
    ids=["fails", "dies", "half", "twice", "nul"],
)
async def test_a_copy_that_is_not_whole_is_none(file, access, tool, script):
    tool(script)
    with pytest.raises(BadReply):
        await access(file, FAKE).open()
    assert not list((file.parents[1] / "cache").glob("**/*.db"))


async def test_a_file_that_is_being_written_is_left_alone(file, access, soon, tool, monkeypatch):
    adapter = access(file)
    numbers = iter(range(100))
    real = adapter._file.signature
    monkeypatch.setattr(type(adapter._file), "signature", lambda self: (*real()[:3], next(numbers)))
    with pytest.raises(Unavailable, match="is being written"):
        await adapter.invoke("member.get", {"Id No": 22}, soon())


def test_what_can_not_be_served_is_told_offline(file, access, monkeypatch, tmp_path):
    with pytest.raises(ConfigError) as told:
        access(file, TABLES.replace("type: timestamp", "type: binary"))
    assert "binary isn't read from Access" in told.value.problems[0].message
    for config in ({"dsn": "Driver=SQLite3;Database=x"}, {"read_only": False}, {"variables": {"agent": "a.b"}}):
        with pytest.raises(ValueError, match=r"one of dsn and access|only read"):
            access(file, **config)
    with pytest.raises(ValueError, match="absolute path"):
        access(Path("relative.mdb"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError) as told:
        access(file)
    assert "apt-get install mdbtools" in told.value.problems[0].message


async def test_named_queries_are_asked_of_the_snapshot(file, soon, tmp_path):
    kind = registry.kind("odbc")
    files = {
        "openapi/sources/guild/tables.yaml": TABLES.encode(),
        "openapi/sources/guild/queries/admitted.sql": b"-- param how: text\nSELECT count(*) AS n FROM merchant_taylors"
        b' WHERE "How Admitted" = :how',
        "openapi/sources/guild/queries/gone.sql": b"SELECT * FROM nothing",
    }
    adapter = kind.build("guild", kind.config(access=str(file)), Workspace(files, tmp_path / "cache"))
    wanted = sum(row["How Admitted"] == "Redn." for row in _printed(file))
    found = await adapter.invoke("admitted", {"how": "Redn."}, soon())
    assert found.value["items"] == [{"n": wanted}]
    with pytest.raises(DoNotRetry):
        await adapter.invoke("gone", {}, soon())
    await adapter.close()
