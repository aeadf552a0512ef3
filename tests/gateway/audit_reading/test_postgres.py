"""A writer's records in PostgreSQL: nobody shares one, and a connection that breaks loses and repeats nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple
from typing import Any

import orjson
import pytest

from gateway.audit import chain
from gateway.audit.checkpoint import Checkpointer
from gateway.audit.places import reader_of
from gateway.audit.postgres import Database
from gateway.audit.postgres_sink import DatabaseSink
from gateway.audit.question import Question
from gateway.audit.record import Record
from gateway.audit.sink import AuditError, Head, WriterLost


def line(number: int) -> bytes:
    return orjson.dumps({"id": f"{number}", "kind": "call", "time": "2026-03-01T12:00:00.000000Z"})


def add(sink: DatabaseSink, head: Head, count: int) -> Head:
    segment = chain.segment(head, [line(head.size + step) for step in range(count)], 1_800_000_000_000_000)
    sink.append(segment)
    return chain.behind(segment)


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_no_two_processes_have_the_same_writer(fleet: Any) -> None:
    one, other = DatabaseSink.claim(fleet.url), DatabaseSink.claim(fleet.url)
    assert one.writer != other.writer
    assert dict(one.beside()) == {other.writer: 0}
    head = add(one, chain.start(one.writer), 3)
    first = one.writer
    one.close()

    def carried_on() -> bool:
        with closing(DatabaseSink.claim(fleet.url)) as again:
            return again.writer == first and chain.behind(next(again.segments())) == head

    wait_until(carried_on)
    other.close()


def test_many_that_start_at_once_share_no_writer(fleet: Any) -> None:
    found: list[DatabaseSink] = []
    threads = [threading.Thread(target=lambda: found.append(DatabaseSink.claim(fleet.url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({sink.writer for sink in found}) == 8
    for sink in found:
        sink.close()


def test_a_segment_in_anothers_place_is_refused(fleet: Any) -> None:
    with closing(DatabaseSink.claim(fleet.url)) as sink:
        head = chain.start(sink.writer)
        add(sink, head, 1)
        with pytest.raises(AuditError, match="another process's"):
            add(sink, head, 2)
        assert fleet.ids() == ["0"]


def test_what_was_added_though_its_answer_was_lost_is_there_once(fleet: Any) -> None:
    with closing(DatabaseSink.claim(fleet.url)) as sink:
        head = add(sink, chain.start(sink.writer), 1)
        lost = chain.segment(head, [line(1), line(2)], 1)
        run = Database.run

        def broken(self: Database, statement: str, **values: Any) -> Any:
            """The connection breaks between the commit and its answer."""
            run(self, statement, **values)
            self.close()
            raise AuditError("the audit's database failed: network error")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Database, "run", broken)
            with pytest.raises(AuditError, match="network error"):
                sink.append(lost)
        assert fleet.ids() == ["0", "1", "2"]
        again = chain.segment(head, [line(1), line(2), line(3)], 2)
        sink.append(again)
        assert fleet.ids() == ["0", "1", "2", "3"]
        assert astuple(list(sink.segments())[-1]) == astuple(again)


def test_a_connection_that_broke_is_made_anew_for_the_same_writer(fleet: Any) -> None:
    with closing(DatabaseSink.claim(fleet.url)) as sink:
        head, writer = add(sink, chain.start(sink.writer), 1), sink.writer
        fleet.cut()
        with pytest.raises(AuditError, match="database failed"):
            add(sink, head, 1)
        add(sink, head, 1)
        assert (fleet.ids(), sink.writer) == (["0", "1"], writer)


def test_a_writer_that_another_process_took_over_is_left_to_it(fleet: Any) -> None:
    with closing(DatabaseSink.claim(fleet.url)) as sink:
        head, lost = add(sink, chain.start(sink.writer), 1), sink.writer
        fleet.cut()
        with closing(DatabaseSink.claim(fleet.url)) as other:
            assert other.writer == lost
            with pytest.raises(AuditError, match="database failed"):
                add(sink, head, 1)
            for _ in range(2):
                with pytest.raises(WriterLost):
                    add(sink, head, 1)
            assert sink.writer != lost
            add(sink, chain.start(sink.writer), 1)
            add(other, head, 5)


def test_a_writer_that_went_on_meanwhile_is_left_alone(fleet: Any) -> None:
    with closing(DatabaseSink.claim(fleet.url)) as sink:
        head, lost = add(sink, chain.start(sink.writer), 1), sink.writer
        fleet.cut()
        with closing(DatabaseSink.claim(fleet.url)) as other:
            add(other, head, 5)
        with pytest.raises(AuditError, match="database failed"):
            add(sink, head, 1)
        with pytest.raises(WriterLost):
            add(sink, head, 1)
        # The writer is free again, but not as it was left: what follows must stand behind what is there now.
        checkpoints = Checkpointer(sink, lambda: fleet.keys.signer(fleet.folder.audit))
        assert (sink.writer, checkpoints.head.size) in ((lost, 6), (sink.writer, 0))
        add(sink, checkpoints.head, 1)


def test_one_process_looks_after_the_writers_that_nobody_has(fleet: Any) -> None:
    one, two, three = (DatabaseSink.claim(fleet.url) for _ in range(3))
    left = two.writer
    two.close()
    with closing(one), closing(three):
        wait_until(lambda: [sink.writer for sink in one.idle()] == [left])
        for cared in one.idle():
            assert list(three.idle()) == [], "one process at a time"
            add(cared, chain.start(left), 2)  # type: ignore[arg-type]
        with closing(DatabaseSink.claim(fleet.url)) as again:
            assert again.writer == left


def test_segments_come_in_pieces_of_any_size(fleet: Any) -> None:
    with closing(DatabaseSink.claim(fleet.url)) as sink:
        head = chain.start(sink.writer)
        for count in (1, 1, 1, 1, 1, 1, 1, 1, 1, 4000, 4000, 4000, 4000, 4000, 1, 1):
            head = add(sink, head, count)
        assert [segment.number for segment in sink.segments()] == list(range(1, 17))
        assert [segment.number for segment in sink.segments(14)] == [15, 16]
        last = next(iter(sink.segments(15)))
        assert sink.link(16) == last.hash
        assert sink.link(17) is None
        assert sink.piece(16, 3, 5) == last.body[3:8]
        assert sink.piece(17, 0, 5) is None


async def test_the_log_writes_what_is_read_and_verified(fleet: Any, done: Callable[[str], Record]) -> None:
    log = fleet.open_log()
    for number in range(50):
        await log.append_durable(done(f"a{number}"))
    assert fleet.ids() == [f"a{number}" for number in range(50)], "durable when it is acknowledged"
    reader = reader_of(fleet.url, fleet.folder, fleet.keys)
    assert len(reader.search(Question({"principal": "ann"}), 100).items) == 50
    assert reader.find("a7")[0]["operation"] == "put_item"
    log.close()
    verdict = fleet.verdict()
    assert verdict.holds
    assert [(each.size, each.signed) for each in verdict.writers] == [(50, 50)]
    fleet.server.sql("UPDATE figway_audit_segments SET body = overlay(body placing 'X'::bytea from 9) WHERE number = 3")
    verdict = fleet.verdict()
    assert (verdict.holds, "segment 3" in verdict.writers[0].broken) == (False, True)


def test_pruning_leaves_a_certificate(fleet: Any) -> None:
    with closing(DatabaseSink.claim(fleet.url)) as sink:
        checkpoints = Checkpointer(sink, lambda: fleet.keys.signer(fleet.folder.audit))
        for count in (10, 10, 10):
            at = checkpoints.head
            checkpoints.add(add(sink, at, count), [line(at.size + step) for step in range(count)])
            checkpoints.sign()
        assert checkpoints.prune(2**62) is not None
        left = fleet.ids()
        assert len(left) < 30
        fleet.cut()
        at = checkpoints.head
        with pytest.raises(AuditError):
            add(sink, at, 1)
        checkpoints.add(add(sink, at, 1), [line(30)])
        checkpoints.sign()
    verdict = fleet.verdict()
    assert verdict.holds, verdict
    assert verdict.writers[0].first == 30 - len(left)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://", "must be postgresql://"),
        ("postgresql://host/db", "must be postgresql://"),
        ("postgresql://u:secret@127.0.0.1:notaport/db", "isn't a URL"),
        ("postgresql://u:secret@127.0.0.1:1/db", "can't be reached"),
        ("postgresql://u:secret@127.0.0.1/db?sslmode=prefer", "sslmode"),
        ("postgresql://u:secret@127.0.0.1/db?options=x", "must be postgresql://"),
    ],
)
def test_a_place_that_cant_be_used_is_told_without_its_password(url: str, says: str) -> None:
    with pytest.raises(AuditError, match=says) as raised:
        DatabaseSink.claim(url)
    assert "secret" not in str(raised.value)


def test_a_wrong_password_is_told_in_a_sentence(fleet: Any) -> None:
    with pytest.raises(AuditError, match="can't be reached: password authentication failed"):
        DatabaseSink.claim(fleet.url.replace(fleet.server.password, "wrong"))


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pg8000.native", None)
    with pytest.raises(AuditError, match=r"figway\[postgresql\]"):
        DatabaseSink.claim("postgresql://u@127.0.0.1/db")


def test_a_newer_figways_records_are_refused(fleet: Any) -> None:
    DatabaseSink.claim(fleet.url).close()
    fleet.server.sql("UPDATE figway_audit_writers SET format = 3")
    with pytest.raises(AuditError, match="of format 3"):
        DatabaseSink.claim(fleet.url)
