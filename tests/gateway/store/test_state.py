"""What every state store keeps: snapshots that are only ever added, and API keys."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import sqlite
from gateway.store.contract import (
    Difference,
    Moved,
    NoSuchSnapshot,
    State,
    StoredKey,
    StoreError,
    content_hash,
    files_hash,
)

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
KEY = StoredKey("abcdefghijkl", "00" * 32, "p1", "alice", "bot", ("reader", "agent"), "acme", NOW, NOW + timedelta(1))


def test_an_empty_store_has_no_active_snapshot(state: State) -> None:
    assert state.active() is None
    assert state.history() == []
    with pytest.raises(NoSuchSnapshot, match="no snapshot 1"):
        state.snapshot(1)


def test_a_snapshot_is_kept_with_who_made_it_and_why(state: State, open_again: Callable[[], State]) -> None:
    files = {"gateway.yaml": b"upstreams: {}\n", "openapi/ä.yaml": b"", "policies/x.cedar": bytes(range(256))}
    before = datetime.now(UTC)
    info = state.publish(files, expected_parent=None, author="host:ann", reason="first", ticket="T-1")
    assert (info.version, info.hash, info.parent_hash) == (1, files_hash(files), None)
    assert (info.author, info.reason, info.ticket) == ("host:ann", "first", "T-1")
    assert before <= info.time <= datetime.now(UTC)
    assert info.difference == Difference(added=tuple(sorted(files)))
    assert open_again().snapshot(1) == (info, files)
    assert open_again().active() == 1


def test_a_snapshot_tells_how_it_differs_from_its_parent(state: State) -> None:
    first = state.publish({"a": b"1", "b": b"2", "c": b"3"}, expected_parent=None, author="x", reason="r")
    second = state.publish({"a": b"1", "b": b"9", "d": b"3"}, expected_parent=1, author="x", reason="r")
    assert second.parent_hash == first.content_hash
    assert second.difference == Difference(added=("d",), changed=("b",), removed=("c",))
    assert state.history() == [second, first]
    assert state.history(limit=1) == [second]


def test_a_step_back_is_a_new_snapshot(state: State) -> None:
    first = state.publish({"a": b"1"}, expected_parent=None, author="x", reason="r")
    state.publish({"a": b"2"}, expected_parent=1, author="x", reason="r")
    third = state.publish(state.snapshot(1)[1], expected_parent=2, author="x", reason="back")
    assert (third.version, third.hash) == (3, first.hash)


@pytest.mark.parametrize("expected", [None, 2, 7])
def test_who_starts_from_another_snapshot_than_the_active_one_is_refused(state: State, expected: int | None) -> None:
    state.publish({"a": b"1"}, expected_parent=None, author="x", reason="r")
    with pytest.raises(Moved, match="somebody published first") as refused:
        state.publish({"a": b"2"}, expected_parent=expected, author="y", reason="r")
    assert refused.value.active == 1
    assert state.active() == 1


def test_of_many_threads_that_publish_at_once_one_wins_each_round(state: State) -> None:
    def attempt(author: int) -> bool:
        try:
            state.publish({"who": str(author).encode()}, expected_parent=state.active(), author=str(author), reason="r")
        except Moved:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = sum(pool.map(attempt, range(80)))
    history = state.history(limit=100)
    assert [info.version for info in history] == list(range(won, 0, -1))
    assert all(info.follows(before) for info, before in pairwise(history))


def test_the_content_hash_stands_for_stages_and_why_and_all_before(state: State) -> None:
    stages = {"items": {"reads": "shadow", "weight": 5, "frozen_by": [1, 2]}}
    first = state.publish({"a": b"1"}, expected_parent=None, author="x", reason="r", stages=stages, evidence={"e": 0.1})
    second = state.publish({"a": b"1"}, expected_parent=1, author="x", reason="r", stages=stages)
    stored, before = state.snapshot(2)[0], state.snapshot(1)[0]
    assert (before.follows(None), stored.follows(before)) == (True, True)
    assert stored.content_hash == second.content_hash != first.content_hash
    changes: list[dict[str, Any]] = [
        {"stages": {"items": {**stages["items"], "reads": "canary"}}}, {"author": "y"}, {"reason": "s"},
        {"ticket": "T-1"}, {"hash": files_hash({})}, {"parent_hash": before.hash}, {"evidence": {"e": 1}},
        {"time": stored.time + timedelta(seconds=1)}, {"version": 3},
    ]  # fmt: skip
    assert not any(replace(stored, **change).follows(before) for change in changes)
    # Whoever makes a fitting hash of it anew gives it another, which the next one doesn't follow.
    anew = replace(before, author="y")
    assert not stored.follows(replace(anew, content_hash=content_hash(anew)))


@settings(deadline=None, max_examples=30, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(st.text(min_size=1, alphabet=st.characters(codec="utf-8")), st.binary(max_size=200)))
def test_any_files_come_back_as_they_were(state: State, files: dict[str, bytes]) -> None:
    info = state.publish(files, expected_parent=state.active(), author="x", reason="r")
    stored, found = state.snapshot(info.version)
    assert found == files
    assert stored.hash == files_hash(files)


@settings(deadline=None, max_examples=50, database=None)
@given(one=st.dictionaries(st.text(), st.binary()), other=st.dictionaries(st.text(), st.binary()))
def test_the_hash_tells_files_apart(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (files_hash(one) == files_hash(other)) == (one == other)
    assert files_hash(one) == files_hash(dict(reversed(one.items())))


def test_a_key_comes_back_as_it_was(state: State, open_again: Callable[[], State]) -> None:
    bare = replace(KEY, id="mnopqrstuvwx", agent=None, roles=(), tenant=None, expires=None, created=NOW + timedelta(1))
    state.add_key(bare)
    state.add_key(KEY)
    assert open_again().all_keys() == [KEY, bare]


def test_an_id_is_given_once(state: State) -> None:
    state.add_key(KEY)
    with pytest.raises(StoreError):
        state.add_key(replace(KEY, principal="mallory"))
    assert state.all_keys() == [KEY]


def test_a_revoked_key_keeps_its_first_time(state: State) -> None:
    state.add_key(KEY)
    assert state.revoke_key(KEY.id, NOW)
    assert state.revoke_key(KEY.id, NOW + timedelta(days=1))
    assert not state.revoke_key("zzzzzzzzzzzz", NOW)
    assert state.all_keys() == [replace(KEY, revoked=NOW)]


def test_a_key_keeps_what_it_is_narrowed_to_and_its_last_use(state: State) -> None:
    state.add_key(KEY)
    state.add_key(replace(KEY, id="narrowed2345", scopes=("read",)))
    state.note_key_uses({KEY.id: NOW, "nosuchkey234": NOW})
    state.note_key_uses({KEY.id: NOW - timedelta(minutes=1)})
    kept = {key.id: (key.scopes, key.used) for key in state.all_keys()}
    assert kept == {KEY.id: (None, NOW), "narrowed2345": (("read",), None)}


def test_a_revocation_holds_until_it_expires(state: State, open_again: Callable[[], State]) -> None:
    state.revoke_token("forever", NOW, None)
    state.revoke_token("an hour", NOW, NOW + timedelta(hours=1))
    assert open_again().revoked_tokens(NOW) == {"forever", "an hour"}
    assert state.revoked_tokens(NOW + timedelta(hours=1)) == {"forever"}


def test_revocations_are_bounded_and_make_room_as_they_expire(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "MOST_REVOKED", 2)
    for jti in ("a", "b"):
        state.revoke_token(jti, NOW, NOW + timedelta(hours=1))
    with pytest.raises(StoreError, match="revoked already"):
        state.revoke_token("c", NOW, None)
    assert state.revoked_tokens(NOW) == {"a", "b"}
    state.revoke_token("c", NOW + timedelta(hours=2), None)
    assert state.revoked_tokens(NOW) == {"c"}
