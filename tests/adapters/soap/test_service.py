"""Against a real PHP SoapServer: both SOAP versions, faults, outages, deadlines, concurrency, credentials."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from adapters.contract import Context, Effect
from adapters.errors import (
    AdapterError,
    BadReply,
    Invalid,
    NotFound,
    Refused,
    Retry,
    Unavailable,
    UnknownOutcome,
)
from adapters.secret import Reference
from adapters.soap import SoapAdapter

Connect = Callable[..., SoapAdapter]
Within = Callable[[float], Context]
BOTH = pytest.mark.parametrize("soap", ["1.1", "1.2"])


@BOTH
async def test_reads_nested_values(soap: str, php: str, connect: Connect, within: Within) -> None:
    adapter = connect(php, soap, time_zone="Europe/Berlin")
    result = await adapter.invoke("GetOrder", {"OrderId": 7}, within(10))
    assert result.value == {
        "Order": {
            "@version": 3,
            "Id": 7,
            "Status": "SHIPPED",
            "Customer": {"Name": "Zoë & <Co>", "Nickname": None, "Email": "zoe@example.com"},
            "Lines": {"Line": [{"Sku": "AB-001", "Quantity": 2, "Price": "9.90", "Note": ["blue"]}]},
            "Total": "19.80",
            "Placed": "2026-03-01T12:00:00+01:00",
            "Weight": {"@unit": "kg", "#text": 1.5},
            "Category": {"Name": "a", "Category": [{"Name": "b", "Category": []}]},
            "Signature": "c2lnbmVk",
            "Payment": {"@xsi:type": "CardPayment", "Paid": True, "LastDigits": "4242"},
        }
    }
    assert result.warnings == ()
    assert result.as_of.tzinfo is not None
    (source,) = result.sources
    assert (source.system, source.object) == ("orders", "OrderService.GetOrder/GetOrderResponse")
    assert source.as_of == result.as_of


@BOTH
async def test_echoes_what_it_was_sent(
    soap: str, php: str, connect: Connect, within: Within, order: dict[str, Any]
) -> None:
    result = await connect(php, soap).invoke("PutOrder", {"Order": order}, within(10))
    assert result.value == {"Order": order}


async def test_a_single_child_stays_in_its_place(php: str, connect: Connect, within: Within) -> None:
    """zeep unwraps it, so that an optional field added later changes the shape."""
    adapter = connect(php)
    assert (await adapter.invoke("GetOrder", {"OrderId": 204}, within(10))).value == {}
    assert (await adapter.invoke("ListOrders", {"Count": 0}, within(10))).value == {"Line": []}
    one = await adapter.invoke("ListOrders", {"Count": 1}, within(10))
    assert one.value == {"Line": [{"Sku": "AB-000", "Quantity": 1, "Price": "12.50", "Note": []}]}


async def test_one_way_has_an_empty_answer(php: str, connect: Connect, within: Within) -> None:
    result = await connect(php).invoke("Notify", {"Text": "hello"}, within(10))
    assert result.value == {}
    assert result.sources[0].object == "OrderService.Notify"


@BOTH
@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (404, NotFound, "orders refused the call: no order 404"),
        (400, Invalid, "orders refused the call: order 400 isn't wanted, see …"),
        (500, Retry, "orders failed while it handled the call (SOAP fault, HTTP 500)"),
        (501, Retry, "orders failed with HTTP 500 and an empty body"),
        (503, Retry, "orders is not taking calls at the moment (HTTP 503)"),
        (599, Retry, "orders failed with HTTP 500 and an empty body"),
        (206, BadReply, "orders answered only part of a message: it was cut off"),
        (202, UnknownOutcome, "orders accepted the call (HTTP 202) but gave no answer to it"),
        (302, BadReply, "orders answered a redirect (HTTP 302), which isn't followed; mend its address"),
    ],
)
async def test_failures_are_told_apart(
    soap: str, number: int, error: type[AdapterError], message: str, php: str, connect: Connect, within: Within
) -> None:
    with pytest.raises(error) as caught:
        await connect(php, soap).invoke("GetOrder", {"OrderId": number}, within(10))
    assert caught.value.message == message
    assert type(caught.value) is error


@BOTH
async def test_typed_details(soap: str, php: str, connect: Connect, within: Within, order: dict[str, Any]) -> None:
    adapter = connect(php, soap)
    order["Customer"]["Name"] = "nobody"
    with pytest.raises(Invalid) as caught:
        await adapter.invoke("PutOrder", {"Order": order}, within(10))
    assert [(each.pointer, each.message) for each in caught.value.errors] == [("/Customer/Name", "is not a name")]
    with pytest.raises(NotFound) as missing:
        await adapter.invoke("GetOrder", {"OrderId": 404}, within(10))
    assert '"detail":{"OrderId":404}' in missing.value.detail
    assert '"status":500' in missing.value.detail


async def test_config_says_what_a_fault_means(php: str, connect: Connect, within: Within) -> None:
    with pytest.raises(Refused):
        await connect(php, faults={"OrderNotFound": "refused"}).invoke("GetOrder", {"OrderId": 404}, within(10))
    with pytest.raises(Refused):
        await connect(php, faults={"NotFound": "refused"}).invoke("GetOrder", {"OrderId": 404}, within(10))


async def test_a_hang_ends_at_the_deadline(php: str, connect: Connect, within: Within) -> None:
    adapter = connect(php)
    with pytest.raises(UnknownOutcome):
        await asyncio.wait_for(adapter.invoke("GetOrder", {"OrderId": 99}, within(0.4)), 4)
    assert (await adapter.invoke("ListOrders", {"Count": 1}, within(10))).value["Line"]


async def test_calls_run_side_by_side(php: str, connect: Connect, within: Within) -> None:
    adapter = connect(php, concurrency=4)
    ran: list[tuple[float, float]] = []

    async def call() -> None:
        start = time.monotonic()
        await adapter.invoke("ListOrders", {"Count": 1, "Wait": 0.5}, within(20))
        ran.append((start, time.monotonic()))

    await asyncio.gather(*(call() for _ in range(4)))
    assert max(start for start, _ in ran) < min(end for _, end in ran)


async def test_the_loop_runs_on_while_a_big_reply_is_decoded(php: str, connect: Connect, within: Within) -> None:
    adapter = connect(php)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    result = await adapter.invoke("ListOrders", {"Count": 5000}, within(30))
    ticking.cancel()
    assert len(result.value["Line"]) == 5000
    assert ticks > 10
    assert adapter._threads is not None


async def test_nothing_invalid_leaves(connect: Connect, within: Within, order: dict[str, Any]) -> None:
    """Nobody listens on that port: an attempt to send would be `Unavailable`."""
    adapter = connect("http://127.0.0.1:1")
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("GetOrder", {"OrderId": "7"}, "/OrderId"),
        ("GetOrder", {"OrderId": 2**63}, "/OrderId"),
        ("GetOrder", {}, ""),
        ("PutOrder", {"Order": {**order, "Status": "LOST"}}, "/Order/Status"),
        ("PutOrder", {"Order": {**order, "Total": "1.234"}}, "/Order/Total"),
        ("PutOrder", {"Order": {**order, "Total": -1}}, "/Order/Total"),
        ("PutOrder", {"Order": {**order, "Id": None}}, "/Order/Id"),
        ("PutOrder", {"Order": {**order, "Signature": "!"}}, "/Order/Signature"),
        ("PutOrder", {"Order": {**order, "Placed": "2026-01-01T00:00:00"}}, "/Order/Placed"),
        (
            "PutOrder",
            {"Order": {**order, "Customer": {"Name": "a\x00", "Nickname": None, "Phone": "1"}}},
            "/Order/Customer/Name",
        ),
        ("PutOrder", {"Order": {**order, "Customer": {"Name": "a", "Nickname": None}}}, "/Order/Customer"),
        ("PutOrder", {"Order": {**order, "Extras": {"#any": ["<a/></b>"]}}}, "/Order/Extras/#any/0"),
    ]
    deep: dict[str, Any] = {"Name": "leaf"}
    for _ in range(400):
        deep = {"Name": "node", "Category": [deep]}
    cases.append(("PutOrder", {"Order": {**order, "Category": deep}}, ""))
    for operation, input, pointer in cases:
        with pytest.raises(Invalid) as caught:
            await adapter.invoke(operation, input, within(5))
        assert pointer in [each.pointer for each in caught.value.errors], (operation, caught.value.errors)
    with pytest.raises(Unavailable):
        await adapter.invoke("GetOrder", {"OrderId": 7}, within(5))


@pytest.mark.parametrize("kind", ["digest", "text"])
async def test_username_token(
    kind: str, guarded_php: str, connect: Connect, within: Within, password: Reference
) -> None:
    good = {"wsse": {"username": "figway", "password": password, "type": kind}}
    wrong = {"wsse": {"username": "figway", "password": Reference("no", "env:X"), "type": kind}}
    assert (await connect(guarded_php, auth=good).invoke("ListOrders", {"Count": 1}, within(10))).value["Line"]
    with pytest.raises(Refused):
        await connect(guarded_php, auth=wrong).invoke("ListOrders", {"Count": 1}, within(10))
    with pytest.raises(Refused):
        await connect(guarded_php).invoke("ListOrders", {"Count": 1}, within(10))


async def test_unset_references_fail_only_when_used(connect: Connect, within: Within) -> None:
    unset = {"wsse": {"username": "figway", "password": Reference("", "env:X", missing=True)}}
    adapter = connect("http://127.0.0.1:1", auth=unset)
    assert "GetOrder" in adapter.operations()
    with pytest.raises(Unavailable, match="credentials"):
        await adapter.open()
    nowhere = connect("http://127.0.0.1:1", address=Reference("", "env:CRM_URL", missing=True))
    with pytest.raises(Unavailable, match="address"):
        await nowhere.invoke("GetOrder", {"OrderId": 7}, within(5))
    assert not (await nowhere.probe(within(5))).ok


async def test_probe(php: str, connect: Connect, within: Within) -> None:
    probe = await connect(php).probe(within(5))
    assert (probe.ok, probe.detail) == (True, "answered HTTP 200")
    assert probe.facts == {"operations": 4, "left_out": 0, "soap": "1.1"}
    called = await connect(php, probe={"operation": "ListOrders", "input": {"Count": 0}}).probe(within(5))
    assert (called.ok, called.detail) == (True, "ListOrders answered")
    failing = await connect(php, probe={"operation": "GetOrder", "input": {"OrderId": 503}}).probe(within(5))
    assert not failing.ok
    assert not (await connect("http://127.0.0.1:1").probe(within(5))).ok


async def test_opens_again_after_closing(php: str, connect: Connect, within: Within) -> None:
    adapter = connect(php)
    await adapter.open()
    await adapter.invoke("ListOrders", {"Count": 5000}, within(30))
    await adapter.close()
    assert len((await adapter.invoke("ListOrders", {"Count": 5000}, within(30))).value["Line"]) == 5000


async def test_operations_are_known_offline(connect: Connect) -> None:
    operations = connect("http://127.0.0.1:1").operations()
    assert list(operations) == ["GetOrder", "ListOrders", "PutOrder", "Notify"]
    assert operations["GetOrder"].description == "One order by its number."
    assert operations["GetOrder"].effect is Effect.READ
    assert operations["PutOrder"].effect is Effect.WRITE
    assert not operations["ListOrders"].is_list
