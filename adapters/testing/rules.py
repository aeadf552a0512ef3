"""The rules that an adapter is held to, by grade: what each asks, in a sentence, and the function that asks it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from adapters.testing import answers, captures, claims, faults, offline, outcomes, telling
from adapters.testing.bench import Bench
from adapters.testing.subject import Subject


class Grade(StrEnum):
    """How good an adapter is; each grade asks for those before it."""

    BRONZE = "bronze"
    """It can be loaded, called and told to stop."""
    SILVER = "silver"
    """It may stand in front of writes and secrets."""
    GOLD = "gold"
    """Others can run it without asking its author."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `ask` raises `Broken` or `NotAsked`."""

    name: str
    grade: Grade
    sentence: str
    ask: Callable[[Bench], Awaitable[None]]
    listening: bool = True
    """Whether the system is there from the start."""


_ALL = (
    Rule("offline", Grade.BRONZE, "it is built without touching the network, and knows its operations", offline.built),
    Rule("config", Grade.BRONZE, "unknown keys and literal secrets are refused", offline.configured),
    Rule("answers", Grade.BRONZE, "answers are JSON values that fit their schemas, with their time and source",
         answers.answers),
    Rule("errors", Grade.BRONZE, "what goes wrong is classified as adapters.errors has it", answers.errors),
    Rule("deadline", Grade.BRONZE, "a call ends by its deadline, and its late answer reaches nobody", faults.deadline),
    Rule("unreachable", Grade.BRONZE, "a system that isn't there is Unavailable, and called again when it is",
         faults.unreachable, listening=False),
    Rule("probe", Grade.BRONZE, "a probe tells up from down, and ends by its deadline", telling.probe),
    Rule("loop", Grade.SILVER, "the event loop never waits", faults.loop),
    Rule("cancelled", Grade.SILVER, "a cancelled call ends at once, and the next one gets its own answer",
         faults.cancelled),
    Rule("outcome", Grade.SILVER, "a write whose answer is lost is called unknown, and never sent twice",
         outcomes.outcome),
    Rule("garbage", Grade.SILVER, "a reply that means nothing is an error, never a guess", faults.garbage),
    Rule("bounded", Grade.SILVER, "a reply without an end is left", faults.bounded),
    Rule("secrets", Grade.SILVER, "no secret is logged, shown or raised, and callers are told no address",
         telling.secrets),
    Rule("closed", Grade.SILVER, "close gives everything back, and may be called twice", telling.closed),
    Rule("concurrent", Grade.GOLD, "calls at once get their own answers", answers.concurrent),
    Rule("pages", Grade.GOLD, "a list's pages are its items, each once, in one order", answers.pages),
    Rule("claims", Grade.GOLD, "what it claims of dry runs, lookups, bulk reads and its lists holds", claims.claims),
    Rule("changes", Grade.GOLD, "captured changes are told in order, at least once, and from where they were stored",
         captures.changes),
    Rule("docs", Grade.GOLD, "every key is described, and stands in the README", offline.documented),
)  # fmt: skip

RULES = {rule.name: rule for rule in _ALL}
"""By name, in the order in which they are asked."""


@contextmanager
def _bench(subject: Subject, listening: bool) -> Iterator[Bench]:
    bench = Bench(subject)
    try:
        if listening:
            bench.listen()
        yield bench
    finally:
        bench.close()


def ask(rule: Rule, subject: Subject) -> None:
    """Holds a subject to a rule; raises `Broken` or `NotAsked`."""
    with _bench(subject, rule.listening) as bench:
        bench.run(lambda: rule.ask(bench))
