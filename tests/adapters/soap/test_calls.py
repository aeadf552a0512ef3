"""What a call's context decides, and where the work of a large one is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from adapters.contract import Context, Effect
from adapters.errors import AdapterError, Invalid, Retry, Unavailable, UnknownOutcome
from adapters.soap.adapter import SoapAdapter
from adapters.soap.plan import Plan
from adapters.soap.values import heavier

Connect = Callable[..., SoapAdapter]
Within = Callable[[float], Context]

NOBODY = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("effect", "error"),
    [(None, Retry), (Effect.READ, Retry), (Effect.IDEMPOTENT_WRITE, UnknownOutcome), (Effect.WRITE, UnknownOutcome)],
)
async def test_the_declared_effect_goes_before_the_verb(
    effect: Effect | None, error: type[AdapterError], php: str, connect: Connect, within: Within
) -> None:
    with pytest.raises(error) as caught:
        await connect(php).invoke("GetOrder", {"OrderId": 501}, Context(within(10).deadline, effect=effect))
    assert type(caught.value) is error


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Which step of a request ran, and whether on the event loop's own thread."""
    noted: list[tuple[str, bool]] = []
    for step in ("errors", "envelope"):
        original: Callable[..., Any] = getattr(Plan, step)

        def noting(*given: Any, step: str = step, original: Callable[..., Any] = original) -> Any:
            noted.append((step, threading.current_thread() is threading.main_thread()))
            return original(*given)

        monkeypatch.setattr(Plan, step, noting)
    return noted


def _with_lines(order: dict[str, Any], count: int, **line: Any) -> dict[str, Any]:
    lines = [{"Sku": "AB-123", "Quantity": 1, "Price": "1.50", "Note": [], **line}] * count
    return {"Order": {**order, "Lines": {"Line": lines}}}


@pytest.mark.parametrize(("count", "inline"), [(3, True), (3000, False)])
async def test_a_large_request_is_checked_and_rendered_on_a_thread(
    count: int, inline: bool, connect: Connect, within: Within, order: dict[str, Any], threads: list[tuple[str, bool]]
) -> None:
    with pytest.raises(Unavailable):
        await connect(NOBODY).invoke("PutOrder", _with_lines(order, count), within(20))
    assert threads == [("errors", inline), ("envelope", inline)]


async def test_a_large_request_that_breaks_the_schema_is_told_all_the_same(
    connect: Connect, within: Within, order: dict[str, Any], threads: list[tuple[str, bool]]
) -> None:
    with pytest.raises(Invalid) as caught:
        await connect(NOBODY).invoke("PutOrder", _with_lines(order, 3000, Quantity="many"), within(20))
    assert caught.value.errors[0].pointer == "/Order/Lines/Line/0/Quantity"
    assert threads == [("errors", False)]


async def test_a_large_request_after_its_deadline_is_never_sent(
    connect: Connect, within: Within, order: dict[str, Any]
) -> None:
    with pytest.raises(Unavailable, match="nothing was sent"):
        await connect(NOBODY).invoke("PutOrder", _with_lines(order, 3000), within(0))


@pytest.mark.parametrize(
    ("value", "heavy"),
    [
        ("x" * 50, False),
        ("x" * 101, True),
        ({"x" * 101: 1}, True),
        ([1] * 3, False),
        ([1] * 7, True),
        ({"a": {"b": [{"c": "x" * 60}]}}, True),
        (None, False),
    ],
)
def test_an_input_is_weighed_roughly(value: Any, heavy: bool) -> None:
    assert heavier(value, 100) == heavy
