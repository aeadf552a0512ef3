"""Whatever is done to what was written shows: to our verifier, and to one that was written from the README alone."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import sqlite3
import sys
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from gateway.audit import chain
from gateway.audit.archive import FileSource
from gateway.audit.checkpoint import Checkpointer
from gateway.audit.file import AuditFile
from gateway.audit.note import Signer, joined, public_keys
from gateway.audit.sink import AuditError
from gateway.audit.verify import verify_folder

SIGNER = Signer.of("k1", b"s" * 32)
OTHER = Signer.of("k2", b"t" * 32)
KEYS = f"{SIGNER.public}\n"
ROUNDS = 1_500 if os.environ.get("FIGWAY_SLOW") else 200
TABLES = {
    "segments": ("number", ("first", "count", "time", "body", "hash")),
    "checkpoints": ("size", ("segment", "time", "frontier", "note")),
    "prunings": ("size", ("segment", "time", "frontier", "note")),
}


@pytest.fixture(scope="module")
def other() -> ModuleType:
    """The second verifier."""
    path = Path(__file__).with_name("independent_verifier.py")
    spec = importlib.util.spec_from_file_location("independent_verifier", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Writer:
    """A file that is written segment by segment, each with its checkpoint, which is anchored."""

    def __init__(self, folder: Path, anchor: list[bytes]) -> None:
        self.file = AuditFile.claim(folder)
        self._anchor = anchor
        self._checkpoints = Checkpointer(self.file, lambda: SIGNER)
        self.sign()

    def write(self, *records: int) -> None:
        lines = [b'{"id":"%b-%d"}' % (self.file.writer.encode(), record) for record in records]
        segment = chain.segment(self._checkpoints.head, lines, 1_700_000_000_000_000 + records[0])
        self.file.append(segment)
        self._checkpoints.add(chain.behind(segment), lines)

    def sign(self) -> None:
        mark = self._checkpoints.sign()
        assert mark is not None
        self._anchor.append(mark.note)

    def prune(self, before: int) -> None:
        assert self._checkpoints.prune(before) is not None


class Audit:
    """A folder with two writers, as it was early on and in the end; the second writer's beginning is pruned."""

    def __init__(self, place: Path) -> None:
        self.folder, self.early = place / "audit", place / "early"
        notes: list[bytes] = []
        one, two = Writer(self.folder, notes), Writer(self.folder, notes)
        for number in range(0, 30, 3):
            for writer in (one, two):
                writer.write(*range(number, number + 1 + number % 4))
                if number % 2:
                    writer.sign()
            if number == 15:
                newest = max(mark.time for mark in two.file.checkpoints())
                self._copy(one, two)
        two.prune(newest)
        for writer in (two, one):
            writer.write(30)
            writer.sign()
            writer.file.close()
        self.anchor = joined(notes)

    def _copy(self, *writers: Writer) -> None:
        self.early.mkdir()
        for writer in writers:
            places = (sqlite3.connect(folder / writer.file.name) for folder in (self.folder, self.early))
            with closing(next(places)) as source, closing(next(places)) as copy:
                source.backup(copy)


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return Audit(tmp_path_factory.mktemp("tampering"))


