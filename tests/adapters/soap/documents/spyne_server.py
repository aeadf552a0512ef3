"""A Spyne server: its own WSDL, arrays, moments without a zone, faults of its own codes, and an exception that nobody
caught. It prints the port that it listens on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal as Number
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from spyne import Application, Array, ByteArray, ComplexModel, DateTime, Decimal, Fault, Integer, Service, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

NAMESPACE = "urn:test:spyne"


class Line(ComplexModel):
    __namespace__ = NAMESPACE
    sku = Unicode(min_occurs=1)
    price = Decimal
    note = Unicode(max_occurs="unbounded")


class Order(ComplexModel):
    __namespace__ = NAMESPACE
    id = Integer(min_occurs=1)
    placed = DateTime
    lines = Array(Line)
    content = ByteArray


class Orders(Service):
    @rpc(Integer, _returns=Order)
    def get_order(self, id: int) -> Order:
        if id == 404:
            raise Fault("Client.OrderNotFound", "there is no order 404", detail={"id": "404"})
        if id == 500:
            raise RuntimeError("an exception that nobody caught, in /srv/orders.py")
        lines = [Line(sku="AB-1", price=Number("12.50"), note=["é", ""]), Line(sku="AB-2")]
        return Order(id=id, placed=datetime(2026, 3, 29, 12, 0), lines=lines, content=[b"\x00\xff"])

    @rpc(Order, _returns=Order)
    def put_order(self, order: Order) -> Order:
        return order


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def main() -> None:
    application = Application([Orders], NAMESPACE, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11())
    with make_server("127.0.0.1", 0, WsgiApplication(application), handler_class=Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


main()
