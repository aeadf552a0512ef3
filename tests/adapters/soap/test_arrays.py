"""Arrays of SOAP encoding with several dimensions, and those that are sent in part."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.client import HttpReply
from adapters.contract import Effect, Workspace
from adapters.soap.arrays import flattened, placed
from adapters.soap.compiler import form_of
from adapters.soap.notes import Notes
from adapters.soap.plan import Operations, Plan
from adapters.soap.reply import Caller, body_of
from adapters.soap.values import BadValue
from adapters.soap.xsd import ENCODINGS

HERE = Path(__file__).parent
WSDL = HERE / "nasty" / "matrix" / "service.wsdl"


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Operations:
    form = form_of("m.wsdl", Workspace({"m.wsdl": WSDL.read_bytes()}, tmp_path_factory.mktemp("matrix")))
    return Operations(form, form.ports[0], UTC)


def _read(plan: Plan, envelope: bytes) -> Any:
    reply = HttpReply(200, {"content-type": "text/xml"}, envelope)
    return plan.decoder.body(body_of(reply, Caller("matrix", Effect.READ, True)), Notes())


_SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(_SIZES, st.sampled_from(["", "[]", "[,]"]))
def test_items_and_their_places(size: list[int], inner: str) -> None:
    counter = iter(range(10**6))

    def filled(sizes: list[int]) -> list[Any]:
        return [filled(sizes[1:]) if len(sizes) > 1 else next(counter) for _ in range(sizes[0])]

    value = filled(size)
    items, lengths = flattened(value, len(size))
    for name, text in (("arrayType", f"x:int{inner}[{','.join(map(str, lengths))}]"), ("arraySize", "")):
        space = ENCODINGS[0] if text else ENCODINGS[1]
        node = etree.Element("a", {f"{{{space}}}{name}": text or " ".join(map(str, lengths))})
        assert placed(items, node, len(size)) == value


VALUES = {
    "table": {"table": {"item": [[1, 2, 3], [4, 5, 6]]}},
    "cube": {"cube": {"item": [[["a", "b"], ["", "é"]], [["c", "d"], ["e", "f"]], [["g", "h"], ["i", "j"]]]}},
    "tables": {"tables": {"item": [{"item": [[1], [2]]}, {"item": [[3, 4]]}]}},
    "points": {"points": {"item": [[{"x": 1, "y": 2}, {"x": 3, "y": 4}]]}},
}


@pytest.mark.parametrize("name", list(VALUES))
def test_what_we_write_we_read(name: str, operations: Operations) -> None:
    plan = operations.plan(name)
    assert not plan.errors(VALUES[name])
    assert _read(plan, plan.envelope(VALUES[name], "")) == VALUES[name]


# Of arrays of tables it writes the tables as arrays of arrays, which no WSDL says.
@pytest.mark.parametrize("name", [name for name in VALUES if name != "tables"])
def test_php_reads_and_answers_them(name: str, operations: Operations) -> None:
    if shutil.which("php") is None:
        pytest.fail("php is missing: install it with 'apt-get install php-cli php-soap php-xml'")
    plan = operations.plan(name)
    command = ["php", str(HERE / "nasty_matrix.php"), str(WSDL)]
    answer = subprocess.run(command, input=plan.envelope(VALUES[name], ""), capture_output=True, timeout=60)
    assert _read(plan, answer.stdout[answer.stdout.index(b"<?xml") :]) == VALUES[name]


def test_rows_of_different_lengths_never_leave(operations: Operations) -> None:
    with pytest.raises(BadValue, match="different lengths") as caught:
        operations.plan("table").envelope({"table": {"item": [[1, 2], [3]]}}, "")
    assert caught.value.path == ["table", "item"]


def _array(head: str, *items: str) -> bytes:
    body = "".join(f"<i{each}</i>" for each in items)
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:x="http://www.w3.org/2001/XMLSchema"'
        f' xmlns:c="{ENCODINGS[0]}"><e:Body><tableResponse><table {head}>{body}</table></tableResponse></e:Body>'
        "</e:Envelope>"
    ).encode()


@pytest.mark.parametrize(
    ("head", "items", "value"),
    [
        ('c:arrayType="x:int[2,2]" c:offset="[1,0]"', [">1", ">2"], [[None, None], [1, 2]]),
        ('c:arrayType="x:int[2,2]"', [' c:position="[1,1]">9', ' c:position="[0,1]">8'], [[None, 8], [None, 9]]),
        ('c:arrayType="x:int[2,2]"', [' c:position="[0,1]">8', ">9"], [[None, 8], [9, None]]),
        ('c:arrayType="x:int[0,0]"', [], []),
        ('c:arrayType="x:int[2,0]"', [], [[], []]),
        ("", [], []),
    ],
)
def test_arrays_sent_in_part(head: str, items: list[str], value: Any, operations: Operations) -> None:
    assert _read(operations.plan("table"), _array(head, *items)) == {"table": {"item": value}}


@pytest.mark.parametrize(
    ("head", "items", "why"),
    [
        ('c:arrayType="x:int[2,2]"', [">1"], "1 items that says it has 4"),
        ('c:arrayType="x:int[]"', [">1"], "doesn't say how long"),
        ("", [">1"], "doesn't say how long"),
        ('c:arrayType="x:int[2,2]" c:offset="[9,0]"', [">1"], "a place that it hasn't"),
        ('c:arrayType="x:int[2,2]" c:offset="[1,1]"', [">1", ">2"], "beyond its size"),
        ('c:arrayType="x:int[999999999,999999999]" c:offset="[1,1]"', [">1"], "more than 1000000 places"),
        ('c:arrayType="x:int[999999999,0]"', [], "more than 1000000 places"),
        ('c:arrayType="x:int[2,2]"', [' c:position="x">9'], "a place that it hasn't"),
    ],
)
def test_arrays_that_lie_are_refused(head: str, items: list[str], why: str, operations: Operations) -> None:
    with pytest.raises(BadValue, match=why):
        _read(operations.plan("table"), _array(head, *items))
