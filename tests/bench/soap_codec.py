"""The SOAP codec beside zeep's: the same request rendered and the same reply decoded, interleaved in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import zeep
from lxml import etree

from adapters.client import HttpReply
from adapters.contract import Effect, Workspace
from adapters.soap.compiler import form_of
from adapters.soap.notes import Notes
from adapters.soap.plan import Operations, Plan
from adapters.soap.reply import Caller, body_of

_SERVICE = Path(__file__).parent.parent / "adapters" / "soap" / "service"
_WARM_UP = 3


def measure(rounds: int = 15) -> list[dict[str, Any]]:
    """A result each for 1 and 1,000 rows: our milliseconds a call; `ratio` is zeep's time divided by ours."""
    plan = _plan()
    operation = _zeep()
    results = []
    for count in (1, 1000):
        reply = _reply(count)
        ours, theirs = _interleaved(
            lambda reply=reply, count=count: _ours(plan, reply, count),
            lambda reply=reply, count=count: _theirs(operation, reply, count),
            rounds=rounds,
            batch=50 if count == 1 else 1,
        )
        results.append(
            {
                "name": f"SOAP codec, {count} row{'s' if count > 1 else ''}",
                "value": round(ours * 1000, 4),
                "unit": "ms/call",
                "versus": f"zeep {round(theirs * 1000, 4)} ms",
                "ratio": round(theirs / ours, 2),
            }
        )
    return results


def _plan() -> Plan:
    files = {name: (_SERVICE / name).read_bytes() for name in ("orders.wsdl", "orders.xsd")}
    form = form_of("orders.wsdl", Workspace(files, Path("/nonexistent/cache")))
    return Operations(form, form.ports[0], UTC).plan("ListOrders")


def _zeep() -> Any:
    client = zeep.Client(str(_SERVICE / "orders.wsdl"))
    return client.wsdl.services["OrderService"].ports["Orders11Port"].binding.get("ListOrders")


def _reply(count: int) -> bytes:
    row = (
        "<o:Line><o:Sku>AB-%03d</o:Sku><o:Quantity>%d</o:Quantity><o:Price>12.50</o:Price>"
        "<o:Note>a note that says something about the line</o:Note><o:Note>another</o:Note></o:Line>"
    )
    rows = "".join(row % (number % 1000, number + 1) for number in range(count)).replace("o:Line>", "s:Line>")
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="urn:test:service" '
        f'xmlns:o="urn:test:orders"><e:Body><s:ListOrdersResponse>{rows}</s:ListOrdersResponse></e:Body></e:Envelope>'
    ).encode()


def _ours(plan: Plan, reply: bytes, count: int) -> None:
    input: Mapping[str, Any] = {"Count": count}
    assert not plan.errors(input)
    plan.envelope(input, "")
    caller = Caller("orders", Effect.READ, True)
    value = plan.decoder.body(body_of(HttpReply(200, {"content-type": "text/xml"}, reply), caller), Notes())
    assert len(value["Line"]) == count


def _theirs(operation: Any, reply: bytes, count: int) -> None:
    etree.tostring(operation.create(Count=count).content)
    rows = operation.process_reply(etree.fromstring(reply))
    assert len(rows) == count


def _interleaved(
    ours: Callable[[], None], theirs: Callable[[], None], *, rounds: int, batch: int
) -> tuple[float, float]:
    """The median seconds a call of each, in batches taken turn by turn so that both see the same machine."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + _WARM_UP):
        for call, taken in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            for _ in range(batch):
                call()
            if number >= _WARM_UP:
                taken.append((time.perf_counter() - start) / batch)
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == "__main__":
    for row in measure():
        print(row)
