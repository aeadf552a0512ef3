"""What is told of subscribers: at `/-/events/dead`, at `/-/ready`, and by `figway events dead`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from gateway.feeds.deliveries import Dead, Waiting
from gateway.instants import spelt_of


def dead_document(dead: Dead) -> dict[str, Any]:
    """A dead letter, without what the event says."""
    return {**dead._asdict(), "at": spelt_of(dead.at, "auto")}


def subscriber_documents(names: Collection[str], waiting: Sequence[Waiting]) -> list[dict[str, Any]]:
    """Each subscriber of `gateway.yaml`: what keeps it from going on, and how many dead letters it has."""
    known = {each.subscriber: each for each in waiting}
    found = [known.get(name, Waiting(name, "", 0)) for name in sorted(names)]
    return [{"name": each.subscriber, "waits": each.note or None, "dead": each.dead} for each in found]


def warnings(names: Collection[str], waiting: Sequence[Waiting]) -> dict[str, str]:
    """Subscriber → what somebody should look at, in words for everybody: what exactly is said in the log."""
    found = {}
    for each in waiting:
        if each.subscriber in names:
            told = (("waits", bool(each.note)), ("has dead letters", bool(each.dead)))
            found[each.subscriber] = " and ".join(words for words, true in told if true)
    return found
