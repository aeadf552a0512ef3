"""What keeping answers brings and costs: a slow system asked each time, its answers kept by figway, nginx and Varnish.

The system answers after 310 ms, a tenth of what legacy systems take, so that a round has calls enough, and after 3.1 s
where that alone is looked at. Behind figway the route is governed as in `governed.py`; what the others do for theirs
stands in `_beside.py`. "Stale" is an answer past its time, told while the next is fetched. One worker each, 64
connections of wrk, rounds interleaved.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import governed
from _beside import figway, nginx, rounds, row, slow_system, varnish
from governed import Server

TITLE = "answers kept"
FRESHNESS = {
    "live": "",
    "kept": "freshness: {mode: cached, fresh: 1h}",
    "stale": "freshness: {mode: cached, fresh: 500ms, stale_while_revalidate: 1h}",
}


@contextmanager
def _figway(folder: Path, name: str, how: str, origin: int | None) -> Iterator[Server]:
    """figway with the route of `governed.py`, over the slow system or, without one, from memory."""
    gateway, contract = governed.GATEWAY, governed.CONTRACT
    if origin is not None:
        upstream = f'shelf: {{kind: http, base_url: "http://127.0.0.1:{origin}", concurrency: 64}}'
        gateway = gateway.replace("shelf: {kind: lab}", upstream)
        contract = contract.replace("operation: item.get", "operation: GET /items/{sku}")
    contract = contract.replace("        group: items\n", f"        group: items\n        {FRESHNESS[how]}\n")
    with figway(folder, name, {"gateway.yaml": gateway, "openapi/shelf.yaml": contract}) as server:
        yield server


def _usual(folder: Path) -> list[dict[str, object]]:
    """A system that takes 310 ms."""
    with ExitStack() as stack:
        enter = stack.enter_context
        origin = enter(slow_system(0.31))
        memory = enter(_figway(folder / "memory", "from memory", "live", None))
        hit = enter(_figway(folder / "hit", "from memory, kept", "kept", None))
        live = enter(_figway(folder / "live", "system of 310 ms", "live", origin))
        kept = enter(_figway(folder / "kept", "system of 310 ms, kept", "kept", origin))
        stale = enter(_figway(folder / "stale", "system of 310 ms, stale", "stale", origin))
        caches = [enter(nginx(folder / "nginx", "nginx, kept", "1h", origin))]
        caches.append(enter(varnish(folder / "varnish", "Varnish, kept", "1h", origin)))
        updating = [enter(nginx(folder / "updating", "nginx, stale", "1s", origin))]
        updating.append(enter(varnish(folder / "grace", "Varnish, stale", "500ms", origin)))
        rounds([memory, hit, live, kept, stale, *caches, *updating], 3)
    pairs = [*((kept, each) for each in caches), *((stale, each) for each in updating)]
    return [
        row(TITLE, hit, "cpu", memory),
        *(row(TITLE, each, what, live) for each in (kept, stale) for what in ("p50", "p99", "cpu")),
        *(row(TITLE, own, what, other) for what in ("cpu", "p99") for own, other in pairs),
    ]


def _slowest(folder: Path) -> list[dict[str, object]]:
    """A system that takes 3.1 s."""
    with ExitStack() as stack:
        origin = stack.enter_context(slow_system(3.1))
        live = stack.enter_context(_figway(folder / "live", "system of 3.1 s", "live", origin))
        kept = stack.enter_context(_figway(folder / "kept", "system of 3.1 s, kept", "kept", origin))
        stale = stack.enter_context(_figway(folder / "stale", "system of 3.1 s, stale", "stale", origin))
        for server in (live, kept, stale):
            server.seconds = 7
        rounds([live, kept, stale], 1)
    return [row(TITLE, each, what, live) for each in (kept, stale) for what in ("p50", "p99")]


def measure() -> list[dict[str, object]]:
    """The figures: CPU time per request in µs, p50 and p99 in ms."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "slowest").mkdir()
        return [*_usual(Path(folder)), *_slowest(Path(folder) / "slowest")]
