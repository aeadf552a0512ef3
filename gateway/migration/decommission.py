"""Whether a group's legacy side may be switched off, and the evidence: as a document that is signed.

Pure functions of what was counted; `gathered` reads it. Days are days of 24 hours in UTC, whole ones.
"""

from __future__ import annotations

import time
from calendar import monthrange
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from gateway.audit.note import BadNote, PublicKey, Signer, opened
from gateway.instants import spelt_of
from gateway.migration.decommission_page import DAYS
from gateway.migration.model import Group, Stage
from gateway.migration.plan import shown, words
from gateway.migration.tally import DAY, Brownout, Caller, Tally
from gateway.routing.groups import stages_of
from gateway.routing.model import Compiled
from gateway.store.contract import State, StoredSnapshot

MOST_SNAPSHOTS = 10_000
PURPOSES = {
    "caller": "callers",
    "shadow": "shadow",
    "probe": "probes",
    "lookup": "reconciliation",
    "reconcile": "reconciliation",
}
"""What a call is for → how the evidence names it."""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a group. `history` is oldest first; times in seconds since the epoch."""

    group: Group
    legacy: frozenset[tuple[str, str]]
    """The legacy upstreams' operations, probes ("") among them."""
    version: int
    history: Sequence[StoredSnapshot]
    callers: Sequence[Caller]
    counting_since: float
    brownouts: Sequence[Brownout]
    waiting: Mapping[str, int]
    """Writes that one side hasn't seen, or whose outcome nobody knows, by state."""
    reconciliation: Mapping[str, Any] | None = None
    """The newest sweep that is done; None: there is none."""


def legacy_of(compiled: Compiled, group: str) -> frozenset[tuple[str, str]]:
    """The operations behind a group's legacy bindings."""
    bindings = (each.legacy for each in compiled.routes if each.group == group)
    return frozenset((each.upstream, each.operation) for each in bindings if each is not None)


def gathered(
    group: Group,
    compiled: Compiled,
    version: int,
    state: State,
    tally: Tally,
    waiting: Mapping[str, int],
    reconciliation: Mapping[str, Any] | None,
) -> Facts:
    """Reads what is known; blocks. Raises `StoreError` or `sqlite3.Error`."""
    operations = legacy_of(compiled, group.name)
    legacy = operations | {(upstream, "") for upstream, _ in operations}
    history = state.history(MOST_SNAPSHOTS)[::-1]
    brownouts = [each for each in tally.brownouts(over=True) if each.group == group.name]
    asked = (tally.callers(legacy), tally.since())
    return Facts(group, legacy, version, history, *asked, brownouts, waiting, reconciliation)


