"""One metric with its labels as text, the way Prometheus writes it: that is also a series' key in the shared files."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.telemetry.families import Family, families

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_LONGEST = 256


def key_of(family: Family, labels: Iterable[str] = ()) -> str:
    """`name{label="value",…}`, the values escaped, each cut to 256 characters."""
    values = (value[:_LONGEST].encode("utf-8", "replace").decode().translate(_ESCAPES) for value in labels)
    inner = ",".join(f'{name}="{value}"' for name, value in zip(family.labels, values, strict=True))
    return f"{family.name}{{{inner}}}" if inner else family.name


def name_of(key: str) -> str:
    """The metric's name."""
    return key.partition("{")[0]


def is_kept(key: str) -> bool:
    """Whether a series still counts when its worker has ended: a gauge tells only of what is."""
    known = families.get(name_of(key))
    return known.kind != "gauge" if known is not None else name_of(key).endswith("_total")
