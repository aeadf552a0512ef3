"""What it costs to know who asks: a credential proved before, one proved anew, and joserfc's own decoding beside it."""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from gateway.identity.bearer import CallerVerifier
from gateway.identity.fetching import Fetcher
from gateway.identity.keys import create
from gateway.identity.signing import Keyring
from gateway.identity.verifier import KeyVerifier
from gateway.routing.identity import Identity
from gateway.store.offload import Offload
from gateway.store.shared import Shared
from gateway.store.sqlite import SqliteState

_ALGORITHMS = ("RS256", "ES256", "EdDSA")
_CACHED = 5_000
_ANEW = 100


def measure(rounds: int = 15) -> list[dict[str, Any]]:
    """Microseconds of CPU time a call; `ratio` is joserfc's divided by ours, for what is proved anew."""
    return asyncio.run(_measured(rounds))


async def _measured(rounds: int) -> list[dict[str, Any]]:
    issuing = _issuing()
    with tempfile.TemporaryDirectory() as folder, issuing.issuer_server() as issuer, _keys(Path(folder)) as (keys, key):
        issuer.keys = [issuing.public(algorithm, algorithm) for algorithm in _ALGORITHMS]
        callers = CallerVerifier(keys, Fetcher())
        callers.follow(Identity.model_validate({"issuers": [{"issuer": issuer.url, "audience": "figway"}]}))
        results = [await _cached(callers, f"Bearer {key}".encode(), "API key", rounds)]
        for algorithm in _ALGORITHMS:
            header = issuer.header(algorithm, algorithm, roles=["reader"], act={"sub": "bot"})
            results.append(await _cached(callers, header, f"{algorithm} token", rounds))
            theirs = _decoder(KeySet.import_key_set({"keys": issuer.keys}), header, algorithm)
            results.append(await _anew(callers, header, algorithm, theirs, rounds))
        await callers.close()
    return results


async def _cached(callers: CallerVerifier, header: bytes, what: str, rounds: int) -> dict[str, Any]:
    assert await callers.verify(header) is not None
    assert callers.cached(header) is not None
    times = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(_CACHED):
            callers.cached(header)
        times.append((time.process_time() - started) / _CACHED)
    value = round(statistics.median(times) * 1e6, 2)
    return {"name": f"{what}, proved before", "value": value, "unit": "µs CPU/call", "versus": "", "ratio": None}


async def _anew(
    callers: CallerVerifier, header: bytes, algorithm: str, theirs: Callable[[], object], rounds: int
) -> dict[str, Any]:
    async def ours() -> None:
        callers._proved.clear()
        assert await callers.verify(header) is not None

    async def decoded() -> None:
        theirs()

    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, call in (("ours", ours), ("theirs", decoded)):
            times[name].append(await _timed(call))
    own, other = (statistics.median(times[name]) * 1e6 for name in ("ours", "theirs"))
    versus = f"joserfc decode {other:.1f} µs"
    name = f"{algorithm} token, proved anew"
    return {
        "name": name,
        "value": round(own, 1),
        "unit": "µs CPU/call",
        "versus": versus,
        "ratio": round(other / own, 2),
    }


async def _timed(call: Callable[[], Awaitable[None]]) -> float:
    started = time.process_time()
    for _ in range(_ANEW):
        await call()
    return (time.process_time() - started) / _ANEW


def _decoder(keys: KeySet, header: bytes, algorithm: str) -> Callable[[], object]:
    claims = jwt.JWTClaimsRegistry(iss={"essential": True}, aud={"essential": True, "value": "figway"})
    text = header.removeprefix(b"Bearer ").decode()

    def decode() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            token = jwt.decode(text, keys, algorithms=[algorithm])
        claims.validate(token.claims)
        return token

    return decode


@contextmanager
def _keys(folder: Path) -> Iterator[tuple[KeyVerifier, str]]:
    ring = Keyring.open(folder / "keys", "pepper")
    with (
        closing(SqliteState(folder / "state.db")) as state,
        closing(Shared.open(folder / "shared")) as shared,
        closing(Offload()) as offload,
    ):
        text, _ = create(state, ring.current, principal="ann")
        yield KeyVerifier(state, ring, shared, offload), text


def _issuing() -> Any:
    path = Path(__file__).parent.parent / "gateway" / "identity" / "issuing.py"
    spec = importlib.util.spec_from_file_location("figway_bench_issuing", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
