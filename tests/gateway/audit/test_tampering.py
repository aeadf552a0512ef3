"""Whatever is done to what was written shows: to our verifier, and to one that was written from the README alone."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
from beside import beside

from gateway.audit import chain
from gateway.audit.checkpoint import Checkpointer
from gateway.audit.file import AuditFile
from gateway.audit.note import joined, public_keys
from gateway.audit.sink import AuditError
from gateway.audit.verify import verify_folder

mutations = beside(__file__, "mutations")
SIGNER, OTHER, KINDS = mutations.SIGNER, mutations.OTHER, mutations.KINDS
rows, run = mutations.rows, mutations.run
KEYS = f"{SIGNER.public}\n"
ROUNDS = 1_500 if os.environ.get("FIGWAY_SLOW") else 200


@pytest.fixture(scope="module")
def other() -> ModuleType:
    """The second verifier."""
    return beside(__file__, "independent_verifier")


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
