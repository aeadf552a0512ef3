"""What somebody who can write the audit's files might do to them.

Each is `(audit, folder, chance)`: `folder` is a copy to be changed, `audit.early` the folder as it was early on."""

from __future__ import annotations

import random
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.audit import chain
from gateway.audit.archive import FileSource
from gateway.audit.checkpoint import Checkpointer
from gateway.audit.file import AuditFile
from gateway.audit.note import Signer

SIGNER = Signer.of("k1", b"s" * 32)
OTHER = Signer.of("k2", b"t" * 32)
TABLES = {
    "segments": ("number", ("first", "count", "time", "body", "hash")),
    "checkpoints": ("size", ("segment", "time", "frontier", "note")),
    "prunings": ("size", ("segment", "time", "frontier", "note")),
}


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


def flip(audit: Any, folder: Path, chance: random.Random) -> None:
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


def drop(audit: Any, folder: Path, chance: random.Random) -> None:
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


def insert(audit: Any, folder: Path, chance: random.Random) -> None:
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


def reorder(audit: Any, folder: Path, chance: random.Random) -> None:
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


def truncate(audit: Any, folder: Path, chance: random.Random) -> None:
    """The last segments, with or without the checkpoints of them."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    numbers = [number for (number,) in rows(path, "SELECT number FROM segments ORDER BY number")]
    last = numbers[-chance.randrange(1, len(numbers))]
    statements = [f"DELETE FROM segments WHERE number >= {last}"]
    if chance.random() < 0.5:
        statements.append(f"DELETE FROM checkpoints WHERE segment >= {last}")
    run(path, *statements)


def roll_back(audit: Any, folder: Path, chance: random.Random) -> None:
    """One file, or the folder, as it was early on, which is consistent in itself."""
    for name in chance.choice([["log-0.db"], ["log-1.db"], ["log-0.db", "log-1.db"]]):
        shutil.copyfile(audit.early / name, folder / name)


def swap(audit: Any, folder: Path, chance: random.Random) -> None:
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


def rewrite(audit: Any, folder: Path, chance: random.Random) -> None:
    """A record changed, and the chain made to fit again to the end, as who can write the file could."""
    path = folder / chance.choice(["log-0.db", "log-1.db"])
    rewritten(path, chance, lambda lines: [b'{"id":"forged"}', *lines[1:]])


def forge(audit: Any, folder: Path, chance: random.Random) -> None:
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
