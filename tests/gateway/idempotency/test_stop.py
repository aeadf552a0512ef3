"""A gateway that is stopped finishes what it has begun; the next one knows of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


def test_writes_answered_later_end_before_the_gateway_does(
    tmp_path: Path, running: ModuleType, lab_in: Callable[[Path], Any]
) -> None:
    lab = lab_in(tmp_path)
    with running.serving(tmp_path) as lab.gateway:
        key = lab.gateway.writer
        id = lab.post({"n": 1, "seconds": 0.5, "after": 0.5}, "key-1", prefer="respond-async").json()["id"]
        pair = lab.post({"n": 2}, "key-2", "/pairs", prefer="respond-async").json()["id"]
        assert lab.gateway.stop() == 0
    assert len(lab.effects(1)) == 1
    assert len(lab.effects(2)) == 2
    with running.serving(tmp_path) as lab.gateway:
        assert [lab.operation(each, key).json()["state"] for each in (id, pair)] == ["succeeded", "succeeded"]
        replayed = lab.post({"n": 1, "seconds": 0.5, "after": 0.5}, "key-1", authorization=key)
        assert (replayed.status_code, replayed.headers["figway-replayed"]) == (201, id)
    assert len(lab.effects(1)) == 1
