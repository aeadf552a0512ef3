"""A live look at every upstream, for `check --live` and `doctor`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.contract import Adapter, Context
from adapters.errors import AdapterError

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Probed:
    """What one look at an upstream showed; `seconds` is how long it took."""

    upstream: str
    ok: bool
    detail: str
    seconds: float


async def probe_all(adapters: Mapping[str, Adapter]) -> tuple[Probed, ...]:
    """Opens, probes and closes every adapter, all at once, each within 10 s."""
    return tuple(await asyncio.gather(*(_probe(name, each) for name, each in adapters.items())))


async def _probe(name: str, adapter: Adapter) -> Probed:
    started = time.monotonic()
    try:
        async with asyncio.timeout(_SECONDS):
            await adapter.open()
            probe = await adapter.probe(Context(deadline=started + _SECONDS))
        return Probed(name, probe.ok, probe.detail, probe.seconds)
    except AdapterError as error:
        # The operator asks, so what never leaves towards callers may be told.
        sentence = f"{error.message} ({error.detail})" if error.detail else error.message
        return Probed(name, False, sentence, time.monotonic() - started)
    except TimeoutError:
        return Probed(name, False, f"no answer within {_SECONDS:g} s", time.monotonic() - started)
    finally:
        await adapter.close()
