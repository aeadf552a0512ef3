"""What a dataset calls a part of an answer: its field and, by a copybook, the item's own name and place."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.files.control import Controlled
from adapters.files.copybook.layout import Group, Node, own_names
from adapters.files.copybook_format import CopybookFormat
from adapters.files.dataset import Description

_WITHIN = {"list": 1, "aggregate": 2}
"""Names above a field in what a verb answers."""


def element(datasets: Mapping[str, Description], operation: str, parts: list[str]) -> str | None:
    """`invoices.customer_id (CUSTOMER-ID at byte 12, 8 bytes)`: the place is that within the record, of a table that
    of its first entry. None where there is no such dataset or part."""
    name, _, verb = operation.partition(".")
    description = datasets.get(name)
    names = [part for part in parts if part != "*" and not part.isdecimal()]
    if verb in _WITHIN:
        above = _WITHIN[verb]
        if names[:1] != ["items"] or len(names) < above:
            return None
        names = names[above:]
    if verb == "aggregate":
        names = [part for each in names for part in each.split(".")]
    if description is None or verb == "generations":
        return None
    path = ".".join([name, *names])
    format = description.format.inner if isinstance(description.format, Controlled) else description.format
    if not isinstance(format, CopybookFormat) or not names:
        return path
    found = _find(format.layout.root, names, 0)
    if found is None:
        return None
    node, offset = found
    return f"{path} ({node.cobol} at byte {offset}, {node.size} bytes)"


def _find(group: Group, names: list[str], offset: int) -> tuple[Node, int] | None:
    """The item that the names lead to, and its offset in the record."""
    for area in group.areas:
        for node in area.nodes:
            if names[0] not in own_names(node):
                continue
            at = offset + node.offset
            lifted = node.name != names[0]
            rest = names if lifted else names[1:]
            if not rest:
                return node, at
            return _find(node, rest, at) if isinstance(node, Group) else None
    return None
