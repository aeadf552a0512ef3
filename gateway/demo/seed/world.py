"""The whole believable world in one piece, the same on every start, before it is spread over the systems."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from gateway.demo.seed import customers, orders, products
from gateway.demo.seed.customers import Customer
from gateway.demo.seed.orders import Invoice, Order
from gateway.demo.seed.products import Product

_SEED = 6204


@dataclass(frozen=True, slots=True)
class World:
    """What the systems are filled from."""

    customers: list[Customer]
    products: list[Product]
    orders: list[Order]
    invoices: list[Invoice]

    def samples(self) -> dict[str, str]:
        """A customer with a favourite article that is in stock and with an overdue invoice: {customer_id, sku,
        invoice_number}."""
        customer = self.customers[0]
        overdue = [each for each in self.invoices if each.order.customer is customer and each.status == "V"]
        return {
            "customer_id": customer.id,
            "sku": str(customer.favourite_sku),
            "invoice_number": overdue[-1].number,
        }


def build() -> World:
    """Some 2,000 customers, 3,000 articles, 5,600 orders and 5,000 invoices, in half a second."""
    random = Random(_SEED)  # noqa: S311 (believable, not secret)
    goods = products.build(random)
    buyers = customers.build(random)
    made, invoices = orders.build(random, buyers, goods)
    return World(buyers, goods, made, invoices)
