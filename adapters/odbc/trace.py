"""Trace context in statements, as sqlcommenter writes it: `SELECT … /*traceparent='00-…-01'*/`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from adapters.odbc.session import Session

# W3C Trace Context, section 3.2; nothing else can pass, so nothing can close the comment. An odd flag is "sampled".
_SAMPLED = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][13579bdf]")


def comment_of(traceparent: str | None) -> str:
    """What a statement of this call ends with; "" when the call isn't sampled: its text would be prepared in vain."""
    if traceparent is None or _SAMPLED.fullmatch(traceparent) is None:
        return ""
    return f" /*traceparent='{traceparent}'*/"


def traced(job: Callable[[Session], Any], comment: str) -> Callable[[Session], Any]:
    """`job` with `comment` behind each of its statements."""

    def run(session: Session) -> Any:
        session.comment = comment
        try:
            return job(session)
        finally:
            session.comment = ""

    return run
