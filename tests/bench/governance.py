"""What governance adds to a call: each filter alone and all of them, against the same route with none.

In one process and without sockets, so that only our own work is seen: every variant is the same ingress over the same
adapter, called as ASGI by 64 callers at once, rounds interleaved. CPU is the event loop's thread's and the audit's
together; p99 is of single calls. The bare FastAPI route is called the same way. Caches are warm unless a line says so.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import itertools
import logging
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import uvloop
from joserfc import jwk, jwt

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "plugin"), str(HERE.parents[1])]

from gateway.app import Application  # noqa: E402
from gateway.call import Call, Principal  # noqa: E402
from gateway.dispatch import dispatch  # noqa: E402
from gateway.filters.authenticate import authenticate  # noqa: E402
from gateway.filters.authorize import authorize  # noqa: E402
from gateway.filters.content import ContentFilters  # noqa: E402
from gateway.filters.rate_limit import limited  # noqa: E402
from gateway.filters.validate import validate_reply, validate_request  # noqa: E402
from gateway.identity.claims import prove  # noqa: E402
from gateway.identity.compact import read_object, take_apart  # noqa: E402
from gateway.identity.keyset import read_keys, signed_by  # noqa: E402
from gateway.ingress.http import Endpoint, HttpIngress  # noqa: E402
from gateway.pipeline import Filter, Stage, chain  # noqa: E402
from gateway.routing.identity import Issuer  # noqa: E402
from gateway.routing.table import Table  # noqa: E402
from gateway.settings import Settings  # noqa: E402

CALLERS, CALLS, ROUNDS = 64, 3_200, 15
LIMITS = """
rules:
  - {match: {principal: "*"}, rate: 1000000/s, burst: 1000000}
  - {match: {agent: "*"}, concurrency: 10000}
"""
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Variant:
    """One way to serve the route, and what was measured of it (µs)."""

    name: str
    app: Asgi
    cpu: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    async def round(self, scope: dict[str, Any], calls: int = CALLS) -> None:
        """All callers call one after the other; one round's figures."""
        times: list[float] = []

        async def send(_: Any) -> None: ...

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def caller() -> None:
            for _ in range(calls // CALLERS):
                began = time.perf_counter()
                await asyncio.sleep(0)
                await self.app({**scope}, receive, send)
                times.append(time.perf_counter() - began)

        before = time.process_time()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        self.cpu.append((time.process_time() - before) / calls * 1e6)
        self.p99.append(statistics.quantiles(times, n=100)[98] * 1e6)


def _workspace(folder: Path) -> str:
    """Writes the workspace; an API key's `Authorization`."""
    governed = _module("governed")
    files = {
        "gateway.yaml": governed.GATEWAY,
        "openapi/shelf.yaml": governed.CONTRACT,
        "policies/access.cedar": governed.POLICY,
        "policies/limits.yaml": LIMITS,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    create = [sys.executable, "-m", "gateway", "key", "create", "--principal", "bench", "--agent", "bot"]
    create += ["--role", "reader", "--json", "--workspace", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "plugin")}
    found = re.search(r"figway_[A-Za-z0-9_-]+", subprocess.check_output(create, env=environment, text=True))
    assert found is not None
    return f"Bearer {found[0]}"


@asynccontextmanager
async def _started(folder: Path) -> Any:
    """The gateway as an application that has started."""
    app = Application(folder, Settings.from_environment({}))
    inbox: asyncio.Queue[Any] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    await inbox.put({"type": "lifespan.startup"})
    task = asyncio.create_task(app({"type": "lifespan"}, inbox.get, told.put))
    assert (await told.get())["type"] == "lifespan.startup.complete"
    yield app
    await inbox.put({"type": "lifespan.shutdown"})
    await task


def _variants(app: Application, bare: Asgi) -> list[Variant]:
    runtime = app.control.runtime
    assert runtime is not None
    serving, means = runtime.current(), runtime._means
    compiled, governance = serving.compiled, means.governance
    route = compiled.routes[0]
    assert route.reply is not None

    def known(call: Call) -> None:
        call.principal = _BENCH

    single: dict[str, list[Filter]] = {
        "no filter": [],
        "authentication alone": [authenticate(governance.verifier)],
        "limits alone": [Stage(known), *limited(compiled, governance.limiter)[route.operation_id]],
        "policy alone": [Stage(known), authorize(serving.policies, route)],
        "request validation alone": [validate_request(route)],
        "reply validation alone": [validate_reply(route)],
        "untrusted texts alone": [*ContentFilters(compiled).of(route)],
    }
    silent = SimpleNamespace(healthy=True, crowded=False, refuses_reads=False, append=lambda _: None)
    telemetry = means.telemetry.observe

    def ingress(filters: list[Filter], audit: Any = silent, observers: Any = ()) -> Asgi:
        table: Table[Endpoint] = Table()
        handler = chain(filters, dispatch(route, serving.upstreams))
        table.add("GET", route.path, Endpoint("get_item", route.path, "read", False, handler, 10, 2**16, 2**20, False))
        shown = SimpleNamespace(table=table, version=1, calls=0)
        return HttpIngress(lambda: shown, audit, observers)  # type: ignore[arg-type, return-value]

    variants = [Variant(name, ingress(filters)) for name, filters in single.items()]
    variants += [
        Variant("audit alone", ingress([], means.audit)),
        Variant("telemetry alone", ingress([], silent, (telemetry,))),
        Variant("everything", app),
        Variant("bare FastAPI route", bare),
    ]
    return variants


_ISSUER = Issuer(issuer="https://id.example.com", audience="figway")
_BENCH = Principal("bench", "bot", ("reader",), credential="key:bench", delegation=("bot",))


async def _measured() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        credential = _workspace(folder)
        path = "/items/BRG-6204"
        headers = [(b"host", b"127.0.0.1"), (b"authorization", credential.encode())]
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode()}
        scope |= {"query_string": b"", "headers": headers, "root_path": "", "client": ("127.0.0.1", 1)}
        bare: dict[str, Any] = {}
        exec(_module("governed").BARE, bare)
        async with _started(folder) as app:
            variants = _variants(app, bare["app"])
            app.control.runtime._means.governance.verifier.bench_header = headers[1][1]  # type: ignore[union-attr]
            uncached = _uncached(app)
            for each in variants:
                await each.round(scope, 640)
            _quiet()
            for _ in range(ROUNDS):
                for each in variants:
                    await each.round(scope)
        for each in variants:  # the first round warmed it
            each.cpu[:1], each.p99[:1] = [], []
        return _figures(variants) + uncached


