"""One world for all attacks; what each leaves behind is looked at before the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from beside import beside

_HERE = Path(__file__).parent


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Iterator[Any]:
    """A `world.Lab`."""
    modules = SimpleNamespace(
        hostile=beside(__file__, "hostile"),
        watching=beside(__file__, "watching"),
        proxies=beside(__file__, "proxies"),
        workspace=beside(__file__, "workspace"),
        issuing=beside(__file__, "../identity/issuing"),
    )
    with beside(__file__, "world").world(tmp_path_factory.mktemp("attacked"), running, modules) as lab:
        lab.get("/-/ready")
        lab.rows = modules.watching.Rows(lab.gateway.folder.parent / "estate" / "erp.db")
        with closing(lab.rows):
            yield lab


@pytest.fixture
def lab(world: Any) -> Iterator[Any]:
    """The world, and a look at it behind the test."""
    watching = world.watching
    folder = world.gateway.folder
    world.seen.clear()
    world.count += 1
    world.audit.clear()
    if world.audit_files is None:
        world.audit_files = watching.Audit(folder / ".figway" / "audit")
    world.audit_files.fresh()
    told = watching.Files((folder, "log.txt"), (folder.parent / "proxies", "*.log"))
    world.mark()
    told.fresh()
    collected, pids = len(world.collector.heard), watching.family(world.gateway.process.pid)
    watching.forget_peak(pids)
    memory, data = watching.resident(pids), world.rows.digest()
    yield world
    fresh = told.fresh() + world.audited()
    # The attacker's own key may be told where it put it itself: not looked for in what it sent.
    answers = b"\n".join(world.seen)
    exported = b"\n".join(world.collector.heard[collected:])
    metrics = world.get("/-/metrics", "scraper").content
    for place, text in {
        "answers": answers, "log or audit": fresh, "telemetry": exported, "metrics": metrics,
        "process list": watching.command_lines(),
    }.items():  # fmt: skip
        assert watching.leaks(text, world.secrets) == [], place
    assert watching.told_too_much(answers) == []
    assert str(folder.parent).encode() not in answers, "a path of the host's is told"
    assert b"Traceback" not in fresh, fresh[fresh.index(b"Traceback") - 200 :][:3000].decode(errors="replace")
    assert world.canary.heard == [], "a canary was reached"
    assert world.rows.digest() == data, "the database was changed"
    grown = watching.resident(pids, "VmHWM") - memory
    assert grown < watching.MOST_GROWTH, f"memory grew by {grown >> 20} MiB"
