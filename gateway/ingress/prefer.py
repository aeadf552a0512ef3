"""What a call prefers (RFC 7240), and of which media type it wants its answer (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gateway.call import Call
from gateway.errors import NotAcceptable

JSON = "application/json"
_WAIT = re.compile(rb"(?:^|[,;\s])wait=\"?([0-9]{1,6})")


def prefer(call: Call, asked: bytes, started: float) -> None:
    """Notes what the call's `Prefer`, in small letters, asks for."""
    if call.writes and b"dry-run" in asked:
        # Preferences may be passed over, but not this one: who asks for a trial mustn't make the change.
        call.trying, call.writes, call.noted["dry_run"] = True, False, True
    call.batch = b"respond-async" in asked
    # A write that may be answered later goes on when its caller waits no more.
    if not (call.batch and call.writes):
        call.deadline = min(call.deadline, _shortened(asked, started))


def _shortened(prefer: bytes, started: float) -> float:
    """The deadline that `Prefer: wait=S` asks for (RFC 7240 §4.3)."""
    wait = _WAIT.search(prefer)
    return started + int(wait[1]) if wait else float("inf")


def accepted(headers: Mapping[bytes, bytes], streams: tuple[str, ...] = ()) -> str:
    """The media type of the answer: JSON, or one of `streams` where the caller likes it better; raises
    `NotAcceptable`."""
    accept = headers.get(b"accept")
    if accept is None or accept == b"*/*":
        return JSON
    media = _best(accept, (JSON, *streams))
    if media is None:
        offered = ", ".join((JSON, *streams))
        raise NotAcceptable(f"This route answers {offered}, which your Accept header excludes.")
    return media


@lru_cache(maxsize=1024)
def _best(accept: bytes, offered: tuple[str, ...]) -> str | None:
    """The media type of the highest quality, the earlier one of equals; None: each has a quality of 0."""
    qualities = {media: _quality_of(accept, media) for media in offered}
    best = max(offered, key=lambda media: qualities[media])
    return best if qualities[best] > 0 else None


def _quality_of(accept: bytes, media: str) -> float:
    """What the most special range that matches says."""
    ranks = {"*/*": 0, media.partition("/")[0] + "/*": 1, media: 2}
    best, quality = -1, 0.0
    for part in accept.decode("latin-1").lower().split(","):
        name, *parameters = [piece.strip() for piece in part.split(";")]
        rank = ranks.get(name, -1)
        if rank > best:
            best, quality = rank, _quality(parameters)
    return quality


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
