"""What is compared, and what comes of it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from adapters.contract import Json

Verdict: TypeAlias = Literal["match", "tolerated", "noise", "known", "mismatch", "incomparable"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""How a comparison ends, the better first; `incomparable` says nothing either way."""
RANK: Final = {verdict: number for number, verdict in enumerate(VERDICTS)}

Kind: TypeAlias = Literal[
    "status", "fault", "paging", "missing", "extra", "null", "empty", "type", "order",
    "number", "instant", "space", "case", "encoding", "value",
]  # fmt: skip
"""In what two sides differ. `missing` is what the replacement lacks, `extra` what only it has; `null` is null against
absence, `empty` an empty text, list or object against either of them."""


class _Absent:
    """What isn't there: neither null nor empty."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


class Observed(NamedTuple):
    """One side's reply as its caller would get it: status, JSON body, and the slug of its problem if it is one."""

    status: int
    body: Json
    problem: str | None = None


class Difference(NamedTuple):
    """One difference. `pointer` is RFC 6901, into legacy's body; a side that lacks the value has `ABSENT`."""

    pointer: str
    kind: Kind
    legacy: Json
    replacement: Json
    rule: str | None = None
    """The rule that explains it, such as `tolerance /balance`."""
    pattern: str = ""
    """The pointer with `*` for items and for members that the contract doesn't name."""
    verdict: Verdict = "mismatch"
    by: tuple[str, ...] = ()
    """Of a list: the members by which its items were told apart."""


class Comparison(NamedTuple):
    """What came of one comparison."""

    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    """The first hundred, those without an explanation first."""
    covered: int = 0
    """How many of `fields` were held against each other, rather than left out by a rule."""
    fields: int = 0
    signature: str = ""
    """The same for comparisons that differ in the same places in the same way; empty for a match."""
    total: int = 0
    """How many differences there were."""
    reason: str = ""
    """Why nothing can be said, where it is incomparable."""
    drift: tuple[Difference, ...] = ()
    """In what legacy differed from itself."""
    sandwiched: bool = False
    """Legacy was asked again."""
