"""Whatever a server answers, decoding ends: in a value that is JSON, or in an error that says what is wrong."""

from __future__ import annotations

import os
import random
import resource
import time
import tracemalloc
from copy import deepcopy
from datetime import UTC
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.client import HttpReply
from adapters.contract import Effect, Workspace
from adapters.errors import BadReply
from adapters.soap.compiler import form_of
from adapters.soap.exchange import answer
from adapters.soap.plan import Operations, Plan
from adapters.soap.reply import Caller, Fault
from adapters.soap.schema import output_schema
from adapters.soap.values import BadValue

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CALLER = Caller("orders", Effect.READ, True)
_TEXTS = [
    "",
    " ",
    "x",
    "-1",
    "1e999",
    "NaN",
    "true",
    "2026-02-30",
    "9" * 400,
    "\ud7ff\U0010ffff",
    "]]>",
    "n1:T",
    "#id1",
]
_NAMES = ["href", "id", f"{{{_XSI}}}nil", f"{{{_XSI}}}type", "{urn:x}a", "{http://www.w3.org/XML/1998/namespace}lang"]
_MINUTES, _BATCH = 10, 20
_PEAK = 64 * 2**20
"""Bytes that decoding a reply of a few kilobytes may hold at once."""


@st.composite
def _damaged(draw: st.DrawFn, values: st.SearchStrategy[Any], plan: Plan) -> bytes:
    """A right message with some things wrong in its tree, its bytes, or both."""
    try:
        text = plan.envelope(draw(values), "")
    except BadValue:  # What the schema can't say, such as a decimal's bounds.
        reject()
    root = etree.fromstring(text)
    for _ in range(draw(st.integers(0, 4))):
        _damage(draw, list(root.iter()))
    data = bytearray(etree.tostring(root))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        place = draw(st.integers(0, len(data) - 1))
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(data)


def _damage(draw: st.DrawFn, nodes: list[etree._Element]) -> None:
    node, other = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
    kind = draw(st.sampled_from(["text", "tail", "attribute", "tag", "remove", "double", "nest", "empty"]))
    if kind == "text":
        node.text = draw(st.sampled_from(_TEXTS))
    elif kind == "tail":
        node.tail = draw(st.sampled_from(_TEXTS))
    elif kind == "attribute":
        node.set(draw(st.sampled_from(_NAMES)), draw(st.sampled_from(_TEXTS)))
    elif kind == "tag":
        node.tag = other.tag
    elif kind == "empty":
        del node[:]
    parent = node.getparent()
    if parent is None or kind not in ("remove", "double", "nest"):
        return
    if kind == "remove":
        parent.remove(node)
    copy = deepcopy(other)
    copy.tail = None
    if kind == "double":
        parent.append(copy)
    elif kind == "nest":
        for _ in range(draw(st.sampled_from([1, 20, 120]))):
            inner = etree.SubElement(node, node.tag)
            node = inner


def _read(plan: Plan, data: bytes) -> None:
    try:
        value, warnings = answer(plan, _CALLER, HttpReply(200, {"content-type": "text/xml"}, data), None, 2**24)
    except (BadReply, Fault):
        return
    orjson.dumps(value)
    assert all(len(sentence) < 1000 for sentence in warnings)


def _plans(strange: ModuleType, rpc: ModuleType, tmp_path: Path, *, nasty: bool = False) -> dict[str, Plan]:
    plans = {}
    services = {name: {"service.wsdl": text.encode()} for name, text in {**strange.SERVICES, **rpc.ENCODED}.items()}
    for path in sorted((Path(__file__).parent / "nasty").glob("*/service.wsdl")) if nasty else ():
        services[f"nasty {path.parent.name}"] = {"service.wsdl": path.read_bytes()}
    for name, files in services.items():
        form = form_of("service.wsdl", Workspace(files, tmp_path / name))
        operations = Operations(form, form.ports[0], UTC)
        for operation in operations:
            plans[f"{name} {operation}"] = operations.plan(operation)
    return plans


def _fuzz(plan: Plan, generator: ModuleType, examples: int, number: int) -> None:
    values = generator.instances(plan.operation.input)

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_damaged(values, plan))
    def run(data: bytes) -> None:
        _read(plan, data)

    run()


def test_damaged_replies(strange: ModuleType, rpc: ModuleType, generator: ModuleType, tmp_path: Path) -> None:
    for number, plan in enumerate(_plans(strange, rpc, tmp_path).values()):
        _fuzz(plan, generator, 3, number)


@pytest.mark.slow
@pytest.mark.timeout(_MINUTES * 60 + 300)
def test_damaged_replies_for_ten_minutes(
    strange: ModuleType, rpc: ModuleType, generator: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = int(os.environ.get("FIGWAY_SEED", random.SystemRandom().randrange(2**32)))
    with capsys.disabled():
        print(f"\ndecoder fuzz: FIGWAY_SEED={number}")
    plans, count = list(_plans(strange, rpc, tmp_path, nasty=True).values()), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = time.monotonic() + _MINUTES * 60
    while time.monotonic() < end:
        _fuzz(plans[count % len(plans)], generator, _BATCH, number + count)
        count += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with capsys.disabled():
        print(f"decoder fuzz: {count * _BATCH} replies, {grown:.0f} MB more at most")
    assert grown < 512


def test_small_replies_take_little_memory(strange: ModuleType, rpc: ModuleType, tmp_path: Path) -> None:
    """References that multiply, the only way in which a small reply may become a big value."""
    (plan, *_) = [plan for name, plan in _plans(strange, rpc, tmp_path).items() if name.startswith("axis")]
    laughs = "".join(f'<m id="i{n}"><a href="#i{n + 1}"/><a href="#i{n + 1}"/></m>' for n in range(60))
    soap = 'xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
    envelope = f'<e:Envelope {soap}><e:Body><r><a href="#i0"/></r>{{}}</e:Body></e:Envelope>'
    tracemalloc.start()
    _read(plan, envelope.format(laughs).encode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < _PEAK


@pytest.mark.parametrize("depth", [100, 240])
def test_deep_values_end(shapes: ModuleType, depth: int) -> None:
    form = shapes.form(
        '<xs:element name="In" type="t:B"/><xs:complexType name="B"><xs:sequence><xs:element name="b" type="t:B"'
        ' minOccurs="0"/></xs:sequence><xs:attribute name="a"/></xs:complexType><xs:complexType name="D">'
        '<xs:complexContent><xs:extension base="t:B"/></xs:complexContent></xs:complexType>'
    )
    plan = Operations(form, form.ports[0], UTC).plan("Op")
    nested = f"{'<b>' * depth}{'</b>' * depth}"
    text = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<In xmlns="urn:t">{nested}</In></e:Body></e:Envelope>'
    )
    reply = HttpReply(200, {"content-type": "text/xml"}, text.encode())
    if depth > 200:  # what no writer of JSON would take
        with pytest.raises(BadReply, match="nested too deep"):
            answer(plan, _CALLER, reply, None, 2**24)
    else:
        assert orjson.dumps(answer(plan, _CALLER, reply, None, 2**24)[0])
    assert output_schema(form, form.ports[0].operations[0].output)
