"""The life of what is served: a snapshot is loaded, swapped in with one assignment, and retired when nobody uses it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

from gateway.approvals.webhook import receivers
from gateway.means import Means
from gateway.migration.changes import Changes
from gateway.migration.tally import count_legacy
from gateway.routing.audit_schema import Audit
from gateway.routing.folder import Stamp, stamp_workspace
from gateway.routing.groups import Stage, kept_stages, stages_of
from gateway.routing.load import Loaded, at_stages, compile_workspace, read_workspace
from gateway.routing.model import Compiled, InvalidWorkspace
from gateway.serving import Serving, build
from gateway.stand_in import all_mocked, tell_mocked
from gateway.store.contract import Moved, StoreError
from gateway.store.leader import Leader
from gateway.upstream import Limits, Upstream

logger = logging.getLogger("figway")

_POLL = 0.02
"""Seconds between looks at the shared generation."""
_STORE_PAUSE = 1.0
_RETIRE_POLL = 0.05
_PUBLISH_TIMEOUT = 30.0
_LEAD_POLL = 1.0
_WATCH_POLL = 0.15


class Runtime:
    """Serves the active snapshot of the store, whoever published it."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._slot = means.shared.claim()
        self._loading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._live: dict[str, Upstream] = {}
        self._in_use: list[Serving] = []
        self._checked: Loaded | None = None
        self._served: Loaded | None = None
        self._generation = -1
        self.serving: Serving | None = None
        self.draining = False
        changing = (means.state, means.shared, means.offload, self.compile, means.approvals)
        looking = (means.governance.outbox.drained, means.reconciling.lacking)
        self.changes = Changes(*changing, means.webhooks.tell, *looking)

    @property
    def means(self) -> Means:
        """What it works with."""
        return self._means

    def current(self) -> Serving:
        """The snapshot that admits a request now."""
        assert self.serving is not None
        return self.serving

    async def start(self, *, fresh: bool = False) -> None:
        """Serves the active snapshot; publishes the workspace where the store is empty and, when `fresh`, where the
        workspace differs. Raises `InvalidWorkspace` or `StoreError`."""
        means = self._means
        active = await means.offload(means.state.active)
        if active is None or (fresh and await self._differs_from(active)):
            try:
                await self.publish(reason="start", parent=active)
            except Moved:
                logger.info("another worker published the workspace first")
        await self._load_active()
        if not fresh and await self.differs():
            told = "the workspace's files differ from snapshot %d, which is served; 'figway apply' has them served"
            logger.warning(told, self.current().version)
        self.supervise(self._follow)

    async def _differs_from(self, version: int) -> bool:
        _, files = await self._means.offload(self._means.state.snapshot, version)
        return files != await asyncio.to_thread(read_workspace, self._means.workspace)

    async def publish(self, *, reason: str, author: str = "host", parent: int | None = None) -> int:
        """Checks the workspace's files and makes them the active snapshot on every worker; returns its version.

        `parent` is the version it was made from; raises `InvalidWorkspace`, `Moved` or `StoreError`, and then nothing
        has changed.
        """
        means = self._means
        files = await asyncio.to_thread(read_workspace, means.workspace)
        active = None if parent is None else await means.offload(means.state.active_snapshot)
        documents = {} if active is None else dict(active.stages)
        async with self._loading:
            loaded = await self._compile(files, stages_of(documents))
        stages = kept_stages(documents, loaded.compiled.groups)
        publish = partial(means.state.publish, stages=stages, author=author, reason=reason)
        stored = await means.offload(publish, files, expected_parent=parent)
        generation = means.shared.bump()
        if self.serving is not None:
            await self._load_active()
            if not await means.shared.wait_acknowledged(generation, _PUBLISH_TIMEOUT):
                logger.error("workers %s don't serve snapshot %d yet", means.shared.behind(generation), stored.version)
        logger.info("snapshot %d is published", stored.version)
        return stored.version

    async def watch(self) -> None:
        """Publishes the workspace whenever its files change, if this process leads; an invalid one is only told."""
        leader = Leader(self._means.folder.path / "leader")
        while not leader.try_lead():  # noqa: ASYNC110 - the lock is another process's: nothing here tells
            await asyncio.sleep(_LEAD_POLL)
        try:
            seen = None
            async for stamp in self._settled():
                if stamp == seen:
                    continue
                if not await self.differs() or await self._publish_changes():
                    seen = stamp
        finally:
            leader.resign()

    async def _settled(self) -> AsyncIterator[Stamp]:
        """The workspace's stamp, whenever two looks at it in a row agree: several files are seldom saved at once."""
        last = None
        while True:
            stamp = await asyncio.to_thread(stamp_workspace, self._means.workspace)
            if stamp == last:
                yield stamp
            last = stamp
            await asyncio.sleep(_WATCH_POLL)

    async def differs(self) -> bool:
        """Whether the workspace's files aren't those of the snapshot that is served."""
        try:
            files = await asyncio.to_thread(read_workspace, self._means.workspace)
        except InvalidWorkspace:
            return True
        return files != self.current().compiled.files

    async def _publish_changes(self) -> bool:
        """Whether that is done with: published, or told to be invalid. If not, it is tried again."""
        try:
            await self.publish(reason="the workspace's files changed", parent=self.current().version)
        except InvalidWorkspace as invalid:
            for finding in invalid.findings:
                logger.error("the workspace is invalid, the last good one keeps serving: %s", finding)
        except (StoreError, OSError) as error:
            logger.error("the changed workspace isn't published, which is tried again: %s", error)
            return False
        return True

    async def stop(self) -> None:
        """Ends the background work, then closes every upstream once its calls have ended."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await _close(self._live.values())

    def supervise(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs background work until the end; a failure is logged, and it starts again."""

        async def forever() -> None:
            while True:
                try:
                    return await work()
                except Exception:  # broad: the supervisor of background tasks keeps them alive, whatever fails
                    logger.exception("background work failed; it starts again")
                    await asyncio.sleep(1)

        self._spawn(forever())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self) -> None:
        """Loads what others publish."""
        failed = -1
        while True:
            await asyncio.sleep(_POLL)
            generation = self._means.shared.generation
            if generation in (self._generation, failed):
                continue
            try:
                await self._load_active()
            except InvalidWorkspace as error:
                failed = generation
                logger.error("the active snapshot can't be loaded, the last good one keeps serving: %s", error)
            except StoreError as error:
                logger.error("the active snapshot can't be read, the last good one keeps serving: %s", error)
                await asyncio.sleep(_STORE_PAUSE)

    async def _load_active(self) -> None:
        means = self._means
        async with self._loading:
            generation = means.shared.generation
            version = await means.offload(means.state.active)
            if version is None:
                raise StoreError("the store holds no snapshot")
            if self.serving is None or self.serving.version != version:
                stored, files = await means.offload(means.state.snapshot, version)
                self._swap(version, await self._compile(files, stages_of(stored.stages), judge=False))
            self._generation = generation
            means.shared.acknowledge(self._slot, generation)
            self._settle()

    def _settle(self) -> None:
        """Says, once it is so, that no write of an older snapshot is under way in this process."""
        older = (each for each in self._in_use if each is not self.serving)
        if not any(each.writes or self._writes_of(each.version) for each in older):
            self._means.shared.settle(self._slot, self._generation)

    def _writes_of(self, version: int) -> bool:
        kept = (self._means.governance.operations, self._means.governance.outbox)
        return any(each.busy(version) for each in kept)

    async def compile(self, files: Mapping[str, bytes], stages: Mapping[str, Stage] | None) -> Compiled:
        """A workspace as it would be served with its groups at `stages`; None: with nobody judging where they are.
        Raises `InvalidWorkspace`."""
        async with self._loading:
            return (await self._compile(files, stages or {}, judge=stages is not None)).compiled

    async def _compile(self, files: Mapping[str, bytes], stages: Mapping[str, Stage], *, judge: bool = True) -> Loaded:
        for last in (self._served, self._checked):
            if last is not None and last.compiled.files == files:
                return at_stages(last, stages, judge=judge)
        existing = {digest: upstream.adapter for digest, upstream in self._live.items()}
        self._checked = await asyncio.to_thread(
            compile_workspace,
            files,
            cache=self._means.folder.path / "cache",
            environment=os.environ,
            strict_secrets=not self._means.mocking,
            existing=existing,
            stages=stages,
            judge_stages=judge,
        )
        return self._checked

    def _swap(self, version: int, loaded: Loaded) -> None:
        loaded = all_mocked(loaded) if self._means.mocking else loaded
        compiled, mocking = loaded.compiled, self._means.mocking
        upstreams = {} if mocking else {name: self._upstream(loaded, name) for name in compiled.upstreams}
        count_legacy(compiled.routes, upstreams, self._means.governance.migrating.tally)
        fresh = build(version, compiled, upstreams, self._means.governance)
        policy = compiled.policy_files["audit.yaml"]
        assert isinstance(policy, Audit)
        self._means.governance.verifier.follow(compiled.identity)
        self._means.audit.follow(policy.log_rules(anchored=not mocking))
        self._means.webhooks.follow(receivers(() if mocking else compiled.settings["notify"]))
        old, self.serving = self.serving, fresh
        fresh.reads.begin(version, None if old is None else old.reads)
        fresh.migrating_writes.begin(version)
        fresh.trials.begin(compiled.groups, None if old is None else old.trials)
        self._served = loaded
        self._in_use.append(fresh)
        logger.info("serving snapshot %d (%s): %d routes", version, compiled.hash[:12], len(compiled.routes))
        tell_mocked(compiled, mocking=mocking)
        if old is not None:
            self._spawn(self._retire(old))

    def _upstream(self, loaded: Loaded, name: str) -> Upstream:
        """The upstream that lives already, when nothing about it changed, or a new one, opened in the background."""
        spec = loaded.compiled.upstreams[name]
        upstream = self._live.get(spec.digest)
        if upstream is None:
            limits = Limits(deadline=spec.deadline, concurrency=spec.concurrency, queue=spec.queue)
            upstream = self._live[spec.digest] = Upstream(loaded.adapters[name], limits)
            self._spawn(upstream.open())
        return upstream

    async def _retire(self, old: Serving) -> None:
        """Closes what only `old` used, once its last call has ended."""
        while old.calls or self._writes_of(old.version):
            await asyncio.sleep(_RETIRE_POLL)
            self._settle()
        # Not while a snapshot is being compiled, which may count on an adapter that lives now.
        async with self._loading:
            self._in_use.remove(old)
            self._settle()
            kept = {id(upstream) for serving in self._in_use for upstream in serving.upstreams.values()}
            gone = {digest: each for digest, each in self._live.items() if id(each) not in kept}
            for digest in gone:
                del self._live[digest]
            if gone:
                self._checked = None
        await _close(gone.values())


async def _close(upstreams: Iterable[Upstream]) -> None:
    """Closes all of them; one that fails is told, and keeps none of the others open."""
    upstreams = tuple(upstreams)
    outcomes = await asyncio.gather(*(upstream.close() for upstream in upstreams), return_exceptions=True)
    for upstream, outcome in zip(upstreams, outcomes, strict=True):
        if isinstance(outcome, Exception):
            logger.error("upstream %s couldn't be closed", upstream.name, exc_info=outcome)
