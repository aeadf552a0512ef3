"""What is told while a replica of another shape is built: all that subscribers have to learn, and once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from adapters.changes import Batch, Change, What
from gateway.events.loads import LoadedFile
from gateway.events.model import LOADED

NAME = "erp.things"


def test_what_changes_meanwhile_is_told_with_what_the_former_replica_has(tmp_path: Path) -> None:
    with closing(LoadedFile(tmp_path / "events.db")) as file:
        file.enrol(NAME, "d1")
        file.begin(NAME, "1")
        file.loaded(NAME, [(f"[{each}]", b'{"of":%d}' % each) for each in range(4)], None, 0)
        file.whole(NAME, 1.0)
        file.enrol(NAME, "d2")
        file.begin(NAME, "5")
        gone, again = Change("c6", What.DELETE, (1,)), Change("c7", What.INSERT, (1,), {"id": 1})
        moved, all_gone = Change("c8", What.UPDATE, (2,), {"id": 2}), Change("c9", What.TRUNCATE)
        file.write(NAME, Batch([gone, again, moved], "8", False))
        file.write(NAME, Batch([all_gone, Change("c10", What.INSERT, (3,), {"id": 3})], "10", False))
        file.whole(NAME, 2.0)
        events = [(each.id, each.before) for each in file.read(0, 100) if each.what != LOADED]
    # Who saw a row has to be told that it isn't there any more, which only the row before can tell.
    assert events == [("c6", b'{"of":1}'), ("c7", None), ("c8", b'{"of":2}'), ("c9", None), ("c10", None)]


def test_what_was_told_isnt_told_again_where_another_shape_is_loaded_twice(tmp_path: Path) -> None:
    with closing(LoadedFile(tmp_path / "events.db")) as file:
        file.enrol(NAME, "d1")
        file.begin(NAME, "1")
        file.loaded(NAME, [(f"[{each}]", b'{"of":%d}' % each) for each in range(4)], None, 0)
        file.whole(NAME, 1.0)
        file.enrol(NAME, "d2")
        file.begin(NAME, "5")
        told = [Change(f"c{each}", What.UPDATE, (each,), {"id": each}) for each in (1, 2)]
        file.write(NAME, Batch(told, "8", False))
        file.loaded(NAME, [("[0]", b'{"id":0}'), ("[3]", b'{"id":3}')], None, 0)
        file.begin(NAME, "9")  # the source has forgotten what came since
        file.loaded(NAME, [("[1]", b'{"id":1}'), ("[3]", b'{"id":33}')], None, 0)
        file.sweep(NAME)
        file.whole(NAME, 2.0)
        events = [(each.id, each.what, each.before) for each in file.read(0, 100) if each.what != LOADED]
    assert events == [
        ("c1", "update", b'{"of":1}'),
        ("c2", "update", b'{"of":2}'),
        ("load-3/[2]", "delete", b'{"id":2}'),
        ("swap-3/[3]", "update", b'{"of":3}'),
        ("swap-3/[0]", "delete", b'{"of":0}'),
    ]
