"""A year of orders, and the invoices and credit notes that came of them; a balance is what is unpaid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from gateway.demo.seed.customers import Customer, digits
from gateway.demo.seed.products import Product

INVOICES = 5_000
OPEN_ORDERS = 600
TODAY = date(2026, 10, 31)
"""The day on which the demo's world stands; the same on every start."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order or an invoice; amounts in cents."""

    product: Product
    quantity: int
    unit_price: int

    @property
    def amount(self) -> int:
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `status` is open, shipped or invoiced."""

    number: str
    customer: Customer
    day: date
    status: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice (`kind` I) or credit note (C, with negative quantities); `status` is O, V or P."""

    number: str
    kind: str
    status: str
    order: Order
    issued: date
    due: date
    lines: list[Line]
    net: int
    vat: int
    iban: str
    card: tuple[str, str, str] | None

    @property
    def gross(self) -> int:
        return self.net + self.vat


def build(random: Random, customers: list[Customer], products: list[Product]) -> tuple[list[Order], list[Invoice]]:
    """`INVOICES` invoiced orders and `OPEN_ORDERS` younger ones; sets each customer's balance and favourite."""
    buyers = [customer for customer in customers if customer.status != "CLOSED"]
    days = sorted(TODAY - timedelta(days=int(random.random() * 365)) for _ in range(INVOICES))
    orders = [_order(random, _buyer(random, buyers, index), products, index, day) for index, day in enumerate(days)]
    invoices = [_invoice(random, order, index) for index, order in enumerate(orders)]
    recent = [TODAY - timedelta(days=random.randint(0, 12)) for _ in range(OPEN_ORDERS)]
    late = [_order(random, random.choice(buyers), products, INVOICES + index, day) for index, day in enumerate(recent)]
    _settle(random, customers, orders, invoices)
    return [*orders, *late], invoices


def _buyer(random: Random, buyers: list[Customer], index: int) -> Customer:
    # The customer of the story orders now and then, and last of all.
    return buyers[0] if index % 700 == 350 or index == INVOICES - 3 else random.choice(buyers)


def _order(random: Random, customer: Customer, products: list[Product], index: int, day: date) -> Order:
    chosen = random.sample(products, random.choice((1, 1, 2, 2, 3, 4, 5)))
    if customer.id == "C-10001" and products[0] not in chosen:
        chosen[0] = products[0]
    # Dear things are bought singly, screws by the hundred.
    lines = [
        Line(each, max(1, int(random.lognormvariate(9.2, 1.0)) // (each.price + 60)), each.price) for each in chosen
    ]
    status = "invoiced" if index < INVOICES else random.choice(("open", "open", "shipped"))
    return Order(f"O-{26_00001 + index}", customer, day, status, lines)


def _invoice(random: Random, order: Order, index: int) -> Invoice:
    credit = random.random() < 0.03 and order.customer.id != "C-10001"
    lines = [Line(line.product, -line.quantity, line.unit_price) for line in order.lines[:1]] if credit else order.lines
    issued = min(TODAY, order.day + timedelta(days=random.randint(0, 4)))
    due = issued + timedelta(days=random.choice((14, 30, 30, 60)))
    net = sum(line.amount for line in lines)
    vat = _half_up(net * int(order.customer.country.vat.replace(".", "")), 10_000)
    card = (random.choice(("VISA", "MASTERCARD")), digits(random, "####"), digits(random, "A######"))
    return Invoice(
        f"R-{26_00001 + index}",
        "C" if credit else "I",
        _status(random, due),
        order, issued, due, lines, net, vat,
        digits(random, f"{order.customer.country.code}################"),
        card if random.random() < 0.2 else None,
    )  # fmt: skip


def _status(random: Random, due: date) -> str:
    if due >= TODAY:
        return "O" if random.random() < 0.8 else "P"
    return "V" if random.random() < 0.06 else "P"


def _half_up(numerator: int, denominator: int) -> int:
    sign = -1 if numerator < 0 else 1
    return sign * ((abs(numerator) * 2 + denominator) // (2 * denominator))


def _settle(random: Random, customers: list[Customer], orders: list[Order], invoices: list[Invoice]) -> None:
    for invoice in invoices:
        if invoice.status != "P":
            invoice.order.customer.balance += invoice.gross
    for order in orders:
        order.customer.favourite_sku = order.customer.favourite_sku or order.lines[0].product.sku
    customers[0].favourite_sku = "BRG-6204-ZZ"
    for customer in customers:
        # Some ordered once and were never asked what they like.
        if customer is not customers[0] and random.random() < 0.1:
            customer.favourite_sku = None
