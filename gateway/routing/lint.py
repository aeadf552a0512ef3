"""What only shows when the whole workspace is seen: routes against each other, their effects and their upstreams."""

from __future__ import annotations

from gateway.routing.contracts import Exposed
from gateway.routing.model import Route
from gateway.routing.report import Report
from gateway.routing.upstreams import Upstreams


def lint(routes: tuple[Route, ...], operations: list[Exposed], upstreams: Upstreams, report: Report) -> None:
    """Notes what doesn't fit together."""
