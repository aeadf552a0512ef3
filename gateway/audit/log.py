"""The audit's writer: records queue up, one thread commits them in groups, whoever asked for it waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self, TypeAlias

from gateway.audit import chain
from gateway.audit.anchor import Anchor
from gateway.audit.checkpoint import Checkpointer
from gateway.audit.file import AuditFile
from gateway.audit.keys import AuditKeys
from gateway.audit.record import Entry, Record, dumps, encode
from gateway.audit.rules import AuditRules
from gateway.audit.sink import AuditError, Mark, Sink, WriterLost
from gateway.audit.subjects import Subjects
from gateway.audit.waiting import Waiter, settle, tell

logger = logging.getLogger("figway")

_Item: TypeAlias = tuple[Entry, Waiter | None]

_GROUP = 2048
# How long a record that nobody waits for may stay in memory, so that a commit is shared: seconds.
_LINGER = 0.05
_RETRY_SECONDS = 0.5
# A commit that takes longer counts as a failure while it lasts: a hung disk doesn't answer at all.
_STALL_SECONDS = 2.0
_PATIENCE_SECONDS = 5.0
_CLOSE_SECONDS = 10.0
# A checkpoint is signed once so many records or seconds have gone by since the one before.
_CHECKPOINT_RECORDS, _CHECKPOINT_SECONDS = 10_000, 10.0
_PRUNE_SECONDS = 3600.0


class AuditLog:
    """One process's audit. `append` and `append_durable` are called on the event loop, and never block it.

    What can't be written is kept and tried again every half second, up to `capacity` records (some 1 kB each).
    """

    def __init__(self, sink: Sink, keys: AuditKeys, folder: Path, capacity: int = 16_384) -> None:
        """Starts writing to `sink`, which it closes in the end; raises `AuditError`. What belongs to all writers of a
        place, such as the public keys, is in `folder`."""
        self._sink = sink
        self._signer = partial(keys.signer, folder)
        self._subjects = Subjects(folder / "subjects.db")
        self._checkpoints = Checkpointer(sink, self._signer)
        self.hasher = keys.hasher
        self._anchor = Anchor()
        self.rules = AuditRules()
        self._capacity = capacity
        self._queue: deque[_Item] = deque()
        self._group: list[_Item] = []
        self._writable = True
        self._busy_since: float | None = None
        self._signed_at = float("-inf")
        # Not at once: verbs that only add a record leave it to the gateway.
        self._pruned_at = time.monotonic() - _PRUNE_SECONDS + 60
        self._idle = False
        self._work = threading.Event()
        self._hurry = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="figway-audit", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, folder: Path, keys: AuditKeys) -> Self:
        """Starts writing to a file of this process's own in `folder`; blocks; raises `AuditError`."""
        sink = AuditFile.claim(folder)
        try:
            return cls(sink, keys, folder)
        except AuditError:
            sink.close()
            raise

    @property
    def writer(self) -> str:
        """Whose records these are."""
        return self._sink.writer

    @property
    def healthy(self) -> bool:
        """The last commit worked, and none hangs: a call that changes something may be made."""
        since = self._busy_since
        return self._writable and (since is None or time.monotonic() - since < _STALL_SECONDS)

    @property
    def queued(self) -> int:
        """How many records wait for the disk."""
        return len(self._queue) + len(self._group)

    @property
    def crowded(self) -> bool:
        """Half of what can be kept is waiting for the disk, which works: callers should wait for it, too."""
        return self.queued * 2 >= self._capacity and self.healthy

    @property
    def refuses_reads(self) -> bool:
        """Nothing can be written, and by the policy reads aren't answered then."""
        return not self.rules.reads_when_unwritable and not self.healthy

    def follow(self, rules: AuditRules) -> None:
        """Obeys a new snapshot's policy from now on."""
        self.rules = rules
        self._anchor.move(rules.anchor)

    def append(self, record: Entry | Record) -> None:
        """Queues a record, to be on the disk some 50 ms later; raises `AuditError` when no more can be kept."""
        self._put(record, None)

    def append_durable(self, record: Entry | Record) -> asyncio.Future[None]:
        """Queues a record at once; done once it is on the disk. Fails with `AuditError` when it can't be put there now.

        The record is then kept with the others that wait for the disk, unless there are too many already.
        """
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        try:
            if not self.healthy:
                self._put(record, None)
                raise AuditError("the audit can't be written at present")
            self._put(record, waiter)
        except AuditError as error:
            waiter.set_exception(error)
            return waiter
        self._hurry.set()
        patience = loop.call_later(
            _PATIENCE_SECONDS, settle, (waiter,), AuditError("the audit can't be written: the disk doesn't answer")
        )
        waiter.add_done_callback(lambda _: patience.cancel())
        return waiter

    def close(self) -> None:
        """Writes what is queued, signs and stops; blocks. Raises `AuditError` when something couldn't be written."""
        self._closing.set()
        self._hurry.set()
        self._work.set()
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._anchor.close()
            self._subjects.close()
            self._sink.close()
        if self.queued:
            raise AuditError(f"{self.queued} audit records couldn't be written and are lost")

    def _put(self, record: Entry | Record, waiter: Waiter | None) -> None:
        if self._closing.is_set() or self.queued >= self._capacity:
            raise AuditError("the audit is closed" if self._closing.is_set() else "the audit's queue is full")
        self._queue.append((encode(record) if isinstance(record, Record) else record, waiter))
        if self._idle:
            self._work.set()

    # ── on the thread ────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            while not (self._closing.is_set() and not self._queue and not self._group):
                self._tend()
                self._wait_for_work()
                if not self._commit() and self._closing.is_set():
                    break
            self._sign()
        finally:
            # However the thread ends, nothing is written any more.
            self._writable = False
            tell((waiter for _, waiter in (*self._group, *self._queue)), AuditError("the audit is closed"))

    def _wait_for_work(self) -> None:
        if self._group:  # what failed; it has waited already
            return
        self._work.clear()
        self._idle = True
        if not self._queue and not self._closing.is_set():
            self._work.wait(_CHECKPOINT_SECONDS if self._checkpoints.pending else _PRUNE_SECONDS)
        self._idle = False
        if self._queue:
            self._hurry.wait(_LINGER)
        self._hurry.clear()

    def _commit(self) -> bool:
        """Writes the head of the queue; what fails is kept. False: it failed."""
        group, queue = self._group, self._queue
        while queue and len(group) < _GROUP:
            group.append(queue.popleft())
        if not group:
            return True
        self._busy_since = time.monotonic()
        try:
            lines = [entry if type(entry) is bytes else self._sealed(entry) for entry, _ in group]
            self._subjects.commit()
            segment = chain.segment(self._checkpoints.head, lines, time.time_ns() // 1000)
            self._sink.append(segment)
        except WriterLost as error:
            return self._begun_anew(error)
        except AuditError as error:
            self._failed(error)
            return False
        finally:
            self._busy_since = None
        self._group = []
        if not self._writable:
            logger.warning("the audit can be written again")
        self._writable = True
        tell((waiter for _, waiter in group), None)
        self._checkpoints.add(chain.behind(segment), lines)
        if queue and len(group) == _GROUP:
            self._hurry.set()
        return True

    def _begun_anew(self, lost: WriterLost) -> bool:
        """Goes on as another writer; what is to be written stays the same."""
        logger.warning("%s", lost)
        try:
            self._checkpoints = Checkpointer(self._sink, self._signer)
        except AuditError as error:
            self._failed(error)
            return False
        return True

    def _sealed(self, entry: Entry) -> bytes:
        assert not isinstance(entry, bytes)
        arguments = entry.members.setdefault("arguments", {})
        arguments["sealed"] = self._subjects.seal(entry.sealed, entry.members["id"])
        return dumps(entry.members)

    def _failed(self, error: AuditError) -> None:
        if self._writable:
            logger.error("%s; writes are refused until it can be again", error)
        self._writable = False
        # Who waited is told, and waits no more; the records stay.
        waiters = [waiter for _, waiter in self._group]
        self._group = [(entry, None) for entry, _ in self._group]
        tell(waiters, error)
        self._closing.wait(_RETRY_SECONDS)

    def _tend(self) -> None:
        """What is due besides writing: a checkpoint, pruning."""
        now = time.monotonic()
        if self._checkpoints.pending >= _CHECKPOINT_RECORDS or now - self._signed_at >= _CHECKPOINT_SECONDS:
            self._sign()
        if now - self._pruned_at >= _PRUNE_SECONDS:
            self._pruned_at = now if not self._prune() else now - _PRUNE_SECONDS + 1

    def _sign(self) -> None:
        """A failure is only told: records go on being written, and the next checkpoint covers them."""
        self._signed_at = time.monotonic()
        with self._told():
            self._offer(self._checkpoints.sign())

    def _prune(self) -> bool:
        """Prunes this writer's records and those of writers that no process has any more; whether there was any."""
        before = time.time_ns() // 1000 - int(self.rules.keep * 1e6)
        pruned = False
        with self._told():
            pruned = self._checkpoints.prune(before) is not None
            for other in self._sink.idle():
                with self._told():
                    checkpoints = Checkpointer(other, self._signer)
                    self._offer(checkpoints.sign())
                    pruned = checkpoints.prune(before) is not None or pruned
        return pruned

    def _offer(self, mark: Mark | None) -> None:
        if mark is not None:
            self._anchor.offer(mark.note)

    @contextmanager
    def _told(self) -> Iterator[None]:
        self._busy_since = time.monotonic()
        try:
            yield
        except AuditError as error:
            logger.error("%s", error)
        finally:
            self._busy_since = None
