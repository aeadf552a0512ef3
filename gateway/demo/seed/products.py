"""What the wholesaler sells: bearings, belts, seals, fasteners, hydraulics, pumps and tools, some 3,000 articles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from random import Random

COUNT = 3_000
WAREHOUSES = ("HALDEN", "HAMBURG", "ROTTERDAM", "GDANSK")


@dataclass(frozen=True, slots=True)
class Product:
    """One article; `price` in cents."""

    sku: str
    name: str
    family: str
    unit: str
    weight_grams: int
    price: int
    on_hand: int
    reserved: int
    warehouse: str
    updated_at: str


def build(random: Random) -> list[Product]:
    """`COUNT` articles; the first is the bearing of the demo's story."""
    rest = [article for article in _catalogue() if article[0] != "BRG-6204-ZZ"]
    first = ("BRG-6204-ZZ", "Deep groove ball bearing 6204 ZZ, 20 x 47 x 14 mm", "Bearings", 680)
    return [_stocked(random, first, 42), *(_stocked(random, each) for each in random.sample(rest, COUNT - 1))]


def _stocked(random: Random, article: tuple[str, str, str, int], on_hand: int | None = None) -> Product:
    sku, name, family, price = article
    amount = on_hand if on_hand is not None else _amount(random)
    reserved = 5 if on_hand is not None else random.randint(0, amount // 4)
    unit = "m" if family in ("Hoses", "Bars") else "pcs"
    at = f"2026-10-{random.randint(1, 30):02d}T{random.randint(6, 18):02d}:{random.randint(0, 59):02d}:00Z"
    weight = max(2, price // random.randint(2, 9))
    return Product(sku, name, family, unit, weight, price, amount, reserved, random.choice(WAREHOUSES), at)


def _amount(random: Random) -> int:
    """One in fourteen is sold out."""
    return 0 if random.random() < 0.07 else int(random.lognormvariate(4.2, 1.1))


def _catalogue() -> Iterator[tuple[str, str, str, int]]:
    """(SKU, name, family, price in cents) of everything that could be sold."""
    for makes in (_bearings, _screws, _belts, _seals, _hoses, _bars, _pumps, _tools):
        yield from makes()


def _bearings() -> Iterator[tuple[str, str, str, int]]:
    for series, bore, shield in product((60, 62, 63, 64), range(21), ("ZZ", "2RS", "C3", "OPEN")):
        inner = (10, 12, 15, 17)[bore] if bore < 4 else bore * 5
        code = f"{series}{bore:02d}"
        price = 240 + inner * series // 3 + len(shield) * 35
        kind = {"ZZ": "shielded", "2RS": "sealed", "C3": "clearance C3", "OPEN": "open"}[shield]
        yield f"BRG-{code}-{shield}", f"Deep groove ball bearing {code}, {kind}, bore {inner} mm", "Bearings", price


def _screws() -> Iterator[tuple[str, str, str, int]]:
    heads = {"HEX": "Hexagon screw ISO 4017", "SOC": "Socket screw ISO 4762", "CSK": "Countersunk screw ISO 10642"}
    grades = ("8.8", "10.9", "A2", "A4")
    lengths = (10, 12, 16, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90, 100)
    sizes = ((3, 5), (4, 7), (5, 8), (6, 10), (8, 16), (10, 29), (12, 41), (16, 88), (20, 160), (24, 290))
    for head, (size, cents), length, grade in product(heads, sizes, lengths, grades):
        price = cents + length * size // 20 + (60 if grade.startswith("A") else 0)
        yield f"SCR-{head}-M{size}X{length}-{grade}", f"{heads[head]} M{size} x {length}, {grade}", "Fasteners", price
    nuts = {"NUT": "Hexagon nut ISO 4032", "WSH": "Washer ISO 7089", "LCK": "Lock nut ISO 7040"}
    for kind, (size, cents), grade in product(nuts, sizes, grades):
        yield f"{kind}-M{size}-{grade}", f"{nuts[kind]} M{size}, {grade}", "Fasteners", 3 + cents // 2


def _belts() -> Iterator[tuple[str, str, str, int]]:
    for profile, length in product(("SPZ", "SPA", "SPB", "SPC"), range(630, 3550, 40)):
        price = 420 + length * (ord(profile[2]) % 7 + 2) // 8
        yield f"BLT-{profile}-{length}", f"Wedge belt {profile} {length} Lw", "Drive belts", price


def _seals() -> Iterator[tuple[str, str, str, int]]:
    for shaft, wall, material in product(range(15, 130, 5), (15, 20, 30), ("NBR", "FKM")):
        price = 190 + shaft * 9 + (1450 if material == "FKM" else 0)
        name = f"Rotary shaft seal {shaft} x {shaft + wall} x 8 mm, {material}"
        yield f"SEA-{shaft}X{shaft + wall}-{material}", name, "Seals", price
    for inner, cord in product(range(6, 200, 4), (2, 3, 5)):
        yield f"ORG-{inner}X{cord}-NBR", f"O-ring {inner} x {cord} mm, NBR 70", "Seals", 12 + inner * cord // 4


def _hoses() -> Iterator[tuple[str, str, str, int]]:
    for inch, layers in product(("04", "06", "08", "12", "16", "20", "24", "32"), ("1SN", "2SN", "4SP", "4SH")):
        price = 380 + int(inch) * 42 * int(layers[0])
        yield f"HOS-{layers}-{inch}", f"Hydraulic hose EN 853 {layers}, {int(inch)}/16 in", "Hoses", price


def _bars() -> Iterator[tuple[str, str, str, int]]:
    steels = {"S355": 2, "C45": 3, "42CRMO4": 4, "304L": 9, "316L": 12}
    for steel, size in product(steels, (10, 12, 16, 20, 25, 30, 35, 40, 50, 60, 70, 80, 100, 120)):
        price = 140 + size * size * steels[steel] // 9
        yield f"BAR-{steel}-D{size}", f"Round bar {steel}, diameter {size} mm", "Bars", price


def _pumps() -> Iterator[tuple[str, str, str, int]]:
    kinds = {"GR": "Gear pump", "VN": "Vane pump", "CF": "Centrifugal pump", "BG": "Bilge pump"}
    for kind, flow, volts in product(kinds, (10, 16, 25, 40, 63, 100, 160), ("12V", "24V", "400V")):
        yield f"PMP-{kind}{flow}-{volts}", f"{kinds[kind]} {flow} l/min, {volts}", "Pumps", 5_900 + flow * 310


def _tools() -> Iterator[tuple[str, str, str, int]]:
    kinds = {"DRL": ("Twist drill HSS-Co", 190), "MIL": ("End mill carbide", 980), "TAP": ("Machine tap M", 760),
             "REA": ("Reamer H7", 1_400), "WRN": ("Combination spanner", 520), "SKT": ("Socket", 410)}  # fmt: skip
    for kind, tenth in product(kinds, islice(range(30, 320, 5), 60)):
        name, base = kinds[kind]
        size = f"{tenth / 10:.1f}"
        yield f"TOO-{kind}-{size.replace('.', '')}", f"{name} {size} mm", "Tools", base + tenth * 11
