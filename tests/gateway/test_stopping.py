"""However something fails to end, whatever else has to be written down is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway import app


async def test_the_audit_is_closed_though_a_connection_cant_be(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def ending(name: str, error: Exception | None = None) -> Any:
        async def end(*_: float) -> None:
            ended.append(name)
            if error is not None:
                raise error

        return end

    monkeypatch.setattr(app, "close_means", lambda _: ended.append("means"))
    governance = SimpleNamespace(
        operations=SimpleNamespace(finish=ending("writes")),
        outbox=SimpleNamespace(finish=ending("outbox")),
        cache=SimpleNamespace(close=ending("cache"), flights=SimpleNamespace(close=ending("flights"))),
        verifier=SimpleNamespace(close=ending("verifier", OSError("the provider hangs"))),
        limiter=SimpleNamespace(close=ending("limiter", OSError("the store is gone"))),
    )
    runtime: Any = SimpleNamespace(means=SimpleNamespace(governance=governance), stop=ending("runtime"))
    with pytest.raises(OSError, match="the store is gone"):
        await app.stop(runtime)
    assert ended == ["writes", "outbox", "flights", "runtime", "cache", "verifier", "limiter", "means"]
