"""The traps that zeep and real servers set, each with a reply or a file that falls into it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest

from adapters.client import HttpReply
from adapters.contract import Context, Effect
from adapters.errors import BadReply, ConfigError
from adapters.secret import Reference
from adapters.soap import SoapAdapter
from adapters.soap.form import Form
from adapters.soap.notes import Notes
from adapters.soap.plan import Operations, effect_of
from adapters.soap.reply import Caller, body_of
from adapters.soap.values import BadValue

CALLER = Caller("orders", Effect.READ, True)
ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="urn:test:service"'
    ' xmlns:o="urn:test:orders" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body>{}</e:Body></e:Envelope>'
)
LINE = "<s:Line><o:Sku>AB-001</o:Sku><o:Quantity>{}</o:Quantity><o:Price>{}</o:Price>{}</s:Line>"


def _decode(form: Form, content: str) -> tuple[Any, Notes]:
    plan = Operations(form, form.ports[0], UTC).plan("ListOrders")
    body = ENVELOPE.format(f"<s:ListOrdersResponse>{content}</s:ListOrdersResponse>").encode()
    notes = Notes()
    nodes = body_of(HttpReply(200, {"content-type": "text/xml; charset=utf-8"}, body), CALLER)
    return plan.decoder.body(nodes, notes), notes


class _Recorder:
    """A client that answers slowly and keeps what it was asked."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, str], bytes]] = []

    async def send(
        self, method: str, url: str, *, headers: Any, body: bytes | None, deadline: float, spool: str | None
    ) -> HttpReply:
        await asyncio.sleep(0.001)
        self.sent.append((dict(headers), body or b""))
        await asyncio.sleep(0.001)
        number = (body or b"").partition(b"Count>")[2].partition(b"<")[0].decode()
        answer = ENVELOPE.format(f"<s:ListOrdersResponse>{LINE.format(number, '1', '')}</s:ListOrdersResponse>")
        return HttpReply(200, {"content-type": "text/xml"}, answer.encode())

    async def close(self) -> None:
        return


async def test_one_callers_headers_never_go_out_with_anothers_call(
    connect: Callable[..., SoapAdapter], within: Callable[[float], Context]
) -> None:
    """zeep's settings are thread-local: under asyncio one caller's header went out with another's call."""
    recorder = _Recorder()
    adapter = connect("http://127.0.0.1:1")
    adapter._client = recorder
    deadline = within(30).deadline

    async def call(number: int) -> None:
        context = Context(deadline, traceparent=f"00-{number:032x}-{number:016x}-01")
        result = await adapter.invoke("ListOrders", {"Count": number}, context)
        assert result.value["Line"][0]["Quantity"] == number

    await asyncio.gather(*(call(number) for number in range(1, 200)))
    for headers, body in recorder.sent:
        number = int(body.partition(b"Count>")[2].partition(b"<")[0])
        assert headers["traceparent"] == f"00-{number:032x}-{number:016x}-01"


async def test_adapters_with_different_users_side_by_side_in_threads(connect: Callable[..., SoapAdapter]) -> None:
    adapters = []
    for user in ("one", "two"):
        auth = {"wsse": {"username": user, "password": Reference(user, "env:X")}}
        adapter = connect("http://127.0.0.1:1", auth=auth)
        adapter._client = _Recorder()
        adapters.append((user, adapter))

    def run(user: str, adapter: SoapAdapter) -> None:
        async def calls() -> None:
            for number in range(50):
                await adapter.invoke("ListOrders", {"Count": number + 1}, Context(1e12))

        asyncio.run(calls())
        nonces = set()
        for _, body in adapter._client.sent:  # type: ignore[attr-defined]
            assert f"<wsse:Username>{user}<".encode() in body
            nonces.add(body.partition(b"Nonce")[2].partition(b"</")[0])
        assert len(nonces) == 50

    await asyncio.gather(*(asyncio.to_thread(run, user, adapter) for user, adapter in adapters))


async def test_the_authorization_header_is_sent(
    connect: Callable[..., SoapAdapter], within: Callable[[float], Context]
) -> None:
    adapter = connect("http://127.0.0.1:1", auth={"basic": {"username": "u", "password": Reference("pä", "env:X")}})
    recorder = _Recorder()
    adapter._client = recorder
    await adapter.invoke("ListOrders", {"Count": 1}, within(5))
    assert recorder.sent[0][0]["Authorization"] == "Basic dTpww6Q="


@pytest.mark.parametrize(
    ("quantity", "price", "pointer"),
    [("many", "1", ["Line", 0, "Quantity"]), ("", "1", ["Line", 0, "Quantity"]), ("1", "1,5", ["Line", 0, "Price"])],
)
def test_a_bad_scalar_is_an_error_and_never_null(form: Form, quantity: str, price: str, pointer: list[Any]) -> None:
    with pytest.raises(BadValue) as caught:
        _decode(form, LINE.format(quantity, price, ""))
    assert caught.value.path == pointer


