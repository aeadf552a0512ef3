"""Words of others as they may stand before a model: on one line, without markup and what can't be seen."""

from __future__ import annotations

import re

from gateway.untrusted.scanner import built_in

_MARKUP = re.compile(r"<!--.*?-->|<[A-Za-z/!?][^<>]{0,500}>", re.DOTALL)
_MOST = 4000
UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u180e\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
"""Control characters but line breaks and tabs, those of width zero but the two that scripts and emoji need, those that
turn the direction of writing, and tags."""


def plain(text: str, most: int = _MOST) -> str:
    """A text on one line: without markup, without characters that nobody sees, and of no more than `most`."""
    seen = UNSEEN.sub("", _MARKUP.sub(" ", text))
    words = " ".join("".join(each if each.isprintable() or each in "\u200c\u200d" else " " for each in seen).split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def quoted(text: str) -> str:
    """What an upstream said, as a problem passes it on: nothing of it where it reads like instructions to a model."""
    if instructs(text):
        return (
            "The system behind the route said why, in words that read like instructions to a model: they aren't told."
        )
    return text


def instructs(text: str) -> str:
    """The ids of the rules by which a text reads like instructions to a model, separated by commas; "": it doesn't."""
    if not built_in().suspects(text):
        return ""
    return ", ".join(built_in().rules_in(text))
