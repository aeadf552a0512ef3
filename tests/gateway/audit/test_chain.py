"""Whatever is done to what was written shows, and where."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit.file import AuditError, AuditFile
from gateway.audit.verify import records, verify

COUNT = 12


@pytest.fixture
def path(folder: Path) -> Path:
    """A chain of twelve records."""
    file = AuditFile.claim(folder)
    file.add(b'{"id": %d}' % number for number in range(5))
    file.add(b'{"id": %d}' % number for number in range(5, COUNT))
    file.close()
    return folder / "writer-0.db"


def _change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_whole_chain_holds(path: Path) -> None:
    verdict = verify(path)
    assert (verdict.broken, verdict.head.writer, verdict.head.count) == (None, "writer-0", COUNT)


def test_the_chain_is_as_documented(path: Path) -> None:
    expected = sha256(b"figway audit 1\nwriter-0").digest()
    with closing(sqlite3.connect(path)) as connection:
        for sequence, body, hash in connection.execute("SELECT * FROM records ORDER BY sequence"):
            expected = sha256(expected + sequence.to_bytes(8, "big") + body).digest()
            assert hash == expected


@pytest.mark.parametrize(
    ("statements", "holds", "says"),
    [
        (["UPDATE records SET body = x'7b7d' WHERE sequence = 4"], 3, "record 4 isn't"),
        (["UPDATE records SET hash = zeroblob(32) WHERE sequence = 12"], 11, "record 12 isn't"),
        (["DELETE FROM records WHERE sequence = 1"], 0, "record 1 is missing"),
        (["DELETE FROM records WHERE sequence = 6"], 5, "record 6 is missing"),
        (
            [
                "UPDATE records SET sequence = 100 WHERE sequence = 7",
                "UPDATE records SET sequence = 7 WHERE sequence = 8",
                "UPDATE records SET sequence = 8 WHERE sequence = 100",
            ],
            6,
            "record 7 isn't",
        ),
        (["INSERT INTO records SELECT 13, body, hash FROM records WHERE sequence = 12"], 12, "record 13 isn't"),
    ],
    ids=["changed", "hash changed", "first dropped", "dropped", "swapped", "repeated"],
)
def test_what_was_done_shows(path: Path, statements: list[str], holds: int, says: str) -> None:
    _change(path, *statements)
    verdict = verify(path)
    assert verdict.head.count == holds
    assert verdict.broken is not None
    assert verdict.broken.startswith(says)


@settings(deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequence=st.integers(1, COUNT),
    column=st.sampled_from(["body", "hash"]),
    at=st.integers(0, 31),
    bit=st.integers(0, 7),
)
def test_any_flipped_bit_shows(path: Path, sequence: int, column: str, at: int, bit: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(f"SELECT {column} FROM records WHERE sequence = ?", (sequence,)).fetchone()
        flipped = bytearray(row[0])
        flipped[at % len(flipped)] ^= 1 << bit
        update = f"UPDATE records SET {column} = ? WHERE sequence = ?"
        connection.execute(update, (bytes(flipped), sequence))
        connection.commit()
        try:
            assert verify(path).head.count == sequence - 1
        finally:
            connection.execute(update, (row[0], sequence))
            connection.commit()
    assert verify(path).broken is None


def test_a_chain_moved_to_another_writer_shows(path: Path) -> None:
    moved = path.with_name("writer-7.db")
    moved.write_bytes(path.read_bytes())
    assert verify(moved).broken is not None


def test_an_end_cut_off_shows_to_who_kept_the_head(path: Path) -> None:
    before = verify(path).head
    _change(path, f"DELETE FROM records WHERE sequence = {COUNT}")
    after = verify(path)
    assert after.broken is None
    assert after.head != before


def test_each_process_has_a_file_of_its_own(folder: Path) -> None:
    one, other = AuditFile.claim(folder), AuditFile.claim(folder)
    assert (one.head.writer, other.head.writer) == ("writer-0", "writer-1")
    one.add([b'{"id": "a"}'])
    other.add([b'{"id": "b"}'])
    one.close()
    again = AuditFile.claim(folder)
    assert again.head == verify(folder / "writer-0.db").head
    again.add([b'{"id": "c"}'])
    again.close()
    other.close()
    assert [record["id"] for record in records(folder)] == ["a", "c", "b"]
    assert verify(folder / "writer-0.db").broken is None


def test_what_is_no_audit_is_told_in_a_sentence(tmp_path: Path, make: Callable[[int], object]) -> None:
    (tmp_path / "writer-0.db").write_bytes(b"no database at all, but long enough to be told from an empty one" * 9)
    with pytest.raises(AuditError, match="can't be read"):
        verify(tmp_path / "writer-0.db")
    with pytest.raises(AuditError, match="can't be opened"):
        AuditFile.claim(tmp_path)
