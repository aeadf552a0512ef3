"""Finding records: by all that can be asked, page by page, while writers write, and never by trusting the index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.audit.index import Key
from gateway.audit.question import FIELDS, Question, microseconds
from gateway.audit.reader import Page, Reader

Make = Callable[..., dict[str, Any]]
COUNT = 600


def ids(page: Page) -> list[str]:
    return [item["id"] for item in page.items]


def paged(reader: Reader, question: Question, limit: int) -> list[str]:
    found: list[str] = []
    after: Key | None = None
    while True:
        page = reader.search(question, limit, after)
        assert len(page.items) <= limit
        found += ids(page)
        if page.next is None:
            return found
        after = page.next


def test_newest_first_over_all_writers(reader: Reader, three: list[dict[str, Any]]) -> None:
    everything = reader.search(Question(), 1000)
    assert ids(everything) == [record["id"] for record in three]
    for item, record in zip(everything.items, three, strict=True):
        written = item.pop("written")
        assert item == record
        assert len(written["writer"]) == 16


QUESTIONS: list[tuple[Question, Callable[[int, dict[str, Any]], bool]]] = [
    (Question({"id": "01J" + "42".zfill(23)}), lambda n, r: n == 42),
    (Question({"principal": "person-3"}), lambda n, r: n % 10 == 3),
    (Question({"agent": "agent-1"}), lambda n, r: n % 3 == 1),
    (Question({"tenant": "acme"}), lambda n, r: n % 2 == 1),
    (Question({"credential": "key:k4"}), lambda n, r: n % 10 == 4),
    (Question({"operation": "get_2"}), lambda n, r: n % 4 == 2),
    (Question({"route": "/route-1/{id}"}), lambda n, r: n % 4 == 1),
    (Question({"kind": "call"}), lambda n, r: True),
    (Question({"kind": "control"}), lambda n, r: False),
    (Question({"decision": "deny"}), lambda n, r: False),
    (Question({"outcome": "failed"}), lambda n, r: n % 50 == 7),
    (Question({"problem": "upstream-unavailable"}), lambda n, r: n % 50 == 7),
    (Question({"effect": "read", "tenant": "globex"}), lambda n, r: n % 2 == 0),
    (Question(upstream="erp"), lambda n, r: n % 4 == 0),
    (Question(upstream="er"), lambda n, r: False),
    (Question(least_status=500), lambda n, r: n % 50 == 7),
    (Question(most_status=299), lambda n, r: n % 50 != 7),
    (Question({"principal": "person-7"}, least_status=500, most_status=503), lambda n, r: n % 50 == 7),
    (Question({"principal": "nobody' OR 1=1 --"}), lambda n, r: False),
]


@pytest.mark.parametrize(("question", "meant"), QUESTIONS, ids=[str(question)[:60] for question, _ in QUESTIONS])
def test_what_is_asked_for_is_found_and_nothing_else(
    reader: Reader, three: list[dict[str, Any]], question: Question, meant: Callable[[int, dict[str, Any]], bool]
) -> None:
    numbered = list(enumerate(three[::-1]))[::-1]
    expected = [record["id"] for number, record in numbered if meant(number, record)]
    assert paged(reader, question, 1000) == expected
    assert paged(reader, question, 7) == expected


def test_every_field_can_be_asked_for(reader: Reader, written: Any, make: Make) -> None:
    record = make(5, problem="conflict", run="run-7", noted={"operation_id": "op-9"})
    written.write([make(1), record, make(2)])
    for name, read in FIELDS.items():
        value = read(record)
        assert value is not None, name
        assert record["id"] in ids(reader.search(Question({name: value}), 10)), name


def test_by_time_to_the_microsecond(reader: Reader, three: list[dict[str, Any]]) -> None:
    since, until = microseconds(three[100]["time"]), microseconds(three[50]["time"])
    found = reader.search(Question({"tenant": "acme"}, since=since, until=until), 1000)
    assert ids(found) == [record["id"] for record in three[51:101] if record["tenant"] == "acme"]


def test_a_call_is_found_with_its_intent(reader: Reader, written: Any, make: Make) -> None:
    intent = {name: value for name, value in make(3, kind="intent").items() if name not in ("status", "upstream_calls")}
    written.write([make(2), intent, make(3), make(4)])
    assert [item["kind"] for item in reader.find(make(3)["id"])] == ["call", "intent"]
    assert reader.find("01J") == []


def test_records_of_one_moment_are_paged_through_once_each(reader: Reader, written: Any, make: Make) -> None:
    moment = make(0)["time"]
    for writer in range(4):
        written.write([make(writer * 100 + each, time=moment) for each in range(25)], writer, group=4)
    found = paged(reader, Question(), 9)
    assert len(found) == 100 == len(set(found))


def test_what_is_kept_of_the_arguments_is_searched(reader: Reader, written: Any, make: Make) -> None:
    written.write([make(number) for number in range(50)])
    written.write([make(50, arguments={"kept": {"body.city": ['"Zürich" Nord', 7]}})])
    written.write([make(51, arguments={"sealed": {"kept": {"body.email": "ann@example.org"}}})])
    assert ids(reader.search(Question(text='"zürich"'), 5)) == [make(50)["id"]]
    assert ids(reader.search(Question({"tenant": "acme"}, text="ANN@"), 5)) == [make(51)["id"]]
    assert reader.search(Question(text="person-3"), 5) == Page([], None), "only arguments are"


def test_a_question_about_texts_goes_on_where_it_stopped(
    reader: Reader, written: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.audit.reader._MOST_LOOKED_AT", 20)
    monkeypatch.setattr("gateway.audit.reader._CHUNK", 10)
    written.write([make(number, arguments={"kept": {"n": f"needle-{number % 45}"}}) for number in range(100)])
    first = reader.search(Question(text="needle-30"), 5)
    assert (first.items, first.next is None) == ([], False)
    assert paged(reader, Question(text="needle-30"), 5) == [make(75)["id"], make(30)["id"]]
