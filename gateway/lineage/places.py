"""Where in the contracts a mapping stands."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.routing.model import Route
from gateway.routing.report import Report
from gateway.routing.source import parse


def line_of(files: Mapping[str, bytes], route: Route, binding: str) -> str:
    """`file:line` of a binding's `output`, or of the binding where it has none; `binding` is `legacy`, `replacement`
    or `compose`. Reads the contract: call it on a thread."""
    file = route.where.rpartition(":")[0]
    document = parse(file, files[file], Report()) if file in files else None
    if document is None:
        return route.where
    place = ("paths", route.path, route.method.lower(), "x-gateway", binding, "output")
    return f"{file}:{document.line(place)}"
