"""The index: fed while writers write, begun anew at need, never trusted for what is shown."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.archive import FileSource, folder_archive
from gateway.audit.index import TooBroad
from gateway.audit.question import Question, microseconds
from gateway.audit.reader import NotReady, Page, Reader
from gateway.audit.sink import AuditError

Make = Callable[..., dict[str, Any]]
COUNT = 600


def ids(page: Page) -> list[str]:
    return [item["id"] for item in page.items]


def test_what_is_written_meanwhile_is_found_by_the_next_search(reader: Reader, written: Any, make: Make) -> None:
    stop, problems = threading.Event(), []

    def write(writer: int) -> None:
        number = writer
        while not stop.is_set() and number < 4000:
            try:
                written.write([make(number + step) for step in (0, 4, 8)], writer, group=2)
            except sqlite3.Error as error:
                problems.append(error)
            number += 12

    for writer in range(4):
        written.new_writer(writer)
    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    seen: set[str] = set()
    try:
        for _ in range(10):
            page = reader.search(Question(), 5000)
            found = ids(page)
            assert seen <= set(found), "what was there stays there"
            assert [item["time"] for item in page.items] == sorted((item["time"] for item in page.items), reverse=True)
            seen = set(found)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert problems == [], "no writer was disturbed"
    with folder_archive(written.folder) as archive:
        assert len(ids(reader.search(Question(), 10_000))) == sum(
            segment.count for source in archive for segment in source.segments()
        )


def test_several_readers_share_the_index(reader: Reader, written: Any, make: Make) -> None:
    written.write([make(number) for number in range(5000)], group=50)
    answers: list[list[str]] = []

    def ask() -> None:
        answers.append(ids(reader.search(Question({"principal": "person-3"}), 1000, seconds=60)))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert all(answer == answers[0] and len(answer) == 500 for answer in answers)


def test_what_was_pruned_is_found_no_more(reader: Reader, written: Any, make: Make) -> None:
    written.write([make(number) for number in range(100)], group=10)
    assert len(ids(reader.search(Question(), 200))) == 100
    written.run("DELETE FROM segments WHERE number <= 4")
    assert len(ids(reader.search(Question(), 200))) == 60, "also before the index knows"
    written.run("INSERT INTO prunings VALUES (40, 4, 0, x'', x'')")
    written.write([make(100)])
    assert len(ids(reader.search(Question(), 200))) == 61
    with closing(sqlite3.connect(reader.index)) as index:
        assert index.execute("SELECT count(*) FROM entries").fetchone() == (61,)
    written.run("DELETE FROM segments")
    written.run("INSERT INTO prunings VALUES (101, 11, 0, x'', x'')")
    assert reader.search(Question(), 200) == Page([], None)


def test_a_log_that_was_rolled_back_and_went_on_otherwise_is_read_anew(
    reader: Reader, written: Any, make: Make
) -> None:
    written.write([make(number) for number in range(100)], group=10)
    assert len(ids(reader.search(Question(), 200))) == 100
    written.run("DELETE FROM segments WHERE number > 3")
    assert len(ids(reader.search(Question(), 200))) == 30
    written.write([make(500 + number) for number in range(80)], group=10)
    assert len(ids(reader.search(Question(), 200))) == 110


def test_the_index_is_never_trusted_for_what_is_shown(reader: Reader, three: list[dict[str, Any]]) -> None:
    reader.search(Question(), 1)
    with closing(sqlite3.connect(reader.index)) as index:
        index.execute("UPDATE entries SET principal = (SELECT number FROM names WHERE text = 'person-3')")
        index.commit()
    found = reader.search(Question({"principal": "person-3"}), 1000)
    assert len(found.items) == COUNT / 10
    assert {item["principal"] for item in found.items} == {"person-3"}
    with closing(sqlite3.connect(reader.index)) as index:
        index.execute("UPDATE entries SET start = start + 5")
        index.commit()
    assert reader.search(Question(), 1000).items == [], "bytes that are no record aren't one"


@pytest.mark.parametrize("content", [b"", b"no database, but long enough to be told from an empty one" * 20])
def test_an_index_that_cant_be_used_is_begun_anew(reader: Reader, three: list[dict[str, Any]], content: bytes) -> None:
    reader.search(Question(), 1)
    for path in reader.index.parent.iterdir():
        path.unlink()
    reader.index.write_bytes(content)
    assert len(ids(reader.search(Question(), 1000))) == COUNT


def test_another_archives_index_is_begun_anew(
    reader: Reader, three: list[dict[str, Any]], written: Any, tmp_path: Path, make: Make, reader_of: Any
) -> None:
    assert len(ids(reader.search(Question(), 1000))) == COUNT
    other = type(written)(tmp_path / "other")
    other.write([make(1)])
    assert ids(reader_of(other.folder).search(Question(), 10)) == [make(1)["id"]]


@pytest.mark.parametrize(
    "line",
    [b"no json", b"[]", b"{}", b'{"id":1,"time":2}', b'{"id":"x","time":"yesterday"}',
     b'{"id":"x","time":"2026-01-01"}',
     b'{"id":"x","time":"2026-03-01T00:00:00Z","status":1e400}',
     b'{"id":"x","time":"2026-03-01T00:00:00Z","status":"y","upstream_calls":[7]}'],
)  # fmt: skip
def test_a_line_that_is_no_record_hides_no_other(reader: Reader, written: Any, make: Make, line: bytes) -> None:
    written.write([make(1), make(2), make(3)], group=3)
    body = written.body(1).split(b"\n")
    written.run("UPDATE segments SET body = ? WHERE number = 1", (b"\n".join([body[0], line, *body[2:]]),))
    assert ids(reader.search(Question(), 10)) == [make(3)["id"], make(1)["id"]]


def test_what_takes_too_long_is_said_in_a_sentence(reader: Reader, written: Any, make: Make) -> None:
    written.write((make(number) for number in range(12_000)), group=500)
    with pytest.raises(NotReady, match="ask again"):
        reader.search(Question(), 1, seconds=0)
    while not reader.catch_up(0):
        pass
    with pytest.raises(TooBroad, match="shorter time"):
        reader.search(Question(least_status=900), 1, seconds=0)
    assert reader.search(Question(least_status=900), 1).items == []


def test_a_copy_on_a_medium_that_cant_be_written_is_read(
    written: Any, make: Make, tmp_path: Path, reader_of: Any
) -> None:
    written.write([make(1)])
    with closing(sqlite3.connect(written.folder / "log-0.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "log-0.db").write_bytes((written.folder / "log-0.db").read_bytes())
    (tmp_path / "copy" / "log-0.db").chmod(0o400)
    (tmp_path / "copy").chmod(0o500)
    try:
        assert ids(reader_of(tmp_path / "copy").search(Question(), 10)) == [make(1)["id"]]
    finally:
        (tmp_path / "copy").chmod(0o700)


def test_a_file_that_is_no_audit_is_told_in_a_sentence(written: Any, reader: Reader, make: Make) -> None:
    written.write([make(1)])
    written.run("UPDATE about SET format = 3")
    with pytest.raises(AuditError, match="of format 3"):
        FileSource(written.folder / "log-0.db")
    (written.folder / "log-1.db").write_bytes(b"no database at all, but long enough to be told from an empty one" * 9)
    with pytest.raises(AuditError, match="can't be read"):
        FileSource(written.folder / "log-1.db")
    with pytest.raises(AuditError):
        reader.search(Question(), 1)


# ── a million ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_large_audit_is_searched_without_reading_it(reader: Reader, written: Any, make: Make, count: int) -> None:
    """No timing decides: that a search is quick shows in how little of the log it reads."""
    written.write((make(number) for number in range(count)), group=200)
    while not reader.catch_up(60):
        pass
    looks = 0
    piece = FileSource.piece

    def counted(self: FileSource, segment: int, start: int, size: int) -> bytes | None:
        nonlocal looks
        looks += 1
        return piece(self, segment, start, size)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FileSource, "piece", counted)
        assert [item["id"] for item in reader.find(make(count // 3)["id"])] == [make(count // 3)["id"]]
        since = microseconds(make(count // 2)["time"])
        question = Question({"principal": "person-3"}, since=since, until=since + 1_000_000_000)
        assert len(reader.search(question, 500).items) == 100
        assert len(reader.search(Question({"trace": make(77)["traceparent"][3:35]}), 5).items) == 1
        assert reader.search(Question(least_status=900), 5) == Page([], None)
    assert looks <= 103
