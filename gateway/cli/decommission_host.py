"""Evidence to decommission and brown-outs at this host, without a gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import closing

from gateway.cli.desk import Document
from gateway.identity.audit_keys import audit_keys
from gateway.identity.keyrings import Keyrings
from gateway.migration.decommission import gathered, judged, legacy_of, signed
from gateway.migration.outbox import Outbox
from gateway.migration.reconcile.ledger import Reconciliations
from gateway.migration.reconcile.service import Reconciling
from gateway.migration.tally import Brownout, Tally
from gateway.routing.model import Compiled
from gateway.routing.units import seconds
from gateway.store.contract import State
from gateway.store.place import StateFolder


def evidence_of(folder: StateFolder, state: State, compiled: Compiled, version: int, group: str, days: int) -> Document:
    """The signed evidence; raises `StoreError`, `KeyFileError`, `AuditError` or `sqlite3.Error`."""
    with closing(Outbox.open(folder.outbox)) as outbox, closing(Reconciliations.open(folder.reconciliations)) as kept:
        waiting = asyncio.run(outbox.count(group))
        reconciliation = asyncio.run(Reconciling(kept, outbox).last_done(group))
    tally = Tally(folder.path / "legacy.db")
    facts = gathered(compiled.groups[group], compiled, version, state, tally, waiting, reconciliation)
    return signed(judged(facts, days), audit_keys(Keyrings(folder.keys)).signer(folder.audit))


def brown_out(folder: StateFolder, compiled: Compiled, group: str, author: str, about: Mapping[str, str]) -> Document:
    """Has a group's legacy side refuse; raises `StoreError`, `sqlite3.Error` or, for a time that is none,
    `ValueError`."""
    lasts, now = seconds(about["for"]), time.time()
    if lasts > 86_400:
        raise ValueError("a brown-out lasts 24h at most")
    out = Brownout(group, now, now + lasts, author, about["reason"], legacy_of(compiled, group))
    Tally(folder.path / "legacy.db").brown_out(out)
    return out.document()
