"""What a caller may change of a customer, as the replacement spells it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

from gateway.demo.crm_next.backfill import plain_phone

Amount = Annotated[
    Decimal, Field(ge=0, le=1_000_000, decimal_places=2), PlainSerializer(lambda amount: f"{amount:.2f}")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Money(_Strict):
    """An amount, and its currency, which is always the euro."""

    amount: Amount
    currency: Literal["EUR"] = "EUR"


class Address(_Strict):
    """Replaced as a whole."""

    line1: str = Field(min_length=1, max_length=80)
    city: str = Field(min_length=1, max_length=60)
    postalCode: str = Field(min_length=1, max_length=12)  # noqa: N815 (the wire's name)
    countryCode: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]  # noqa: N815 (the wire's name)


class Changes(_Strict):
    """A merge patch (RFC 7396): what is left out stays; null clears what may be cleared."""

    displayName: str = Field(default="", min_length=1, max_length=80)  # noqa: N815 (the wire's name)
    status: Literal["active", "dormant", "closed"] = "active"
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)] | None = None
    phone: Annotated[str, StringConstraints(max_length=40)] | None = None
    creditLimit: Money = Field(default=Money(amount=Decimal(0)))  # noqa: N815 (the wire's name)
    address: Address = Field(default=Address(line1="-", city="-", postalCode="-", countryCode="XX"))
    favouriteSku: Annotated[str, StringConstraints(max_length=20)] | None = None  # noqa: N815 (the wire's name)

    def given(self) -> dict[str, Any]:
        """The members that were given, as they are kept."""
        given = self.model_dump(mode="json", exclude_unset=True)
        if "phone" in given:
            given["phone"] = plain_phone(given["phone"])
        # exclude_unset would drop a member's own default, the currency.
        return given | ({"creditLimit": self.creditLimit.model_dump(mode="json")} if "creditLimit" in given else {})