def judged(facts: Facts, days: int = DAYS, now: float | None = None) -> dict[str, Any]:
    """The evidence; `decommission` is true where nothing is in `refused`."""
    now = time.time() if now is None else now
    laid = laid_down(facts.group, facts.history)
    quiet = _quiet_since(facts, laid)
    whole = 0 if quiet is None else int((now - quiet) // DAY)
    ends = [] if quiet is None else _month_ends(quiet, now)
    since = [] if laid is None else [each for each in facts.callers if each.last >= laid]
    chain, broken = _chained(facts.history)
    done = [each for each in facts.brownouts if each.until <= now]
    found: dict[str, Any] = {
        "group": facts.group.name,
        "time": spelt_of(now),
        "snapshot": facts.version,
        "stage": shown(facts.group.stage),
        "legacy": [{"upstream": upstream, "operation": name} for upstream, name in sorted(facts.legacy) if name],
        "laid_down": None if laid is None else spelt_of(laid),
        "quiet_since": None if quiet is None else spelt_of(quiet),
        "days": {"needed": days, "quiet": whole, "month_ends": [each.isoformat() for each in ends]},
        "called_since": _called(since),
        "last_callers": [_caller(each) for each in facts.callers[:_SHOWN]],
        "waiting": dict(facts.waiting),
        "reconciliation": None if facts.reconciliation is None else dict(facts.reconciliation),
        "brownouts": [
            {**each.document(), "begun": spelt_of(each.begun), "until": spelt_of(each.until)} for each in done
        ],
        "history": {"unbroken": not broken, "head": chain, "snapshots": _moves(facts)},
    }
    refused = _refused(facts, laid, quiet, days, whole, ends, broken, bool(done))
    return {**found, "decommission": not refused, "refused": refused}


def _refused(
    facts: Facts, laid: float | None, quiet: float | None, days: int, whole: int, ends: list[date], broken: list[int],
    browned: bool,
) -> list[str]:  # fmt: skip
    """Why not, a sentence each."""
    sentences = []
    if laid is None:
        sentences.append(
            f"legacy isn't laid down: it is at {words(facts.group.stage)}; days count once nothing asks it any more, "
            "from probe off or retired on"
        )
    elif whole < days:
        sentences.append(f"nothing has asked legacy for {whole} whole days, {days} are needed")
    if laid is not None and quiet is not None and quiet > laid:
        late = next((each for each in facts.callers if each.last >= laid), None)
        if late is not None:
            sentences.append(
                f"{_who(late)} asked {late.upstream} {late.operation or 'how it is'} at {spelt_of(late.last)}, after "
                "it was laid down: the days count from there"
            )
    if laid is not None and not ends:
        sentences.append("no end of a month is among the days")
    if facts.waiting:
        counted = ", ".join(f"{count} {state}" for state, count in sorted(facts.waiting.items()))
        sentences.append(f"writes wait in the outbox or are of unknown outcome: {counted}")
    if not browned:
        sentences.append(f"there was no brown-out: figway route brownout {facts.group.name} --for 10m")
    if broken:
        sentences.append(f"the history is broken at snapshot {broken[0]}")
    return sentences


def laid_down(group: Group, history: Sequence[StoredSnapshot]) -> float | None:
    """Since when nothing may ask legacy; None: something may. `history` is oldest first."""
    since: float | None = None
    for each in history:
        stage = stages_of(each.stages).get(group.name)
        if stage is None or not _is_laid(group, stage):
            since = None
        elif since is None:
            since = each.time.timestamp()
    return since


def _is_laid(group: Group, stage: Stage) -> bool:
    reads = not group.has_reads or stage.reads == "retired" or (stage.reads == "new_only" and not stage.probe)
    return reads and (not group.has_writes or stage.writes in ("new_only", "retired"))


def _quiet_since(facts: Facts, laid: float | None) -> float | None:
    if laid is None:
        return None
    return max(laid, facts.counting_since, *(each.last for each in facts.callers if each.last >= laid))


def _month_ends(since: float, now: float) -> list[date]:
    """The last days of months that lie within, whole."""
    first = datetime.fromtimestamp(since, UTC)
    day = first.date() + timedelta(days=0 if first.time() == datetime.min.time() else 1)
    last = datetime.fromtimestamp(now, UTC).date()
    every = (day + timedelta(days=count) for count in range(max(0, (last - day).days)))
    return [each for each in every if each.day == monthrange(each.year, each.month)[1]]


def _called(callers: Sequence[Caller]) -> dict[str, int]:
    """Whether legacy was asked since it was laid down: each sort, by how many callers."""
    counts = Counter(PURPOSES[each.purpose] for each in callers)
    return {name: counts[name] for name in PURPOSES.values()}


def _caller(caller: Caller) -> dict[str, Any]:
    about = {**caller._asdict(), "last": spelt_of(caller.last), "purpose": PURPOSES[caller.purpose]}
    return {name: value for name, value in about.items() if value != ""}


def _who(caller: Caller) -> str:
    if not caller.principal:
        return f"the gateway ({PURPOSES[caller.purpose]})"
    return caller.principal + (f" via {caller.agent}" if caller.agent else "")


# ── the history, chained ─────────────────────────────────────────────────────────────────────────────────────


def _chained(history: Sequence[StoredSnapshot]) -> tuple[str, list[int]]:
    """A hash over all snapshots, each hashed with the one before, and those that don't follow theirs."""
    head, broken = "", []
    for before, each in zip((None, *history), history, strict=False):
        if not each.follows(before):
            broken.append(each.version)
        about = [each.version, each.hash, each.parent_hash, each.author, each.reason, each.ticket, each.time]
        line = orjson.dumps([head, *about, each.stages, each.evidence], default=str, option=orjson.OPT_SORT_KEYS)
        head = sha256(line).hexdigest()
    return head, broken


def _moves(facts: Facts) -> list[dict[str, Any]]:
    """The snapshots with which the group's stage changed."""
    moves, last = [], None
    for each in facts.history:
        stage = stages_of(each.stages).get(facts.group.name)
        if stage is not None and stage != last:
            about = {"version": each.version, "time": each.time.isoformat(), "author": each.author}
            moves.append({**about, "reason": each.reason, "ticket": each.ticket, "stage": words(stage)})
        last = stage
    return moves


# ── signed ───────────────────────────────────────────────────────────────────────────────────────────────────


def signed(evidence: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """The evidence with a signed note of its hash, by the audit's key."""
    return {**evidence, "signature": signer.sign(_note(evidence)).decode()}


def verified(evidence: Mapping[str, Any], keys: Mapping[str, PublicKey]) -> None:
    """Raises `BadNote` unless one of the keys signed exactly this evidence."""
    bare = {name: value for name, value in evidence.items() if name != "signature"}
    if opened(str(evidence.get("signature", "")).encode(), keys) != _note(bare):
        raise BadNote("the signature is of other evidence")


def _note(evidence: Mapping[str, Any]) -> str:
    canonical = orjson.dumps(evidence, option=orjson.OPT_SORT_KEYS, default=str)
    return f"figway-evidence/{evidence['group']}\n{sha256(canonical).hexdigest()}\ntime {evidence['time']}\n"