def test_reordered_elements_are_kept(form: Form) -> None:
    content = "<s:Line><o:Note>n</o:Note><o:Price>1</o:Price><o:Sku>AB-001</o:Sku><o:Quantity>1</o:Quantity></s:Line>"
    value, notes = _decode(form, content)
    assert value == {"Line": [{"Sku": "AB-001", "Quantity": 1, "Price": "1", "Note": ["n"]}]}
    assert notes.warnings("orders") == ()


def test_what_the_wsdl_does_not_name_is_told(form: Form) -> None:
    value, notes = _decode(form, "<s:Line><o:Sku>AB-001</o:Sku><o:Price>1</o:Price><o:Colour>red</o:Colour></s:Line>")
    assert value == {"Line": [{"Sku": "AB-001", "Price": "1", "Note": []}]}
    assert notes.warnings("orders") == (
        "orders answered 'Colour', which its WSDL doesn't name; it was left out",
        "orders left out 'Quantity', which its WSDL requires",
    )


def test_a_second_occurrence_is_refused(form: Form) -> None:
    with pytest.raises(BadValue, match="twice"):
        _decode(form, "<s:Line><o:Sku>AB-001</o:Sku><o:Sku>AB-002</o:Sku></s:Line>")


def test_null_is_null_even_where_the_wsdl_forgot_to_say_so(form: Form) -> None:
    value, _ = _decode(form, LINE.format("1", "1", '<o:Note xsi:nil="true"/><o:Note/>'))
    assert value["Line"][0]["Note"] == [None, ""]


def test_comments_and_sections_do_not_cut_text(form: Form) -> None:
    value, _ = _decode(form, LINE.format("1", "1", "<o:Note>a<!-- x -->b<![CDATA[<c>]]></o:Note>"))
    assert value["Line"][0]["Note"] == ["ab<c>"]


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>&a;'
        "</e:Body></e:Envelope>",
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
        "<e:Body/></e:Envelope>",
    ],
)
def test_entities_and_dtds_in_replies_are_refused(document: str) -> None:
    with pytest.raises(BadReply):
        body_of(HttpReply(200, {"content-type": "text/xml"}, document.encode()), CALLER)


@pytest.mark.parametrize("depth", [300, 5000])
def test_deep_replies_do_no_harm(form: Form, depth: int) -> None:
    """Within libxml2's own bound a category is a category; beyond it the reply is refused."""
    plan = Operations(form, form.ports[0], UTC).plan("GetOrder")
    nested = "<o:Category><o:Name>n</o:Name>" * depth + "</o:Category>" * depth
    body = ENVELOPE.format(f"<s:GetOrderResponse><s:Order>{nested}</s:Order></s:GetOrderResponse>").encode()
    reply = HttpReply(200, {"content-type": "text/xml"}, body)
    with pytest.raises((BadReply, BadValue)):
        plan.decoder.body(body_of(reply, CALLER), Notes())
    shallow = body.replace(nested.encode(), nested[: 30 * 20].encode() + b"</o:Category>" * 20)
    assert plan.decoder.body(body_of(HttpReply(200, {}, shallow), CALLER), Notes())


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://127.0.0.1:1/x.xsd", "../../secret.xsd", "/etc/passwd", "gopher://x/y"]
)
def test_imports_reach_nothing_outside_of_the_workspace(
    location: str, connect: Callable[..., SoapAdapter], workspace: Any
) -> None:
    wsdl = workspace.files["crm/orders.wsdl"].replace(b"orders.xsd", location.encode())
    workspace.files["crm/orders.wsdl"] = wsdl
    with pytest.raises(ConfigError) as caught:
        connect("http://127.0.0.1:1")
    (problem,) = caught.value.problems
    assert location in problem.message
    assert (problem.file, problem.line) == ("crm/orders.wsdl", 7)


def test_effects_are_guessed_by_whole_verbs() -> None:
    reads = ["GetOrder", "get_order", "listOrders", "FindX", "Search", "QUERY_X"]
    writes = ["Getaway", "PutOrder", "Listen", "CheckOut", "IssueInvoice", "Findings", "Vote"]
    assert [effect_of(name) for name in reads] == [Effect.READ] * len(reads)
    assert [effect_of(name) for name in writes] == [Effect.WRITE] * len(writes)


def test_starts_need_no_zeep(workspace: Any, connect: Callable[..., SoapAdapter]) -> None:
    script = (
        "import pathlib, sys\n"
        "from adapters.contract import Workspace\n"
        "from adapters.soap import KIND\n"
        f"files = {dict(workspace.files)!r}\n"
        f"workspace = Workspace(files, pathlib.Path({str(workspace.cache)!r}))\n"
        "config = KIND.config(wsdl='crm/orders.wsdl', port='Orders11Port')\n"
        "adapter = KIND.build('orders', config, workspace)\n"
        "assert adapter.operations()['GetOrder'].input['required'] == ['OrderId']\n"
        "print('zeep' in sys.modules)\n"
    )
    starts = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True) for _ in range(2)]
    assert [start.stdout.strip() for start in starts] == ["False", "False"], starts[0].stderr + starts[1].stderr
