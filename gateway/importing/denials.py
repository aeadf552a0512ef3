"""`policies/UPSTREAM.cedar`: imported writes that nobody may call until somebody allows them.

A forbid goes before every permit, so a wide permit that was there before lets nobody in either. People allow a write by
taking its line out; what they took out stays out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_ACTION = re.compile(r'Action::"([a-z0-9_]+)"')
_MOST = 300
"""Actions in one policy, which has a bound on its length."""
_HEAD = """\
// Writes that were imported from the upstream {upstream}. Nobody may call them, whatever other policies permit.
// To allow one, take its line out and permit it to whoever needs it:
//   permit (principal in Role::"writer", action == Action::"{example}", resource);
"""


def denials(upstream: str, text: str | None, base: Collection[str], new: Sequence[str]) -> str:
    """The file with the writes of `new` (operationIds) denied that weren't in `base`, and none that are gone; "" where
    nothing is left to say. `text` is the file as it is."""
    made = _HEAD.format(upstream=upstream, example=new[0]) if text is None and new else text or ""
    known, wanted = frozenset(base), frozenset(new)
    added = [name for name in new if name not in known]
    pieces, number = [], 0
    for part in _split(made, upstream):
        if part.startswith("@id"):
            number += 1
            present = _ACTION.findall(part)
            kept = [name for name in present if name in wanted or name not in known]
            room = _MOST - len(kept)
            fresh = [name for name in added if name not in kept][:room]
            added = [name for name in added if name not in fresh and name not in kept]
            part = part if [*kept, *fresh] == present else _policy(upstream, number, [*kept, *fresh])
        pieces.append(part)
    for start in range(0, len(added), _MOST):
        number += 1
        pieces.append("\n" + _policy(upstream, number, added[start : start + _MOST]))
    return "".join(pieces)


def _split(text: str, upstream: str) -> list[str]:
    """The text around and of the policies that are ours."""
    return re.split(rf'(@id\("{re.escape(upstream)}-writes-[0-9]+"\)[^;]*;\n?)', text)


def _policy(upstream: str, number: int, writes: Sequence[str]) -> str:
    if not writes:
        return ""
    actions = ",\n".join(f'    Action::"{name}"' for name in writes)
    head = f'@id("{upstream}-writes-{number}")\n'
    return f"{head}forbid (\n  principal,\n  action in [\n{actions}\n  ],\n  resource\n);\n"
