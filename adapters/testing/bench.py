"""The bench on which a rule tries an adapter: its wire, its loop on a thread of its own, and what it let out."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError

from adapters.contract import Adapter, Context, Json, Kind, Operation, Result, Workspace
from adapters.errors import AdapterError, ConfigError
from adapters.testing.subject import SECONDS, Sample, Subject, operation_of
from adapters.testing.wire import Wire

_T = TypeVar("_T")

GRACE = 5.0
"""Seconds behind a deadline within which a call must have ended, however slow the machine."""
_LONGEST = 120.0
"""Seconds after which a scenario that hasn't ended never will."""
STILL = 100
"""Looks, a tenth of a second apart, in which a loop that nobody holds up has surely moved."""


class Broken(AssertionError):
    """The adapter breaks a rule; the message says how, in a sentence for its author."""


class NotAsked(Exception):
    """The rule says nothing of this adapter; the message says why."""


def broken(sentence: str) -> NoReturn:
    """Says that the rule is broken."""
    raise Broken(sentence)


class Bench:
    """Builds adapters of one subject and runs scenarios on them; a context manager."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.let_out: list[str] = []
        """What was logged, and the texts of what was raised."""
        self._wire = None if subject.address is None else Wire(*subject.address)
        self._folder = tempfile.TemporaryDirectory(prefix="figway-bench-", ignore_cleanup_errors=True)
        self._made: list[Adapter] = []
        self._beats = 0
        self.grace = GRACE

    @property
    def wire(self) -> Wire:
        """The wire; a rule that needs one isn't asked where there is none."""
        if self._wire is None:
            raise NotAsked("the subject has no address")
        return self._wire

    def listen(self) -> None:
        """Puts the system behind the wire, where there is one."""
        if self._wire is not None:
            self._wire.listen()

    @property
    def kind(self) -> Kind:
        return self.subject.found()

    def config(self) -> Mapping[str, Any]:
        """The configuration, with the wire's address."""
        return self.subject.config(*(("", 0) if self._wire is None else (self._wire.host, self._wire.port)))

    def build(self, config: Mapping[str, Any] | None = None) -> Adapter:
        """A new adapter, as the gateway builds it; it is closed when the scenario ends."""
        if config is None:
            try:
                return self.build(self.config())
            except (ValidationError, ConfigError) as error:
                broken(f"the subject's configuration is refused: {error}")
        model = self.kind.config.model_validate(config)
        self.let_out += [repr(model), str(model)]
        cache = Path(tempfile.mkdtemp(dir=self._folder.name))
        adapter = self.kind.build("subject", model, Workspace(self.subject.files, cache))
        self.let_out.append(repr(adapter))
        self._made.append(adapter)
        return adapter

    def run(self, scenario: Callable[[], Awaitable[_T]]) -> _T:
        """What the scenario gives, on a loop of its own; `Broken` where it doesn't end."""
        done: Future[_T] = Future()

        def turn() -> None:
            try:
                done.set_result(asyncio.run(self._closing(scenario)))
            except BaseException as error:  # broad: it is raised again below
                done.set_exception(error)

        threading.Thread(target=turn, name="figway-bench", daemon=True).start()
        if not self._moves(done):
            if self._wire is not None:
                self._wire.drop()  # else what waits for the system without looking at the time waits for ever
            wait([done], self.grace)
            broken("the event loop stands still while it waits for the system")
        if not done.done():
            broken("it never ends")
        return done.result()

    def _moves(self, done: Future[Any]) -> bool:
        """Waits for the scenario's end; False once the loop has stopped moving."""
        still, last, end = 0, -1, time.monotonic() + _LONGEST
        while not wait([done], 0.1).done and time.monotonic() < end:
            still, last = (still + 1, last) if self._beats == last else (0, self._beats)
            if still >= STILL:
                return False
        return True

    async def _beat(self) -> None:
        while True:
            self._beats += 1
            await asyncio.sleep(0.02)

    async def _closing(self, scenario: Callable[[], Awaitable[_T]]) -> _T:
        beating = asyncio.create_task(self._beat())
        with self._listening():
            try:
                return await scenario()
            finally:
                if self._wire is not None:
                    self._wire.release()
                made, self._made = self._made, []
                for adapter in made:
                    await adapter.close()
                beating.cancel()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        handler = _Notes(self.let_out)
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)

    def operation(self, adapter: Adapter, sample: Sample) -> Operation:
        """The sample's operation."""
        found = operation_of(adapter, sample.operation)
        return found if found is not None else broken(f"the subject names {sample.operation}, which isn't an operation")

    async def call(
        self, adapter: Adapter, sample: Sample, seconds: float = SECONDS, key: str | None = None
    ) -> Result | AdapterError:
        """What a call comes to, within its deadline; `Broken` where it raises what it may not, or doesn't end."""
        context = self.context(adapter, sample, seconds, key)
        call = asyncio.ensure_future(adapter.invoke(sample.operation, sample.input, context))
        done, _ = await asyncio.wait({call}, timeout=max(0.0, seconds) + self.grace)
        if not done:
            call.cancel()
            broken(f"{sample.operation} still waits {self.grace:.1f} s after its deadline")
        return self.outcome(sample.operation, call)

    def outcome(self, what: str, call: asyncio.Future[Result]) -> Result | AdapterError:
        """What a call that has ended came to."""
        error = call.exception()
        if error is None:
            return call.result()
        self.let_out += list(texts(error))
        if isinstance(error, AdapterError):
            return error
        return broken(f"{what} raises {told(error)}, which adapters.errors doesn't define")

    def context(self, adapter: Adapter, sample: Sample, seconds: float, key: str | None = None) -> Context:
        """A call's context, as the gateway makes it."""
        effect = self.operation(adapter, sample).effect
        return Context(time.monotonic() + seconds, idempotency_key=key, principal="ann", effect=effect)

    async def answer(self, adapter: Adapter, sample: Sample) -> Json:
        """The value of a call that must succeed."""
        outcome = await self.call(adapter, sample)
        if isinstance(outcome, AdapterError):
            broken(f"{sample.operation} fails with {told(outcome)}")
        return outcome.value

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._folder.cleanup()


class _Notes(logging.Handler):
    """Takes down all that is logged."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.NOTSET)
        self._notes = notes
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._notes.append(self.format(record))


def texts(error: BaseException | None) -> Iterator[str]:
    """What an error says, and what a traceback says of those that it came from."""
    yield repr(error)
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield from (str(error), str(getattr(error, "detail", "")))
        error = error.__cause__ or error.__context__


def told(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
