"""`policies/UPSTREAM.cedar`: imported writes that nobody may call until somebody allows them.

A forbid goes before every permit, so a wide permit that was there before lets nobody in either. People allow a write by
taking its line out; what they took out stays out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_ACTION = re.compile(r'Action::"([a-z0-9_]+)"')
_HEAD = """\
// Writes that were imported from the upstream {upstream}. Nobody may call them, whatever other policies permit.
// To allow one, take its line out and permit it to whoever needs it:
//   permit (principal in Role::"writer", action == Action::"{example}", resource);
"""


def denials(
    upstream: str, text: str | None, base: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]
) -> str:
    """The file with the writes of `new` (group → operationIds) denied that weren't in `base`, and none that are gone;
    "" where nothing is left to say. `text` is the file as it is."""
    made = "" if text is None else text
    known = {name for names in base.values() for name in names}
    for group in sorted({*base, *new}):
        made = _with_group(upstream, group, made, known, list(new.get(group, ())))
    if made.strip() and text is None:
        example = next(name for names in new.values() for name in names)
        made = _HEAD.format(upstream=upstream, example=example) + made
    return made


def _with_group(upstream: str, group: str, text: str, known: set[str], writes: list[str]) -> str:
    policy_id = f"{upstream}-writes-{group}"
    found = re.search(rf'@id\("{re.escape(policy_id)}"\)[^;]*;\n?', text)
    present = _ACTION.findall(found.group()) if found else []
    wanted = [name for name in writes if name in present or name not in known]
    if found is None:
        return f"{text}\n{_policy(policy_id, wanted)}" if wanted else text
    if wanted == present:
        return text
    block = _policy(policy_id, wanted) if wanted else ""
    return text[: found.start()] + block + text[found.end() :]


def _policy(policy_id: str, writes: Sequence[str]) -> str:
    actions = ",\n".join(f'    Action::"{name}"' for name in writes)
    return f'@id("{policy_id}")\nforbid (\n  principal,\n  action in [\n{actions}\n  ],\n  resource\n);\n'
