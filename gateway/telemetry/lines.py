"""Lines of the log on their way to a collector, each with the trace of the call that it belongs to."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from gateway.telemetry.trace import current_trace

_LONGEST = 4_096
_FRAMES = 30


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log; `time` in ns since the epoch, `trace` the traceparent of the call that it belongs to."""

    time: int
    level: int
    text: str
    trace: str = ""
    exception: str = ""
    """The type of the exception that was logged, if any; never its text, which may hold a caller's values."""
    stack: str = ""


class Lines(logging.Handler):
    """Hands over what is logged."""

    def __init__(self, put: Callable[[Line], None]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits, and never logs."""
        try:
            text = record.getMessage()[:_LONGEST]
        except (TypeError, ValueError):  # its arguments don't fit: what was meant is still worth having
            text = str(record.msg)[:_LONGEST]
        error = record.exc_info[1] if record.exc_info else None
        kind, stack = ("", "") if error is None else (type(error).__name__, frames(error))
        self._put(Line(int(record.created * 1e9), record.levelno, text, current_trace.get(), kind, stack))


def frames(error: BaseException) -> str:
    """Where an exception came from, without its text."""
    return "".join(traceback.format_tb(error.__traceback__)[-_FRAMES:])