def _quiet() -> None:
    """As the server does: what is loaded stays, and calls in flight are no garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def _figures(variants: list[Variant]) -> list[dict[str, object]]:
    none, bare = variants[0], variants[-1]
    figures = []
    for each in variants:
        for what in ("CPU", "p99"):
            own, other, fastapi = (getattr(one, what.lower()) for one in (each, none, bare))
            added = statistics.median(a - b for a, b in zip(own, other, strict=True))
            ratio = statistics.median(a / b for a, b in zip(own, fastapi, strict=True))
            text = f"governance: {each.name}, {what}" + (f" ({added:+.1f} µs)" if each not in (none, bare) else "")
            figures.append(_row(text, statistics.median(own), "bare FastAPI route", ratio))
    return figures


def _row(name: str, value: float, versus: str, ratio: float) -> dict[str, object]:
    return {"name": name, "value": value, "unit": "µs", "versus": versus, "ratio": ratio}


def _uncached(app: Application) -> list[dict[str, object]]:
    """Deciding on a call and proving a token, from caches and anew."""
    runtime = app.control.runtime
    assert runtime is not None
    serving = runtime.current()
    route, decide = serving.compiled.routes[0], serving.policies.decide
    warm = _each(lambda: decide(_BENCH, route), 5_000)
    seen = itertools.count()
    cold = _each(lambda: decide(Principal(f"caller-{next(seen)}", "bot", ("reader",)), route), 200)
    rows = [
        _row("policy decision, cached", warm, "itself", 1),
        _row("policy decision, anew", cold, "cached", cold / warm),
    ]
    proved = _proved_tokens(runtime._means.governance.verifier)
    return rows + [_row(name, value, "cached", value / proved["token, cached"]) for name, value in proved.items()]


def _proved_tokens(verifier: Any) -> dict[str, float]:
    """µs to prove a token of each kind; a cached one is an API key's."""
    found: dict[str, float] = {}
    header = verifier.bench_header
    found["token, cached"] = _each(lambda: verifier.cached(header), 5_000)
    claims = {"iss": "https://id.example.com", "sub": "ann", "aud": "figway", "exp": int(time.time()) + 600}
    kinds = {"RS256": ("RSA", 2048), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}
    for algorithm, (kind, size) in kinds.items():
        private = jwk.generate_key(kind, size, {"kid": "k"})  # type: ignore[arg-type]
        token = jwt.encode({"alg": algorithm, "kid": "k"}, claims, private, algorithms=[algorithm]).encode()
        public = read_keys({"keys": [private.as_dict(private=False)]})[("k", algorithm)]
        found[f"token, {algorithm}, anew"] = _each(lambda token=token, public=public: _proof(token, public), 300)
    return found


def _proof(token: bytes, key: Any) -> None:
    compact = take_apart(token)
    assert signed_by(key, compact)
    prove(read_object(compact.payload), _ISSUER, time.time(), "")


def _each(work: Callable[[], object], times: int) -> float:
    """CPU time of one, in µs: the best of five."""
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - began) / times * 1e6)
    return best


def measure() -> list[dict[str, object]]:
    """The figures: µs of CPU and of p99 a call, and their ratios to a bare FastAPI route in the same process."""
    logging.disable(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measured())
