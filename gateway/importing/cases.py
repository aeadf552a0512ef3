"""`tests/test_UPSTREAM.py`: one contract test a route, in functions that people may change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from adapters.contract import Effect
from gateway.importing.model import Shape
from gateway.importing.named import Named

_HEAD = '''\
"""Contract tests of the upstream {upstream}, one a route. `figway import` wrote them; what you change stays.

With the gateway running and a key that may read: FIGWAY_URL=http://127.0.0.1:8080 FIGWAY_KEY=… pytest tests
"""

from gateway.importing.checking import Gateway, gateway

__all__ = ["gateway"]
'''
_FUNCTION = re.compile(r"^def (test_[a-z0-9_]+)\(.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def cases(routes: Sequence[Named]) -> dict[str, str]:
    """Function's name → its text, for every route."""
    lists = {each.group: each for each in routes if each.shape is Shape.LIST and each.found.parent is None}
    return {f"test_{each.operation_id}": _case(each, lists) for each in routes}


def tests(upstream: str, text: str | None, base: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The file with the functions of `new`; what people changed since `base`, or removed, stays as they have it."""
    if text is None:
        return _HEAD.format(upstream=upstream) + "".join(f"\n\n{each}" for each in new.values())
    there = {found.group(1): found.group() for found in _FUNCTION.finditer(text)}
    for name, function in there.items():
        was = base.get(name)
        if was is not None and function.strip() == was.strip() and new.get(name) != was:
            text = text.replace(function, f"{new[name]}\n\n" if name in new else "", 1)
    added = [each for name, each in new.items() if name not in there and name not in base]
    return text.rstrip("\n") + "\n" + "".join(f"\n\n{each}" for each in added)


def _case(route: Named, lists: Mapping[str, Named]) -> str:
    return f"def test_{route.operation_id}(gateway: Gateway) -> None:\n    {_body(route, lists)}\n"


def _body(route: Named, lists: Mapping[str, Named]) -> str:
    if route.found.effect is not Effect.READ:
        return f'gateway.denies("{route.method.upper()}", "{route.path}")'
    source = lists.get(route.group)
    told = route.found.shape is Shape.GET and source is not None and bool(route.key)
    if not told or source is None:
        return f'gateway.answers("{route.operation_id}")'
    keys = ", ".join(f'"{each.name}": {_quoted(each.member)}' for each in route.key)
    return f'gateway.answers("{route.operation_id}", entry_of="{source.operation_id}", key={{{keys}}})'


def _quoted(text: str) -> str:
    return '"' + "".join(each if each.isprintable() and each not in '"\\' else _escaped(each) for each in text) + '"'


def _escaped(each: str) -> str:
    return f"\\{each}" if each in '"\\' else each.encode("unicode_escape").decode()
