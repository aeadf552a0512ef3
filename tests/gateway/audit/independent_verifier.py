"""A second verifier of the audit, written from its README alone: it shares no line with the first, and imports nothing
of the gateway's. `verify(folder, public keys' text, anchor's bytes)` answers what is wrong, nothing when all holds.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import struct
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Checkpoint = dict[str, object]


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


# ── RFC 6962 §2.1, bottom up: each level pairs the one below, an odd last one goes up as it is ──────────────────


def levels(leaves: list[bytes]) -> list[list[bytes]]:
    rows = [leaves]
    while len(rows[-1]) > 1:
        below = rows[-1]
        pairs = [sha(b"\x01", below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)]
        rows.append(pairs + below[len(pairs) * 2 :])
    return rows


def tree_hash(leaves: list[bytes]) -> bytes:
    return levels(leaves)[-1][0] if leaves else sha()


def joined(subtrees: list[bytes]) -> bytes:
    """The root of a tree given by its perfect subtrees, the largest first."""
    if not subtrees:
        return sha()
    top = subtrees[-1]
    for left in subtrees[-2::-1]:
        top = sha(b"\x01", left, top)
    return top


def grown(size: int, subtrees: list[bytes], records: list[bytes]) -> tuple[int, list[bytes]]:
    """The perfect subtrees of a tree to which records are added: equal ones merge, as digits of a binary counter do."""
    stack = [
        (height, hash) for height, hash in zip([h for h in range(64, -1, -1) if size >> h & 1], subtrees, strict=True)
    ]
    for record in records:
        stack.append((0, sha(b"\x00", record)))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            (height, right), (_, left) = stack.pop(), stack.pop()
            stack.append((height + 1, sha(b"\x01", left, right)))
    return size + len(records), [hash for _, hash in stack]


def included(record: bytes, at: int, size: int, path: list[bytes], root: bytes) -> bool:
    """RFC 9162 §2.1.3.2 (the tree is RFC 6962's): does the audit path lead from the record to the root?"""
    if at >= size:
        return False
    node, last, hash = at, size - 1, sha(b"\x00", record)
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            hash = sha(b"\x01", step, hash)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hash = sha(b"\x01", hash, step)
        node, last = node >> 1, last >> 1
    return last == 0 and hash == root


def consistent(first: int, second: int, first_root: bytes, second_root: bytes, proof: list[bytes]) -> bool:
    """RFC 9162 §2.1.4.2: is the smaller tree a part of the larger one?"""
    if first == second:
        return not proof and first_root == second_root
    if first == 0:
        return not proof
    steps = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not steps:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = sha(b"\x01", step, old), sha(b"\x01", step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = sha(b"\x01", new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


# ── signed notes ─────────────────────────────────────────────────────────────────────────────────────────────────


def keys_of(text: str) -> dict[tuple[str, bytes], Ed25519PublicKey]:
    keys = {}
    for line in filter(None, text.splitlines()):
        name, id, encoded = line.split("+", 2)
        raw = base64.b64decode(encoded)
        assert raw[0] == 1, "Ed25519"
        assert sha(name.encode(), b"\n", raw)[:4].hex() == id
        keys[name, bytes.fromhex(id)] = Ed25519PublicKey.from_public_bytes(raw[1:])
    return keys


def read_note(note: bytes, keys: dict[tuple[str, bytes], Ed25519PublicKey]) -> Checkpoint:
    """What a note says; raises ValueError unless a known key signed it."""
    try:
        text, signature_lines = note.decode().split("\n\n")
        verified = False
        for line in signature_lines.rstrip("\n").split("\n"):
            dash, name, encoded = line.split(" ")
            raw = base64.b64decode(encoded, validate=True)
            key = keys.get((name, raw[:4]))
            if dash != "—" or key is None:
                continue
            key.verify(raw[4:], (text + "\n").encode())
            verified = True
        if not verified:
            raise ValueError("signed by nobody who is known")
        lines = text.split("\n")
        origin = lines[0].split("/")
        said = {line.split(" ")[0]: line.split(" ")[1:] for line in lines[3:] if not line.startswith("beside ")}
        beside = {line.split(" ")[1]: int(line.split(" ")[2]) for line in lines[3:] if line.startswith("beside ")}
        return {
            "writer": origin[1],
            "kind": origin[2:] or ["checkpoint"],
            "size": int(lines[1]),
            "root": base64.b64decode(lines[2]),
            "segment": int(said["segment"][0]),
            "hash": bytes.fromhex(said["segment"][1]),
            "time": int(said["time"][0]),
            "frontier": base64.b64decode(said["frontier"][0]) if "frontier" in said else None,
            "beside": beside,
        }
    except (InvalidSignature, IndexError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"a note that doesn't hold: {error!r}") from error


def notes_of(anchor: bytes) -> list[bytes]:
    parts = anchor.rstrip(b"\n").split(b"\n\n") if anchor.strip() else []
    return [text + b"\n\n" + signatures + b"\n" for text, signatures in zip(parts[::2], parts[1::2], strict=True)]


# ── one writer ───────────────────────────────────────────────────────────────────────────────────────────────────


def check_mark(row: tuple[int, int, int, bytes, bytes], writer: str, kind: str, keys: object) -> Checkpoint:
    size, segment, time, frontier, note = row
    said = read_note(note, keys)  # type: ignore[arg-type]
    subtrees = [frontier[at : at + 32] for at in range(0, len(frontier), 32)]
    if len(subtrees) != bin(size).count("1") or len(frontier) % 32 or joined(subtrees) != said["root"]:
        raise ValueError(f"the frontier of {size} isn't that of the signed root")
    wanted = {"writer": writer, "kind": [kind], "size": size, "segment": segment, "time": time}
    if any(said[name] != value for name, value in wanted.items()):
        raise ValueError(f"the row of {size} isn't what was signed")
    return said


def check_writer(file: Path, keys: object, anchored: dict[str, list[Checkpoint]]) -> tuple[str, int, dict[str, int]]:
    """The writer's name, how many records it has, and what it says of others; raises ValueError."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        about = connection.execute("SELECT writer, format FROM about").fetchall()
        segments = connection.execute(
            "SELECT number, first, count, time, body, hash FROM segments ORDER BY number"
        ).fetchall()
        columns = "size, segment, time, frontier, note"
        checkpoints = connection.execute(f"SELECT {columns} FROM checkpoints ORDER BY size").fetchall()
        prunings = connection.execute(f"SELECT {columns} FROM prunings ORDER BY size").fetchall()
    finally:
        connection.close()
    if len(about) != 1 or about[0][1] != 2:
        raise ValueError("not of this form")
    writer: str = about[0][0]
    previous, number, size, subtrees = sha(b"figway audit 2\n", writer.encode()), 0, 0, []
    for row in prunings:
        said = check_mark(row, writer, "pruned", keys)
        if said["frontier"] != row[3]:
            raise ValueError("the certificate's frontier isn't the signed one")
        previous, number, size = said["hash"], row[1], row[0]  # type: ignore[assignment]
        subtrees = [row[3][at : at + 32] for at in range(0, len(row[3]), 32)]
    said_of = [check_mark(row, writer, "checkpoint", keys) for row in checkpoints]
    if not said_of:
        raise ValueError("no checkpoint")
    due = [each for each in (*said_of, *anchored.get(writer, [])) if each["size"] >= size]  # type: ignore[operator]
    at = {size: (joined(subtrees), number, previous)}
    for its_number, first, count, time, body, hash in segments:
        if (its_number, first) != (number + 1, size) or body[-1:] != b"\n":
            raise ValueError(f"segment {number + 1} isn't there")
        records = body[:-1].split(b"\n")
        previous = sha(previous, struct.pack(">QQQQ", its_number, first, count, time), body)
        if previous != hash or len(records) != count:
            raise ValueError(f"segment {its_number} was changed")
        number = its_number
        size, subtrees = grown(size, subtrees, records)
        at[size] = joined(subtrees), number, previous
    for each in due:
        if at.get(each["size"]) != (each["root"], each["segment"], each["hash"]):  # type: ignore[call-overload]
            raise ValueError(f"what is signed of {each['size']} records doesn't hold")
    beside: dict[str, int] = {}
    for each in said_of:
        for other, its_size in each["beside"].items():  # type: ignore[attr-defined]
            beside[other] = max(beside.get(other, 0), its_size)
    return writer, size, beside


def verify(folder: Path, public_keys: str, anchor: bytes = b"") -> list[str]:
    """What is wrong with a folder."""
    keys, wrong, sizes, beside = keys_of(public_keys), [], {}, {}
    anchored: dict[str, list[Checkpoint]] = {}
    try:
        for note in notes_of(anchor):
            said = read_note(note, keys)
            anchored.setdefault(str(said["writer"]), []).append(said)
    except ValueError as error:
        wrong.append(f"anchor: {error}")
    for file in folder.glob("log-*.db"):
        try:
            writer, size, others = check_writer(file, keys, anchored)
        except (ValueError, TypeError, struct.error, sqlite3.Error) as error:
            wrong.append(f"{file.name}: {error}")
            continue
        if writer in sizes:
            wrong.append(f"{writer} is there twice")
        sizes[writer] = size
        for other, its_size in others.items():
            beside[other] = max(beside.get(other, 0), its_size)
    wrong += [f"{writer} is missing" for writer in anchored if writer not in sizes]
    wrong += [f"{writer} was longer" for writer, size in beside.items() if sizes.get(writer, -1) < size]
    return wrong