def run(path: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for statement in statements:
            connection.execute(statement, values)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def set_body(path: Path, number: object, body: bytes, count: int) -> None:
    run(path, f"UPDATE segments SET body = ?1, count = {count} WHERE number = {number}", values=(body,))


# ── the kinds of mutations ───────────────────────────────────────────────────────────────────────────────────────


def flip(audit: Audit, folder: Path, chance: random.Random) -> None:
    """A bit of any value of any row."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    table = chance.choice([each for each in TABLES if rows(path, f"SELECT count(*) FROM {each}") != [(0,)]])
    key, columns = TABLES[table]
    id = chance.choice(rows(path, f"SELECT {key} FROM {table}"))[0]
    column = chance.choice(columns)
    value = rows(path, f"SELECT {column} FROM {table} WHERE {key} = {id}")[0][0]
    if isinstance(value, bytes):
        if not value:
            return flip(audit, folder, chance)
        changed = bytearray(value)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        new: object = bytes(changed)
    else:
        assert isinstance(value, int)
        new = value ^ 1 << chance.randrange(20)
    return run(path, f"UPDATE {table} SET {column} = ?1 WHERE {key} = {id}", values=(new,))


def drop(audit: Audit, folder: Path, chance: random.Random) -> None:
    """A segment, or a record within one."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    number, body = chance.choice(rows(path, "SELECT number, body FROM segments"))
    assert isinstance(body, bytes)
    lines = body.splitlines(keepends=True)
    if len(lines) == 1 or chance.random() < 0.5:
        return run(path, f"DELETE FROM segments WHERE number = {number}")
    del lines[chance.randrange(len(lines))]
    return run(
        path, f"UPDATE segments SET body = ?1, count = {len(lines)} WHERE number = {number}", values=(b"".join(lines),)
    )


def insert(audit: Audit, folder: Path, chance: random.Random) -> None:
    """A segment that was never written, at the end, with hashes that fit the chain; or a record within one."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    if chance.random() < 0.5:
        number, body = chance.choice(rows(path, "SELECT number, body FROM segments"))
        return run(
            path,
            f"UPDATE segments SET body = ?1, count = count + 1 WHERE number = {number}",
            values=(b"{}\n%b" % body,),
        )
    return rewritten(path, chance, lambda lines: [*lines, b'{"id":"forged"}'])


def reorder(audit: Audit, folder: Path, chance: random.Random) -> None:
    """Two segments exchanged, whole or their bodies only, or the records within one."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    one, two = chance.sample([number for (number,) in rows(path, "SELECT number FROM segments")], 2)
    if chance.random() < 0.5:
        set_number = "UPDATE segments SET number = {} WHERE number = {}"
        return run(path, *(set_number.format(*each) for each in ((999, one), (one, two), (two, 999))))
    many = [(number, body) for number, body in rows(path, "SELECT number, body FROM segments WHERE count > 1")]
    number, body = chance.choice(many)
    assert isinstance(body, bytes)
    lines = body.splitlines(keepends=True)
    return run(
        path, f"UPDATE segments SET body = ?1 WHERE number = {number}", values=(b"".join(lines[1:] + lines[:1]),)
    )


def truncate(audit: Audit, folder: Path, chance: random.Random) -> None:
    """The last segments, with or without the checkpoints of them."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    numbers = [number for (number,) in rows(path, "SELECT number FROM segments ORDER BY number")]
    last = numbers[-chance.randrange(1, len(numbers))]
    statements = [f"DELETE FROM segments WHERE number >= {last}"]
    if chance.random() < 0.5:
        statements.append(f"DELETE FROM checkpoints WHERE segment >= {last}")
    run(path, *statements)


def roll_back(audit: Audit, folder: Path, chance: random.Random) -> None:
    """One file, or the folder, as it was early on, which is consistent in itself."""
    for name in chance.choice([["log-0.db"], ["log-1.db"], ["log-0.db", "log-1.db"]]):
        shutil.copyfile(audit.early / name, folder / name)


def swap(audit: Audit, folder: Path, chance: random.Random) -> None:
    """One writer's records or checkpoints in the other's place, or a file of another's instead of one of them."""
    name, other = chance.sample(["log-0.db", "log-1.db"], 2)
    how = chance.randrange(4)
    if how == 0:
        shutil.copyfile(folder / other, folder / name)
    elif how == 1:
        (folder / name).unlink()
    elif how == 2:
        (folder / name).unlink()
        with closing(AuditFile.claim(folder)) as forged:
            Checkpointer(forged, lambda: chance.choice([SIGNER, OTHER])).sign()
    else:
        table = chance.choice(["segments", "checkpoints", "about"])
        attach = f"ATTACH '{folder / other}' AS other"
        run(folder / name, attach, f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM other.{table}")


def rewrite(audit: Audit, folder: Path, chance: random.Random) -> None:
    """A record changed, and the chain made to fit again to the end, as who can write the file could."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    rewritten(path, chance, lambda lines: [b'{"id":"forged"}', *lines[1:]])


def forge(audit: Audit, folder: Path, chance: random.Random) -> None:
    """The same, and new checkpoints signed with a key of the forger's own, by its own name or by ours."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    rewritten(path, chance, lambda lines: [b'{"id":"forged"}', *lines[1:]])
    for size, note in rows(path, "SELECT size, note FROM checkpoints"):
        assert isinstance(note, bytes)
        signed = OTHER.sign(note.partition(b"\n\n")[0].decode() + "\n")
        if chance.random() < 0.5:
            signature = SIGNER.public.id + OTHER.private.sign(note.partition(b"\n\n")[0] + b"\n")
            signed = note.partition(b"\n\n")[0] + f"\n\n— {SIGNER.name} {b64encode(signature).decode()}\n".encode()
        run(path, f"UPDATE checkpoints SET note = ?1 WHERE size = {size}", values=(signed,))


def rewritten(path: Path, chance: random.Random, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Changes one segment and all hashes from there on."""
    with closing(FileSource(path)) as source:
        segments = list(source.segments())
        base = list(source.prunings())
        head = chain.start(source.writer)
    if base:
        text = base[0].note.decode().split("\n")
        head = chain.Head(base[0].segment, base[0].size, bytes.fromhex(text[3].split(" ")[2]))
    at = chance.randrange(len(segments))
    with closing(sqlite3.connect(path)) as connection:
        for number, each in enumerate(segments):
            lines = each.body.splitlines()
            new = chain.segment(head, change(lines) if number == at else lines, each.time)
            head = chain.behind(new)
            row = (new.first, new.count, new.body, new.hash, new.number)
            connection.execute("UPDATE segments SET first = ?, count = ?, body = ?, hash = ? WHERE number = ?", row)
        connection.commit()


KINDS = (flip, drop, insert, reorder, truncate, roll_back, swap, rewrite, forge)


def test_both_verifiers_accept_what_was_written(audit: Audit, other: ModuleType) -> None:
    verdict = verify_folder(audit.folder, public_keys(KEYS), audit.anchor)
    assert verdict.holds, verdict
    assert {each.first > 0 for each in verdict.writers} == {False, True}
    assert all(each.size == each.signed > 20 for each in verdict.writers)
    assert other.verify(audit.folder, KEYS, audit.anchor) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__)
def test_both_verifiers_see_every_mutation(
    kind: Callable[..., None], audit: Audit, other: ModuleType, tmp_path: Path
) -> None:
    for number in range(ROUNDS // len(KINDS)):
        folder = tmp_path / "changed"
        shutil.copytree(audit.folder, folder)
        kind(audit, folder, random.Random(f"{kind.__name__} {number}"))
        verdict = verify_folder(folder, public_keys(KEYS), audit.anchor)
        assert not verdict.holds, f"{kind.__name__} {number}"
        assert other.verify(folder, KEYS, audit.anchor), f"{kind.__name__} {number}"
        shutil.rmtree(folder)


def test_without_an_anchor_one_writers_rollback_shows_in_the_others_checkpoints(
    audit: Audit, other: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(audit.folder, folder)
    shutil.copyfile(audit.early / "log-1.db", folder / "log-1.db")
    verdict = verify_folder(folder, public_keys(KEYS))
    assert [each.broken for each in verdict.writers] == [None, None]
    assert "others' checkpoints say" in verdict.findings[0]
    assert other.verify(folder, KEYS)


def test_a_rollback_of_everything_shows_against_the_anchor_only(audit: Audit) -> None:
    assert verify_folder(audit.early, public_keys(KEYS)).holds
    verdict = verify_folder(audit.early, public_keys(KEYS), audit.anchor)
    assert [each.broken for each in verdict.writers] == [
        f"the anchor says that there are {size} records, which end after {own}" for size, own in _first_beyond(audit)
    ]


def _first_beyond(audit: Audit) -> list[tuple[int, int]]:
    found = []
    for name in ("log-0.db", "log-1.db"):
        own = rows(audit.early / name, "SELECT sum(count) FROM segments")[0][0]
        assert isinstance(own, int)
        writer = rows(audit.early / name, "SELECT writer FROM about")[0][0]
        texts = [note.split("\n") for note in audit.anchor.decode().split("\n\n") if f"figway-audit/{writer}" in note]
        found.append((min(int(lines[1]) for lines in texts if int(lines[1]) > own), own))
    return found


def test_a_key_that_is_not_known_proves_nothing(audit: Audit, other: ModuleType) -> None:
    verdict = verify_folder(audit.folder, public_keys(f"{OTHER.public}\n"), audit.anchor)
    assert all("isn't signed by a key that is known" in str(each.broken) for each in verdict.writers)
    assert other.verify(audit.folder, f"{OTHER.public}\n", audit.anchor)


def test_a_damaged_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "log-0.db").write_bytes(b"no database at all, but long enough to be told from an empty one" * 9)
    verdict = verify_folder(tmp_path, public_keys(KEYS))
    assert "can't be read" in str(verdict.writers[0].broken)
    with pytest.raises(AuditError, match="no audit"):
        verify_folder(tmp_path / "nowhere", public_keys(KEYS))


def test_a_writer_whose_newest_checkpoint_was_changed_isnt_carried_on(audit: Audit, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(audit.folder, folder)
    run(folder / "log-0.db", "UPDATE checkpoints SET frontier = zeroblob(length(frontier))")
    with closing(AuditFile.claim(folder)) as file, pytest.raises(AuditError, match="was changed"):
        Checkpointer(file, lambda: SIGNER)
