"""The customers: some 2,000 companies of eleven countries, each with an address, contacts and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from unicodedata import normalize

from gateway.demo.seed.countries import AUTHORS, BRANCHES, COUNTRIES, DEPARTMENTS, FANTASY, NOTES, ROLES, Country

COUNT = 2_000
_PLAIN = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "ı": "i"})


@dataclass(frozen=True, slots=True)
class Contact:
    """A person (given, family, role or none) or a department; reached by mail or by telephone."""

    person: tuple[str, str, str | None] | None
    department: str | None
    email: str | None
    phone: str | None
    preferred: bool | None


@dataclass(slots=True)
class Customer:
    """One customer; amounts in cents, times as RFC 3339 in UTC. `email`: None was never asked for, "" is what an old
    form left, and `no_email` says that there is none."""

    id: str
    name: str
    status: str
    email: str | None
    no_email: bool
    phone: str | None
    credit_limit: int
    created_at: str
    updated_at: str
    street: str
    city: str
    post_code: str
    country: Country
    contacts: list[Contact]
    notes: list[tuple[str, str, str]]
    favourite_sku: str | None = None
    balance: int = 0


def build(random: Random) -> list[Customer]:
    """`COUNT` customers, the first being the one of the demo's story."""
    return [_nordlys(), *(_customer(random, 10_001 + index) for index in range(1, COUNT))]


def plain(text: str) -> str:
    """`text` in ASCII letters, as mail addresses and old systems have it."""
    return normalize("NFKD", text.translate(_PLAIN)).encode("ascii", "ignore").decode()


def digits(random: Random, pattern: str) -> str:
    """`pattern` with each # replaced by a digit."""
    return "".join(str(random.randint(0, 9)) if letter == "#" else letter for letter in pattern)


def _nordlys() -> Customer:
    norway = next(country for country in COUNTRIES if country.code == "NO")
    contacts = [
        Contact(("Ingrid", "Solberg", "Purchasing"), None, "ingrid.solberg@nordlys-marine.example", None, True),
        Contact(None, "Accounts", None, "+47 55 01 02 04", None),
    ]
    notes = [("2026-09-30T08:00:00Z", "m.dahl", "Wants to be called before deliveries.")]
    return Customer(
        "C-10001", "Nordlys Marine AS", "ACTIVE", "post@nordlys-marine.example", False, "+47 55 01 02 03", 2_000_000,
        "2019-03-11T09:15:00Z", "2026-10-02T14:40:12Z", "Strandgaten 12", "Bergen", "5013", norway, contacts, notes,
    )  # fmt: skip


def _customer(random: Random, number: int) -> Customer:
    country = random.choice(COUNTRIES)
    city = random.choice(list(country.cities))
    name = _company(random, country, city)
    domain = _domain(name)
    email, no_email = _email(random, domain)
    created = f"20{random.randint(8, 25):02d}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"
    return Customer(
        id=f"C-{number}",
        name=name,
        status=random.choices(("ACTIVE", "DORMANT", "CLOSED"), (86, 10, 4))[0],
        email=email,
        no_email=no_email,
        phone=digits(random, country.phone) if random.random() < 0.93 else None,
        credit_limit=random.choice((2_500, 5_000, 10_000, 20_000, 50_000, 100_000)) * 100,
        created_at=f"{created}T{_clock(random)}Z",
        updated_at=f"2026-{random.randint(1, 10):02d}-{random.randint(1, 28):02d}T{_clock(random)}Z",
        street=country.street.format(name=random.choice(country.streets), number=random.randint(1, 180)),
        city=city,
        post_code=digits(random, country.cities[city]),
        country=country,
        contacts=[_contact(random, country, domain) for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3)))],
        notes=_notes(random),
    )


def _company(random: Random, country: Country, city: str) -> str:
    suffix = random.choice(country.suffixes)
    family = random.choice(country.family)
    branch = random.choice(BRANCHES)
    names = (
        f"{family} {branch} {suffix}",
        f"{random.choice(FANTASY)} {branch} {suffix}",
        f"{family} & {random.choice(country.family)} {suffix}",
        f"{city} {branch} {suffix}",
    )
    return random.choice(names)


def _domain(name: str) -> str:
    words: Sequence[str] = plain(name).lower().replace("&", " ").replace("'", "").split()[:2]
    return "-".join(word.strip(".,/") for word in words) + ".example"


def _email(random: Random, domain: str) -> tuple[str | None, bool]:
    kind = random.choices(("some", "none", "empty", "unknown"), (88, 4, 3, 5))[0]
    if kind == "some":
        return f"{random.choice(('info', 'office', 'mail', 'kontakt'))}@{domain}", False
    return ("" if kind == "empty" else None), kind == "none"


def _contact(random: Random, country: Country, domain: str) -> Contact:
    given, family = random.choice(country.given), random.choice(country.family)
    is_person = random.random() < 0.75
    department = None if is_person else random.choice(DEPARTMENTS)
    mailbox = f"{plain(given)}.{plain(family)}" if department is None else department
    by_mail = random.random() < 0.6
    return Contact(
        (given, family, random.choice((*ROLES, None))) if is_person else None,
        department,
        f"{mailbox.lower().replace(' ', '-')}@{domain}" if by_mail else None,
        None if by_mail else digits(random, country.phone),
        random.choice((True, False, None)),
    )


def _notes(random: Random) -> list[tuple[str, str, str]]:
    made = [
        (f"2026-{random.randint(1, 9):02d}-{random.randint(1, 28):02d}T{_clock(random)}Z", random.choice(AUTHORS), text)
        for text in random.sample(NOTES, random.choice((0, 0, 0, 1, 1, 2)))
    ]
    return sorted(made, reverse=True)


def _clock(random: Random) -> str:
    return f"{random.randint(6, 18):02d}:{random.randint(0, 59):02d}:{random.randint(0, 59):02d}"
