"""Checkpoints, where they go, and what is pruned once it is covered by one."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.audit import anchor as anchor_module
from gateway.audit import log as log_module
from gateway.audit.anchor import Anchor
from gateway.audit.archive import FileSource
from gateway.audit.arguments import Hasher
from gateway.audit.checkpoint import Claim
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.note import opened, public_keys, split
from gateway.audit.record import Record
from gateway.audit.rules import AuditRules
from gateway.audit.tree import leaf, root
from gateway.audit.verify import records, verify_folder

Make = Callable[[int], Record]


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "it doesn't come true"
        time.sleep(0.01)


def _sizes(folder: Path, name: str = "log-0.db") -> list[int]:
    with closing(FileSource(folder / name)) as source:
        return [mark.size for mark in source.checkpoints()]


def test_a_checkpoint_is_signed_at_the_start_and_the_end(folder: Path, keys: AuditKeys, make: Make) -> None:
    log = AuditLog.open(folder, keys)
    _wait(lambda: _sizes(folder) == [0])
    for number in range(5):
        log.append(make(number))
    log.close()
    assert _sizes(folder) == [0, 5]


def test_a_checkpoint_is_signed_when_so_many_records_or_seconds_have_gone_by(
    folder: Path, keys: AuditKeys, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_CHECKPOINT_RECORDS", 3)
    log = AuditLog.open(folder, keys)
    for number in range(4):
        log.append(make(number))
    _wait(lambda: max(_sizes(folder), default=0) >= 3)
    monkeypatch.setattr(log_module, "_CHECKPOINT_SECONDS", 0.05)
    log.append(make(5))
    _wait(lambda: max(_sizes(folder)) == 5)
    log.close()


def test_a_rotated_key_signs_from_then_on_and_both_are_published(folder: Path, make: Make) -> None:
    current = ["k1"]
    keys = AuditKeys(lambda: (current[0], current[0].encode() * 16), Hasher("h1", b"h" * 32))
    log = AuditLog.open(folder, keys)
    _wait(lambda: _sizes(folder) == [0])
    current[0] = "k2"
    log.append(make(1))
    log.close()
    published = public_keys((folder / "public-keys").read_text())
    assert sorted(published) == ["figway-audit-k1", "figway-audit-k2"]
    assert verify_folder(folder, published).holds
    with closing(FileSource(folder / "log-0.db")) as source:
        assert b"figway-audit-k2" in list(source.checkpoints())[-1].note


def test_what_is_old_and_covered_is_pruned_and_the_rest_still_holds(
    folder: Path, keys: AuditKeys, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog.open(folder, keys)
    for number in range(7):
        log.append(make(number))
    log.close()
    with closing(FileSource(folder / "log-0.db")) as source:
        exported = [line for segment in source.segments() for line in segment.body[:-1].split(b"\n")]
    time.sleep(0.01)
    monkeypatch.setattr(log_module, "_PRUNE_SECONDS", 59.0)
    log = AuditLog.open(folder, keys)
    log.follow(AuditRules(keep=0.001))
    log.append(make(7))
    log._pruned_at = 0.0
    _wait(lambda: [each["id"] for each in records(folder)] in (["call-7"], []))
    log.append(make(8))
    log.close()
    signer = keys.signer(folder)
    verdict = verify_folder(folder, {signer.name: signer.public})
    assert verdict.holds, verdict
    assert verdict.writers[0].first >= 7
    assert verdict.writers[0].size == 9
    with closing(FileSource(folder / "log-0.db")) as source:
        certificate = Claim.parse(opened(next(source.prunings()).note, {signer.name: signer.public}))
    # What was pruned can be proven whole from what was exported before.
    if certificate.size == 7:
        assert certificate.root == root([leaf(line) for line in exported])


def test_nothing_is_pruned_that_no_checkpoint_covers_or_that_is_young(
    folder: Path, keys: AuditKeys, make: Make
) -> None:
    log = AuditLog.open(folder, keys)
    log.append(make(1))
    _wait(lambda: len(list(records(folder))) == 1)
    assert log._checkpoints.pending == 1
    assert log._checkpoints.prune(time.time_ns() // 1000 + 10**9) is None, "only the empty checkpoint is old enough"
    log.close()
    again = AuditLog.open(folder, keys)
    assert again._checkpoints.prune(time.time_ns() // 1000 - 10**9) is None
    again.close()
    assert len(list(records(folder))) == 1


def test_files_that_no_process_writes_are_signed_and_pruned_by_the_first(
    folder: Path, keys: AuditKeys, make: Make
) -> None:
    one, other = AuditLog.open(folder, keys), AuditLog.open(folder, keys)
    other.append(make(1))
    other.close()
    one.follow(AuditRules(keep=0.001))
    one._pruned_at = float("-inf")
    one.append(make(2))
    one._work.set()

    def pruned() -> bool:
        with closing(FileSource(folder / "log-1.db")) as source:
            return any(source.prunings())

    one.append(make(3))
    _wait(pruned)
    one.close()
    signer = keys.signer(folder)
    assert verify_folder(folder, {signer.name: signer.public}).holds


# ── anchors ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_checkpoints_are_anchored_in_a_file(folder: Path, keys: AuditKeys, make: Make, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere with spaces"
    log = AuditLog.open(folder, keys)
    log.follow(AuditRules(anchor="file:" + str(place).replace(" ", "%20")))
    log.append(make(1))
    log.close()
    signer = keys.signer(folder)
    known = {signer.name: signer.public}
    claims = [Claim.parse(opened(note, known)) for note in split(place.read_bytes())]
    assert claims[-1].size == 1
    assert verify_folder(folder, known, place.read_bytes()).holds


@contextmanager
def receiving(statuses: list[int]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers with these statuses in turn, the last for good, and what was posted to it."""
    got: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/checkpoints", got
    finally:
        server.shutdown()
        server.server_close()


def test_checkpoints_are_posted_until_they_are_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(anchor_module, "_RETRY_SECONDS", 0.01)
    with receiving([500, 302, 204]) as (place, got):
        anchor = Anchor(place)
        anchor.offer(b"note one\n")
        _wait(lambda: len(got) == 3)
        anchor.offer(b"note two\n")
        anchor.close()
    assert got == [b"note one\n"] * 3 + [b"note two\n"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"], "told once, each way"


def test_a_place_that_cant_be_reached_holds_up_nothing(
    folder: Path, keys: AuditKeys, make: Make, tmp_path: Path
) -> None:
    log = AuditLog.open(folder, keys)
    log.follow(AuditRules(anchor=f"file:{tmp_path}/no/such/folder"))
    log.append(make(1))
    log.close()
    assert log.queued == 0
    assert len(list(records(folder))) == 1
