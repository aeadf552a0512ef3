"""The outbox opened again: readers know at once of every write that one side hasn't seen, whatever became of the file
of counters that they look at."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gateway.migration.entries import Entry
from gateway.migration.outbox import Outbox
from gateway.migration.outbox_file import OutboxFile
from gateway.migration.pending import Pending


@pytest.mark.parametrize("lost", [b"", b"\0", b"\xff"], ids=["missing", "older", "damaged"])
def test_what_is_open_is_known_before_anybody_leads(tmp_path: Path, lost: bytes) -> None:
    path = tmp_path / "outbox.db"
    pending = Pending(path.with_suffix(".pending"))
    with closing(OutboxFile(path, pending)) as file, file.transaction():
        file.begin(Entry("1", "items", "a", "put_item", "legacy", 1, "k", b"{}", 1.0))
    pending.close()
    counters = path.with_suffix(".pending")
    counters.write_bytes(lost * counters.stat().st_size)
    with closing(Outbox.open(path)) as outbox:
        assert outbox.pending.any
        assert outbox.pending("items", "a")
        assert outbox.pending("items", None)
        assert not outbox.pending("orders", None)
