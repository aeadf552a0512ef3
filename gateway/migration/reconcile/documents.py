"""What is known of a group's reconciliation as JSON: the control API answers it, and so do the verbs."""

from __future__ import annotations

import time
from typing import Any

import orjson

from gateway.instants import spelt_of
from gateway.migration.reconcile.model import UNCLEAN, Kind, Repair, Run, RunState, What
from gateway.migration.reconcile.proof import is_clean
from gateway.migration.reconcile.repairs_file import ReconcileFile, set_hash

EXAMPLES = 50


def reconciliation(file: ReconcileFile, group: str, oldest: float | None) -> dict[str, Any]:
    """The newest sweep and what is known since; within a transaction. `oldest`: when the oldest write was made that
    one side hasn't seen (seconds since the epoch)."""
    runs = file.newest_runs(group, What.SWEEP)
    waiting, since = file.waiting(group)
    checked, last = file.checked(group)
    late = [each for each in (oldest, since) if each is not None]
    counts = file.counted(group)
    return {
        "group": group,
        "sweep": run_document(file, runs[0]) if runs else None,
        "last_done": next((run_document(file, each) for each in runs if each.state is RunState.DONE), None),
        "written": {"counts": checked, "last": _text(last), "waiting": waiting},
        "oldest_lag": round(time.time() - min(late), 3) if late else 0.0,
        "found": {kind.value: counts.get(kind.value, 0) for kind in UNCLEAN},
        "examples": [_finding(*each) for each in file.findings(group, EXAMPLES)],
    }


def run_document(file: ReconcileFile, run: Run) -> dict[str, Any]:
    """A run: where it stands, or how it ended. `left` counts entities that are still to be looked at."""
    progress = orjson.loads(run.progress)
    counts = progress["counts"]
    running = run.state is RunState.RUNNING
    return {
        "id": run.id,
        "what": run.what.value,
        "state": run.state.value,
        "reason": run.reason or None,
        "author": run.author,
        "snapshot": run.snapshot,
        "began": _text(run.began),
        "ended": _text(run.ended),
        "walked": {side: at["walked"] for side, at in progress["sides"].items()},
        "walking": any(not at["over"] for at in progress["sides"].values()),
        "details": progress["details"],
        "looked": sum(counts.values()),
        "left": file.left(run.id) if running else 0,
        "counts": counts,
        "same": progress["verdicts"],
        "clean": run.state is RunState.DONE and is_clean(counts),
    }


def proposed(file: ReconcileFile, group: str) -> dict[str, Any]:
    """A group's repairs, and the hash by which those that are proposed are approved together."""
    waiting = file.repairs(group, ("proposed",))
    runs = file.newest_runs(group, What.PROPOSE, 1)
    return {
        "group": group,
        "hash": set_hash(waiting) if waiting else None,
        "proposing": run_document(file, runs[0]) if runs else None,
        "repairs": [repair_document(each) for each in file.repairs(group)],
    }


def repair_document(repair: Repair) -> dict[str, Any]:
    """A repair as people see it: which members it writes, never their values."""
    plain = ("hash", "entity", "side", "verb", "route", "author")
    return {
        **{name: getattr(repair, name) for name in plain},
        "members": orjson.loads(repair.members),
        "left": orjson.loads(repair.left),
        "state": repair.state.value,
        "why": repair.why or None,
        "created": _text(repair.created),
    }


def _finding(entity: str, id: bytes, kind: str, why: str, sample: bytes | None, found: float) -> dict[str, Any]:
    told = None if sample is None else orjson.loads(sample)["differences"]
    return {"entity": entity, "kind": Kind(kind).value, "why": why or None, "differences": told, "found": _text(found)}


def _text(seconds: float) -> str | None:
    if not seconds:
        return None
    return spelt_of(seconds)
