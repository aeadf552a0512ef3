"""What writes need before only the replacement gets them: a clean sweep, and a word on legacy's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from gateway.migration.model import Group, Stage
from gateway.migration.reconcile.model import UNCLEAN, Run
from gateway.migration.reconcile.ways import Ways, ways_of
from gateway.routing.groups import stages_of
from gateway.routing.model import Compiled
from gateway.store.contract import StoredSnapshot

FRESH = 24 * 3600.0
"""Seconds for which a sweep speaks for what is there: as long as an approval lasts."""
FINAL = ("new_only", "retired")
OLDEST = 10_000
"""How many snapshots are looked through for the change of a stage."""


def why_not(group: Group, ways: Ways) -> str | None:
    """Why a group can't be reconciled; None: it can."""
    if group.stage.reads == "retired" or group.stage.writes in FINAL:
        return "its writes go to the replacement alone, so that legacy has nothing to be reconciled with"
    return _no_way(ways)


def _no_way(ways: Ways) -> str | None:
    if ways.listing is None and ways.detail is None:
        return "it has neither a list nor a read of one entity that both sides answer"
    return None


def rules_of(compiled: Compiled, group: Group) -> str:
    """Changes with what decides what is compared, and how: contracts, upstreams and the group's own rules."""
    parts = [content for path, content in sorted(compiled.files.items()) if path.startswith(("openapi/", "gateway."))]
    rules = "" if group.parity is None else group.parity.model_dump_json()
    key = "" if group.key is None else group.key.source
    return sha256(b"\0".join([*parts, rules.encode(), key.encode(), str(group.expires).encode()])).hexdigest()


def is_clean(counts: Mapping[str, int]) -> bool:
    """Whether nothing is missing, extra, different or unknown."""
    return not any(counts.get(kind.value, 0) for kind in UNCLEAN)


def needs_proof(group: Group, before: Stage | None, after: Stage) -> bool:
    """Whether the change takes legacy the writes for good, of data that each side keeps for itself."""
    if before is None or group.state != "replicated":
        return False
    return before.writes not in FINAL and after.writes in FINAL


def moved_with(group: str, history: Sequence[StoredSnapshot]) -> int:
    """The snapshot with which the stage of a group's writes last changed. `history` is newest first."""
    last = 0
    writes: str | None = None
    for each in history:
        stage = stages_of(each.stages).get(group)
        if stage is None or (writes is not None and stage.writes != writes):
            break
        writes, last = stage.writes, each.version
    return last


class Known(NamedTuple):
    """What is known of a group. `sweep` is the newest one that is done, with its `counts`; `found` what differs as of
    now; `oldest`: since when an entity that was written waits to be looked at; `moved`: the snapshot with which the
    stage of writes last changed."""

    sweep: Run | None
    counts: Mapping[str, int]
    found: Mapping[str, int]
    oldest: float | None
    moved: int


def lacking(compiled: Compiled, group: Group, known: Known, now: float) -> tuple[str, ...]:
    """Why writes can't go to new_only yet, a sentence each. `now` is in seconds since the epoch."""
    said = () if group.backfill else ("'backfill' in migration.yaml must say what becomes of legacy's data",)
    missing = _unproven(compiled, group, known, now)
    sentences = said if missing is None else (*said, missing)
    return tuple(f"writes can't be at new_only: {sentence}" for sentence in sentences)


def _unproven(compiled: Compiled, group: Group, known: Known, now: float) -> str | None:
    sweep, run = known.sweep, f"run figway route reconcile {group.name}"
    impossible = _no_way(ways_of(compiled, group.name))
    if impossible is not None:
        return f"the group can't be reconciled, as {impossible}"
    if sweep is None or sweep.snapshot < known.moved:
        return f"nothing was reconciled since their stage last changed; {run}"
    if sweep.rules != rules_of(compiled, group):
        return f"contracts, upstreams or rules have changed since the reconciliation; {run}"
    if now - sweep.ended > FRESH:
        return f"the reconciliation is older than 24 hours; {run}"
    kinds = [each.value for each in UNCLEAN]
    wrong = {kind: max(known.counts.get(kind, 0), known.found.get(kind, 0)) for kind in kinds}
    if any(wrong.values()):
        words = ", ".join(f"{count} {kind}" for kind, count in wrong.items() if count)
        return f"the reconciliation isn't clean ({words}); mend that, then {run}"
    if known.oldest is not None and known.oldest < sweep.began:
        return "entities that were written before the reconciliation aren't looked at yet; wait, or raise extra_calls"
    return None
