"""What is told of captures: at `/-/changes`, and by `figway changes show`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from adapters.contract import Adapter, Json
from gateway.events.model import Phase, Standing
from gateway.freshness.worker import capture_of, wanted
from gateway.instants import spelt_of
from gateway.routing.model import Compiled


def documents(compiled: Compiled, adapters: Mapping[str, Adapter], standings: Sequence[Standing]) -> list[Json]:
    """Each capture of the workspace: what it promises, and how far it is."""
    known = {each.name: each for each in standings}
    made = []
    for name, upstream, model in wanted(compiled):
        guarantee = capture_of(adapters[upstream], model, name).guarantee
        about = {
            "name": name,
            "method": model.method,
            "of": model.operation or model.table or name.partition(".")[2],
            "guarantee": guarantee.document(),
        }
        made.append({**about, **_standing(known.get(name))})
    return made


def troubles(standings: Sequence[Standing]) -> dict[str, str]:
    """Capture → what keeps it from going on, or needs a look."""
    return {each.name: each.note or each.alarm for each in standings if each.note or each.alarm}


def _standing(found: Standing | None) -> dict[str, Json]:
    if found is None:
        return {
            "phase": Phase.NEW.value,
            "rows": 0,
            "loaded": 0,
            "current": None,
            "age": None,
            "problem": None,
            "former": None,
        }
    current = spelt_of(found.current, "auto") if found.current else None
    return {
        "phase": found.phase.value,
        "rows": found.rows,
        "loaded": found.loaded,
        "current": current,
        "age": round(time.time() - found.current, 3) if found.current else None,
        "problem": found.note or found.alarm or None,
        "former": spelt_of(found.former, "auto") if found.former else None,
    }
