"""What is to be done, as far as it can be told from how it is said, or from what an operation is called."""

from __future__ import annotations

from enum import Enum

from gateway.catalogue.language import set_of, stem


class Act(Enum):
    """What a tool does to what it is about."""

    LIST = "list"
    READ = "read"
    COUNT = "count"
    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    OTHER = "other"
    """A write that is named by a verb of its own, such as `approve`."""


READS = frozenset({Act.LIST, Act.READ, Act.COUNT})


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(each) for each in words.split())


VERBS = {
    Act.LIST: _stems("list search find query browse select enumerate"),
    Act.READ: _stems("get read fetch show retrieve view lookup describe load see check inquire display"),
    Act.COUNT: _stems("count"),
    Act.CREATE: _stems("create add new insert register open file post make append put issue enter store save"),
    Act.CHANGE: _stems("update change modify edit patch set alter replace amend revise rename correct adjust"),
    Act.DELETE: _stems("delete remove drop destroy purge erase"),
}
"""The verbs that names of operations begin or end with."""

ASKS = set_of(
    "which who whom whose what whats where when how why is are was were do does did have has show list find get give "
    "tell look see search display fetch read check all any find details status"
)
"""What a question begins with."""
MANY = _stems("which who list all every search any kinds types many")
"""What asks for more than one."""
SAID = {
    Act.CREATE: _stems(
        "create add new insert register open file make place enter write log note record set issue submit arrange "
        "organize request raise put place buy hire draft start append recruit establish onboard remind "
        "save store capture enrol"
    ),
    Act.CHANGE: _stems(
        "update change modify edit correct fix amend rename misspelled move raise put lower increase decrease extend "
        "postpone push reschedule switch replace adjust revise moved renamed"
    ),
    Act.DELETE: _stems("delete remove drop erase discard forget throw scrap rid purge clear"),
}
"""The verbs by which people ask for a change; where one of them is a tool's own, that counts more."""
DOES = _stems(
    "remind ship send cancel approve pay refund reimburse nudge ring call phone email notify assign transfer reserve "
    "block unblock close finish complete release reject deny confirm schedule invite hire fire print generate convert "
    "upload sign swap escalate charge credit debit bill invoice deliver return restock order subscribe unsubscribe "
    "activate deactivate enable disable reset share publish archive restore sync retry start stop pause resume take "
    "mark tick flag book prepare bring submit report apply decline accept settle renew allocate release dispatch "
    "undo void reopen extend warn "
    "reorder replenish restock"
)
"""Other verbs by which people ask for something to be done, where they come first."""
ADJECTIVES = set_of("open complete clear separate close free live")
"""What may be a verb, but not where it stands right before a thing: "open tasks"."""
NOUNS = set_of("bill invoice order credit charge return report note record issue file book track claim request offer")
"""What may be a verb, but not where its number stands behind it: "invoice 4711"."""
TOGETHER = {
    ("take", "off"): Act.DELETE,
    ("take", "away"): Act.DELETE,
    ("throw", "away"): Act.DELETE,
    ("throw", "out"): Act.DELETE,
    ("get", "rid"): Act.DELETE,
    ("set", "up"): Act.CREATE,
    ("sign", "up"): Act.CREATE,
    ("write", "off"): Act.CHANGE,
    ("put", "off"): Act.CHANGE,
    ("push", "back"): Act.CHANGE,
    ("bring", "forward"): Act.CHANGE,
}
"""Verbs that mean a change only with what stands behind them, near or far."""
WHEN = _stems(
    "today yesterday tomorrow now tonight morning afternoon evening day week month quarter year last next recent "
    "currently soon later ago monday tuesday wednesday thursday friday saturday sunday january february march april "
    "june july august september october november december"
)
"""When something is, which seldom says what it is."""
CHANGED = set_of("another different changed moved renamed misspelled outdated")
"""What says that something isn't any more what it was."""
COUNTS = (("how", "many"), ("number", "of"), ("how", "often"), ("count",), ("total", "number"))
STATES = set_of(
    "has have is are was were wants needs says reports asks doesnt dont didnt hasnt havent isnt arent wont cant"
)
RELATIVE = set_of("who whom whose that which what when where how why if whether and")
"""Before these words that state something, a sentence has said what of; behind those it hasn't."""
