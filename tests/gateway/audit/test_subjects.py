"""Personal data is readable until its person's key is erased, and then nowhere; the proof holds all the same."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.arguments import Keeps, Rules, Sealed
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.record import record_of
from gateway.audit.sink import AuditError
from gateway.audit.subjects import Subjects
from gateway.audit.verify import records, verify_folder
from gateway.call import Call

RULES = Rules(subject="path.id", sealed=frozenset({"body.email"}))


def _append(log: AuditLog, id: str, person: str, email: str) -> None:
    call = Call(id, "update_customer", 1, "PATCH", "/customers/x", 0.0, "", {"id": person}, body={"email": email})
    call.keeps = Keeps(RULES, log.hasher)
    log.append(record_of(call, time=1.0, seconds=0.1, status=200, route="/customers/{id}", effect="write"))


def _read(folder: Path, subjects: Subjects) -> dict[str, Any]:
    return {each["id"]: subjects.open(each["arguments"]["sealed"], each["id"]) for each in records(folder)}


@pytest.fixture
def written(folder: Path, keys: AuditKeys) -> Path:
    log = AuditLog.open(folder, keys)
    for id, person in (("a", "C-1"), ("b", "C-2"), ("c", "C-1")):
        _append(log, id, person, f"{person}@example.com")
    log.close()
    return folder


def test_sealed_values_are_readable_and_in_no_file(written: Path, keys: AuditKeys) -> None:
    with closing(Subjects(written / "subjects.db")) as subjects:
        read = _read(written, subjects)
    assert [each["kept"] for each in read.values()] == [
        {"body.email": "C-1@example.com"},
        {"body.email": "C-2@example.com"},
        {"body.email": "C-1@example.com"},
    ]
    raw = b"".join(path.read_bytes() for path in written.iterdir())
    assert b"@example.com" not in raw
    assert b"C-1" not in raw


def test_an_erased_person_is_erased_and_nobody_else(written: Path, keys: AuditKeys) -> None:
    with closing(sqlite3.connect(written / "subjects.db")) as connection:
        key = connection.execute("SELECT key FROM subjects ORDER BY rowid").fetchone()[0]
    assert key in (written / "subjects.db").read_bytes()
    with closing(Subjects(written / "subjects.db")) as subjects:
        assert subjects.erase("C-1")
        assert not subjects.erase("C-1")
        read = _read(written, subjects)
    assert read == {"a": None, "b": {"kept": {"body.email": "C-2@example.com"}, "source_keys": []}, "c": None}
    assert all(key not in path.read_bytes() for path in written.iterdir()), "the key is still in a file"
    public = keys.signer(written).public
    assert verify_folder(written, {public.name: public}).holds


def test_what_comes_after_an_erasure_is_sealed_with_a_new_key(folder: Path, keys: AuditKeys) -> None:
    """Erased by another process, such as the verb, while this one has the key in memory."""
    log = AuditLog.open(folder, keys)
    _append(log, "a", "C-1", "old@example.com")
    _wait(folder, 1)
    with closing(Subjects(folder / "subjects.db")) as elsewhere:
        assert elsewhere.erase("C-1")
        _append(log, "b", "C-1", "new@example.com")
        log.close()
        read = _read(folder, elsewhere)
    assert read["a"] is None
    assert read["b"]["kept"] == {"body.email": "new@example.com"}


def _wait(folder: Path, count: int) -> None:
    for _ in range(1000):
        if len(list(records(folder))) >= count:
            return
        time.sleep(0.01)
    raise AssertionError("the record isn't written")


def test_a_value_moved_to_another_record_isnt_read(written: Path, keys: AuditKeys) -> None:
    first, *_ = records(written)
    subjects = Subjects(written / "subjects.db")
    with closing(subjects), pytest.raises(AuditError, match="was changed"):
        subjects.open(first["arguments"]["sealed"], "another")


def test_two_processes_use_one_key_for_a_person(tmp_path: Path) -> None:
    path, sealed = tmp_path / "subjects.db", Sealed("C-1", {"body.email": "x"}, [])
    with closing(Subjects(path)) as one, closing(Subjects(path)) as other:
        first = one.seal(sealed, "r1")
        one.commit()
        second = other.seal(sealed, "r2")
        other.commit()
        assert first["key"] == second["key"]
        assert first["values"] != second["values"]
        assert one.open(second, "r2") == other.open(first, "r1") == {"kept": {"body.email": "x"}, "source_keys": []}


def test_the_keys_are_their_owners_only(written: Path) -> None:
    assert (written / "subjects.db").stat().st_mode & 0o777 == 0o600


def test_keys_that_cant_be_made_are_told_and_later_made(tmp_path: Path) -> None:
    path = tmp_path / "subjects.db"
    path.mkdir()
    with closing(Subjects(path)) as subjects:
        with pytest.raises(AuditError, match="can't be used"):
            subjects.seal(Sealed("C-1", {}, []), "r1")
        path.rmdir()
        assert subjects.seal(Sealed("C-1", {}, []), "r1")
