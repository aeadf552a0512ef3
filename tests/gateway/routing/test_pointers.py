"""An upstream's pointers into its input become pointers into the caller's request."""

from __future__ import annotations

import pytest

from gateway.call import Call
from gateway.routing.mapping import expression
from gateway.routing.model import Binding
from gateway.routing.pointers import request_pointer

INPUT = {
    "CustomerId": "path.customer_id",
    "Changes.Email": "body.email",
    "Changes.Address": "body.address.{Street: street, City: city}",
    "Changes.Lines": "body.lines",
    "Status": "lookup(body.status, {ACTIVE: 'A'})",
    "Name": "join(' ', [body.given, body.family])",
    "Key": "call.id",
    "A.Same": "body.a",
    "B.Same": "body.b",
}


def call() -> Call:
    """A call with one member in each place."""
    return Call("1", "op", 1, "PATCH", "/x", 1.0, "", path={"id": "7"}, query={"dry": True}, body={"lines": []})


@pytest.mark.parametrize(
    ("upstreams", "requests"),
    [
        ("/CustomerId", "/path/customer_id"),
        ("/Changes/Email", "/body/email"),
        # A fault names the member without what wraps it.
        ("/Email", "/body/email"),
        ("/Changes/Lines/3/Sku", "/body/lines/3/Sku"),
        # Members that the binding makes are named by what they are made of.
        ("/Changes/Address/Street", "/body/address"),
        ("/Status", "/body/status"),
        # What comes from several members, from none, or can't be told apart stays as it is.
        ("/Name", "/Name"),
        ("/Key", "/Key"),
        ("/Same", "/Same"),
        ("/Unheard/0", "/Unheard/0"),
        ("", ""),
    ],
)
def test_a_pointer_is_traced_back(upstreams: str, requests: str) -> None:
    binding = Binding("crm", "Update", {name: expression(source) for name, source in INPUT.items()}, None)
    assert request_pointer(binding, call(), upstreams) == requests


@pytest.mark.parametrize(
    ("upstreams", "requests"), [("/id", "/path/id"), ("/dry", "/query/dry"), ("/lines/0", "/body/lines/0"), ("", "")]
)
def test_a_binding_that_says_nothing_passes_names_on(upstreams: str, requests: str) -> None:
    assert request_pointer(Binding("erp", "x", None, None), call(), upstreams) == requests
