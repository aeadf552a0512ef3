"""The ERP's tables, the same on SQLite, PostgreSQL and MariaDB, and the rows that fill them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import islice

from gateway.demo.crm.store import money
from gateway.demo.seed.orders import Order
from gateway.demo.seed.products import Product
from gateway.demo.seed.world import World

Row = tuple[object, ...]

CREATE = """
CREATE TABLE products (
    sku VARCHAR(20) NOT NULL PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    family VARCHAR(20) NOT NULL,
    unit VARCHAR(5) NOT NULL,
    weight_grams INTEGER NOT NULL,
    replaced_by VARCHAR(20) NULL REFERENCES products (sku));
CREATE TABLE stock (
    sku VARCHAR(20) NOT NULL PRIMARY KEY REFERENCES products (sku),
    name VARCHAR(80) NOT NULL,
    warehouse VARCHAR(20) NOT NULL,
    on_hand INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    unit_price DECIMAL(10,2) NOT NULL,
    updated_at {timestamp} NOT NULL);
CREATE TABLE prices (
    sku VARCHAR(20) NOT NULL REFERENCES products (sku),
    price_list VARCHAR(10) NOT NULL,
    valid_from DATE NOT NULL,
    price DECIMAL(10,2) NOT NULL,
    PRIMARY KEY (sku, price_list, valid_from));
CREATE TABLE orders (
    order_number VARCHAR(10) NOT NULL PRIMARY KEY,
    customer_id VARCHAR(10) NOT NULL,
    ordered_on DATE NOT NULL,
    status VARCHAR(10) NOT NULL,
    total DECIMAL(12,2) NOT NULL);
CREATE INDEX orders_customer ON orders (customer_id, order_number);
CREATE TABLE order_lines (
    order_number VARCHAR(10) NOT NULL REFERENCES orders (order_number),
    line_number INTEGER NOT NULL,
    sku VARCHAR(20) NOT NULL REFERENCES products (sku),
    quantity INTEGER NOT NULL,
    unit_price DECIMAL(10,2) NOT NULL,
    PRIMARY KEY (order_number, line_number));
"""
"""`{timestamp}` is the engine's type of a date with a time of day, kept in UTC."""

_BATCH = 1_000


def rows(world: World) -> Mapping[str, Sequence[Row]]:
    """Every table's rows, in an order that foreign keys allow."""
    return {
        "products": [(p.sku, p.name, p.family, p.unit, p.weight_grams, None) for p in world.products],
        "stock": [_stock(product) for product in world.products],
        "prices": [row for product in world.products for row in _prices(product)],
        "orders": [_order(order) for order in world.orders],
        "order_lines": [row for order in world.orders for row in _lines(order)],
    }


def _stock(product: Product) -> Row:
    at = product.updated_at.replace("T", " ").rstrip("Z")
    price = money(product.price)
    return product.sku, product.name, product.warehouse, product.on_hand, product.reserved, price, at


def _prices(product: Product) -> Iterator[Row]:
    yield product.sku, "LIST", "2026-01-01", money(product.price)
    yield product.sku, "LIST", "2027-01-01", money(product.price * 103 // 100)
    yield product.sku, "TRADE", "2026-01-01", money(product.price * 88 // 100)


def _order(order: Order) -> Row:
    total = sum(line.amount for line in order.lines)
    return order.number, order.customer.id, date.isoformat(order.day), order.status, money(total)


def _lines(order: Order) -> Iterator[Row]:
    for number, line in enumerate(order.lines, 1):
        yield order.number, number, line.product.sku, line.quantity, money(line.unit_price)


def script(world: World, timestamp: str) -> Iterator[str]:
    """The whole database as SQL text: tables, then rows by the thousand."""
    yield CREATE.format(timestamp=timestamp)
    for table, values in rows(world).items():
        left = iter(values)
        while batch := list(islice(left, _BATCH)):
            yield f"INSERT INTO {table} VALUES\n" + ",\n".join(map(_literals, batch)) + ";\n"


def _literals(row: Row) -> str:
    return "(" + ", ".join(map(_literal, row)) + ")"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
