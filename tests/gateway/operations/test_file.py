"""What is kept of writes: no key is ever taken twice, no end is lost, whoever crashes."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.operations import file as file_module
from gateway.operations.file import KEEP_SECONDS, KEEP_UNKNOWN_SECONDS, OperationFile
from gateway.operations.record import Intent, OperationState
from gateway.store.contract import StoreError

RUNNING, UNKNOWN = OperationState.RUNNING, OperationState.UNKNOWN
KEYS = st.sampled_from([b"a", b"b", b"c"])
PRINTS = st.sampled_from([b"1", b"2"])
RESUME = 10.0


@dataclass
class Kept:
    """What the machine believes of a key."""

    id: str
    fingerprint: bytes
    state: OperationState
    updated: float
    outcome: bytes | None = None
    former: bool = False
    """It was of unknown outcome before it ran again."""
    mine: bool = True


class Clock:
    now = 1_000_000.0

    def time(self) -> float:
        return self.now


class KeptWrites(RuleBasedStateMachine):
    """Any order of intents, ends, crashes and days against what a caller may be told."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.real = file_module.time
        file_module.time = self.clock  # type: ignore[assignment]
        self.file = OperationFile(Path(self.folder.name) / "operations.db")
        self.known: dict[bytes, Kept] = {}
        self.count = 0
        self.crash()

    def teardown(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
            file_module.time = self.real
            self.folder.cleanup()

    @rule(key=KEYS, fingerprint=PRINTS, resumable=st.booleans())
    def begin(self, key: bytes, fingerprint: bytes, resumable: bool) -> None:
        self.count += 1
        id, now = f"{self.count:04}", self.clock.now
        since = RESUME if resumable else None
        intent = Intent(id, "r", "ann", None, None, b"ann", key, fingerprint, since)
        with self.file.transaction():
            begun = self.file.begin(intent)
        kept = self._current(key)
        if kept is None:
            assert (begun.taken, begun.resumed, begun.operation.id) == (True, False, id)
            self.known[key] = Kept(id, fingerprint, RUNNING, now)
        elif kept.fingerprint != fingerprint:
            assert not begun.taken
            assert not begun.same
        else:
            self._known(kept, begun, resumable)

    def _known(self, kept: Kept, begun: Any, resumable: bool) -> None:
        if kept.state is RUNNING and not kept.mine:
            kept.state, kept.updated = UNKNOWN, self.clock.now
        may_resume = kept.state is UNKNOWN and resumable and self.clock.now - kept.updated >= RESUME
        assert (begun.taken, begun.resumed) == (may_resume, may_resume)
        assert begun.operation.id == kept.id
        assert begun.operation.outcome == kept.outcome
        if may_resume:
            kept.state, kept.updated, kept.former, kept.mine = RUNNING, self.clock.now, True, True
        else:
            assert begun.operation.state is kept.state

    def _current(self, key: bytes) -> Kept | None:
        kept = self.known.get(key)
        if kept is None or kept.state is RUNNING:
            return kept
        age = self.clock.now - kept.updated
        if age > (KEEP_UNKNOWN_SECONDS if kept.state is UNKNOWN else KEEP_SECONDS):
            del self.known[key]
            return None
        return kept

    def _mine(self, key: bytes) -> Kept | None:
        kept = self.known.get(key)
        return kept if kept is not None and kept.state is RUNNING and kept.mine else None

    @rule(key=KEYS, state=st.sampled_from([OperationState.SUCCEEDED, OperationState.FAILED, UNKNOWN]))
    def end(self, key: bytes, state: OperationState) -> None:
        kept = self._mine(key)
        if kept is not None:
            kept.state, kept.updated, kept.outcome = state, self.clock.now, None if state is UNKNOWN else b"reply"
            with self.file.transaction():
                self.file.end(kept.id, state, kept.outcome)

    @rule(key=KEYS)
    def take_back(self, key: bytes) -> None:
        kept = self._mine(key)
        if kept is not None and not kept.former:
            with self.file.transaction():
                self.file.forget(kept.id)
            del self.known[key]

    @rule()
    def crash(self) -> None:
        """The process is gone; the next one carries on."""
        self.file.owner = f"{self.count}:0:another boot"
        for kept in self.known.values():
            kept.mine = kept.mine and kept.state is not RUNNING

    @rule()
    def look_after(self) -> None:
        with self.file.transaction():
            self.file.tidy()
        for kept in self.known.values():
            if kept.state is RUNNING and not kept.mine:
                kept.state, kept.updated = UNKNOWN, self.clock.now

    @rule(seconds=st.sampled_from([1.0, RESUME, KEEP_SECONDS + 1, KEEP_UNKNOWN_SECONDS + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: hasattr(self, "file"))
    @invariant()
    def what_is_kept_is_what_was_told(self) -> None:
        for key in tuple(self.known):
            kept = self._current(key)
            if kept is not None and (kept.mine or kept.state is not RUNNING):
                with self.file.transaction():
                    found = self.file.read(kept.id)
                assert found is not None
                assert (found.key, found.state, found.outcome) == (key, kept.state, kept.outcome)


KeptWrites.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=30, database=None)
TestKeptWrites = KeptWrites.TestCase


def test_only_its_owner_may_read_the_file(file: OperationFile, tmp_path: Path) -> None:
    assert (tmp_path / "operations.db").stat().st_mode & 0o777 == 0o600


def test_a_failed_transaction_leaves_nothing(file: OperationFile, intent: Callable[..., Intent]) -> None:
    def fail() -> None:
        with file.transaction():
            file.begin(intent("1", key=b"k", fingerprint=b"f"))
            raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(sqlite3.Error):
        fail()
    with file.transaction():
        assert file.begin(intent("2", key=b"k", fingerprint=b"f")).taken


def test_beyond_its_bound_no_intent_is_kept_but_ends_are(
    file: OperationFile, intent: Callable[..., Intent], monkeypatch: pytest.MonkeyPatch
) -> None:
    with file.transaction():
        assert file.begin(intent("1")).taken
    monkeypatch.setattr(file_module, "MOST_BYTES", 1)
    with file.transaction(), pytest.raises(StoreError, match="as may be"):
        file.begin(intent("2"))
    with file.transaction():
        file.end("1", OperationState.SUCCEEDED, b"{}")
        found = file.read("1")
    assert found is not None
    assert found.state is OperationState.SUCCEEDED


def test_what_is_deleted_is_overwritten(file: OperationFile, intent: Callable[..., Intent], tmp_path: Path) -> None:
    with file.transaction():
        file.begin(intent("1"))
        file.end("1", OperationState.SUCCEEDED, b"a secret of ann's")
    with file.transaction():
        file.forget("1")
    file.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a secret of ann's" not in kept


def test_a_newer_file_is_refused(file: OperationFile, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "operations.db") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    connection.close()
    with pytest.raises(StoreError, match="newer figway"):
        OperationFile(tmp_path / "operations.db")


def test_a_file_that_is_none_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "operations.db").write_text("not a database, and long enough to be taken for one" * 20)
    with pytest.raises(StoreError, match="can't be opened"):
        OperationFile(tmp_path / "operations.db")
