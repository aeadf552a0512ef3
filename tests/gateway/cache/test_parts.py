"""What a cache is made of: its memory, its marks, the places that they stand for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Effect
from gateway.cache.flights import MOST_AT_ONCE, Usual
from gateway.cache.marks import MOST_LATER, Marks, place
from gateway.cache.memory import Entry, Memory
from gateway.cache.places import places_read, places_written
from gateway.call import Call, Principal
from gateway.routing.model import Binding, Route

NOW = datetime.now(UTC)


def _entry(size: int = 100, asked: int = 1) -> Entry:
    return Entry(200, b"x" * size, NOW, asked)


def test_a_scan_throws_out_nothing_that_is_asked_for_often() -> None:
    memory = Memory(2**20)
    for number in range(100):
        memory.put(b"hot%d" % number, _entry())
        assert memory.get(b"hot%d" % number) is not None
    for number in range(20_000):
        memory.put(b"scan%d" % number, _entry())
    assert all(memory.peek(b"hot%d" % number) for number in range(100))
    assert memory.bytes <= 2**20


def test_what_is_too_large_is_let_go() -> None:
    memory = Memory(2**20)
    memory.put(b"k", _entry())
    memory.put(b"k", _entry(2**16))
    assert memory.peek(b"k") is None
    assert (memory.bytes, len(memory)) == (0, 0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pgd"), st.integers(0, 30), st.integers(0, 1500)), max_size=300))
def test_bytes_are_counted_and_bounded(steps: list[tuple[str, int, int]]) -> None:
    memory, most = Memory(2**17), 2**17
    known: dict[bytes, Entry] = {}
    for step, number, size in steps:
        key = b"%d" % number
        if step == "p":
            known[key] = _entry(size)
            memory.put(key, known[key])
        elif step == "g":
            found = memory.get(key)
            assert found is None or found is known[key]
        else:
            memory.drop(key)
            assert memory.peek(key) is None
        kept = {each: memory.peek(each) for each in known}
        assert memory.bytes == sum(entry.size + len(each) for each, entry in kept.items() if entry is not None) <= most


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Marks]:
    opened = Marks.open(tmp_path / "marks")
    yield opened
    opened.close()


def test_every_process_sees_a_mark(marks: Marks, tmp_path: Path) -> None:
    other = Marks.open(tmp_path / "marks")
    before, here = time.monotonic_ns(), (place("a"), place("b"))
    assert not marks.since(here, before)
    other.touch([place("b")])
    assert marks.since(here, before)
    assert not marks.since(here, time.monotonic_ns())
    other.touch([place("b")], later=30)
    assert marks.since(here, time.monotonic_ns() + 29 * 10**9)
    other.touch([place("b")])  # which takes nothing back
    assert marks.since(here, time.monotonic_ns() + 29 * 10**9)
    other.close()


def test_marks_of_a_time_before_the_machine_was_started_anew_are_forgotten(marks: Marks, tmp_path: Path) -> None:
    marks._words[place("a")] = time.monotonic_ns() + 10**12
    other = Marks.open(tmp_path / "marks")
    assert not other.since((place("a"),), time.monotonic_ns() + int(MOST_LATER * 1e9))
    other.close()


def _route(path: str, effect: Effect, group: str = "g", upstream: str = "u") -> Route:
    return Route(path, "GET", path, effect, group, (), None, 200, None, legacy=Binding(upstream, "op", None, None))


READS = [_route(path, Effect.READ) for path in ("/c", "/c/{id}", "/c/{id}/orders", "/by/{mail}")]
WRITES = [_route(path, Effect.WRITE) for path in ("/c", "/c/{id}")]


def _call(who: str, **path: str) -> Call:
    return Call("i", "o", 1, "GET", "/", 0.0, "", dict(path), principal=Principal(who))


@pytest.mark.parametrize(
    ("write", "given", "read", "asked", "seen"),
    [
        (1, {"id": "7"}, 1, {"id": "7"}, True),
        (1, {"id": "7"}, 1, {"id": "8"}, False),
        (1, {"id": "7"}, 2, {"id": "7"}, True),
        (1, {"id": "7"}, 2, {"id": "8"}, False),
        (1, {"id": "7"}, 0, {}, True),
        (1, {"id": "7"}, 3, {"mail": "x"}, True),
        (0, {}, 1, {"id": "8"}, True),
        (0, {}, 0, {}, True),
        (0, {}, 3, {"mail": "x"}, True),
    ],
)
def test_a_write_lets_go_of_what_it_may_change(
    marks: Marks, write: int, given: dict[str, str], read: int, asked: dict[str, str], seen: bool
) -> None:
    before = time.monotonic_ns()
    marks.touch(places_written(WRITES[write], [*READS, *WRITES])(_call("writer", **given)))
    assert marks.since(places_read(READS[read], "u")(_call("reader", **asked)), before) is seen


def test_a_writer_sees_nothing_older_of_that_upstream(marks: Marks) -> None:
    before = time.monotonic_ns()
    marks.touch(places_written(WRITES[1], WRITES)(_call("writer", id="7")))
    elsewhere = _route("/stock/{sku}", Effect.READ, "stock")
    assert marks.since(places_read(elsewhere, "u")(_call("writer", sku="1")), before)
    assert not marks.since(places_read(elsewhere, "u")(_call("reader", sku="1")), before)
    assert not marks.since(places_read(elsewhere, "other")(_call("writer", sku="1")), before)


def test_a_flight_is_waited_for_as_long_as_its_like_take() -> None:
    usual = Usual(8.0)
    assert usual.patience == 6.0
    usual.note(0.001)
    assert usual.patience == 1.0
    usual.note(2.5)
    usual.note(0.001)
    assert 4.5 < usual.patience < 5.0
    usual.note(100)
    assert usual.patience == 6.0
    assert MOST_AT_ONCE > 1
